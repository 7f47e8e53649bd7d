"""Writes the files of one version into its folder, skips what is there already, and keeps their index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.folder import VersionFolder
from roundtruth.datasets.tables import HERE, SOURCE, TABLES
from roundtruth.datasets.tree import TreeFile, TreeImage
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage, StoredObject

# Called with the number of files of single images that are done, and the number of all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """An image to be copied; with an ETag only if the source still has it."""

    source: ObjectUri
    target: ObjectUri
    size: int  # bytes
    if_etag: str


class VersionWriter:
    """Writes in parallel; the rows of the index are in ``rows``, sorted by path.

    What an earlier call left in the folder belongs to the same candidate (see claim.json), so an object with
    the right size and MD5 is taken as written.
    """

    def __init__(
        self, storage: Storage, version: VersionFolder, candidate: Candidate, progress: Progress | None
    ) -> None:
        self._storage = storage
        self._version = version
        self._candidate = candidate
        self._progress = progress
        self._rows: dict[str, dict[str, object]] = {}
        self._there = {str(stored.uri): stored for stored in storage.list_objects(version.uri)}
        self._done = 0
        of_an_image = len({"yolo", "voc"} & set(candidate.formats)) + (candidate.layout == "tree")
        self._all = of_an_image * len(candidate.images)

    @property
    def rows(self) -> list[dict[str, object]]:
        """The rows of INDEX so far."""
        return [self._rows[path] for path in sorted(self._rows)]

    def write(self, files: Iterable[TreeFile]) -> None:
        """Write files into the version's folder."""
        for file in self._storage.run_many(self._put, files):
            self._note(file, HERE)

    def mention(self, files: Iterable[TreeFile]) -> None:
        """Put files into the index that whoever pulls the version makes from its tables."""
        for file in files:
            self._note(file, TABLES)

    def copy_images(self, parent: dict[tuple[str, str], str], parent_uri: ObjectUri) -> None:
        """Copy all images on the server's side: from the parent version where it has them, or their source.

        :param parent: (source_ref, etag) -> path in the parent version, of the images that it holds.
        :raises DatasetError: when an image is not the one that people labeled any more.
        """
        images = self._images()
        copies = []
        for (image, etag, size), target in images:
            path = parent.get((image.source_ref, etag))
            source = parent_uri / path if path else ObjectUri.parse(image.source_ref)
            # Nothing of a published version changes; people may replace what they uploaded at any moment.
            copies.append(_Copy(source=source, target=target, size=size, if_etag="" if path else etag))
        replaced = []
        for source, copied in self._storage.run_many(self._copy, copies):
            if not copied:
                replaced.append(str(source))
            self._advance()
        if replaced:
            raise DatasetError(
                f"{len(replaced)} images were replaced or deleted since they were labeled, such as "
                f"{replaced[0]}; assemble the dataset again: they wait until a round has labeled them."
            )
        self._note_copies(images)

    def mention_images(self) -> None:
        """Put images into the index that stay where they are."""
        for (image, etag, size), _ in self._images():
            self._note_image(image, SOURCE, size=size, etag=etag, source_etag=etag)

    def _images(self) -> list[tuple[tuple[TreeImage, str, int], ObjectUri]]:
        frame = self._candidate.images
        known = zip(self._candidate.images_with_boxes(), frame["etag"], frame["bytes"].tolist(), strict=True)
        return [((image, etag, size), self._version.uri / image.path) for (image, _), etag, size in known]

    def _put(self, file: TreeFile) -> TreeFile:
        uri = self._version.uri / file.path
        stored = self._there.get(str(uri))
        # The ETag of a small object is its MD5, except under SSE-KMS: there it is written once more.
        if stored is None or stored.etag != hashlib.md5(file.data, usedforsecurity=False).hexdigest():
            self._storage.write(uri, file.data)
        return file

    def _copy(self, copy: _Copy) -> tuple[ObjectUri, bool]:
        """The source, and whether its copy is there."""
        stored = self._there.get(str(copy.target))
        if stored is not None and stored.size == copy.size:
            return copy.source, True
        if copy.if_etag:
            return copy.source, self._storage.copy_if_unchanged(copy.source, copy.target, copy.if_etag)
        self._storage.copy(copy.source, copy.target)
        return copy.source, True

    def _note_copies(self, images: list[tuple[tuple[TreeImage, str, int], ObjectUri]]) -> None:
        folder = self._version.uri / "images"
        copies: dict[str, StoredObject] = {str(one.uri): one for one in self._storage.list_objects(folder)}
        for (image, etag, size), target in images:
            copied = copies.get(str(target))
            if copied is None or copied.size != size:
                found = "is missing" if copied is None else f"has {copied.size} bytes"
                raise DatasetError(
                    f"{target}, the copy of {image.source_ref} ({size} bytes), {found}; run again."
                )
            self._note_image(image, HERE, size=size, etag=copied.etag, source_etag=etag)

    def _note(self, file: TreeFile, held: str) -> None:
        self._rows[file.path] = {
            "path": file.path,
            "held": held,
            "size": len(file.data),
            "sha256": hashlib.sha256(file.data).hexdigest(),
            "split": file.split,
            "source_ref": file.source_ref,
        }
        if file.source_ref:
            self._advance()

    def _note_image(self, image: TreeImage, held: str, **columns: object) -> None:
        self._rows[image.path] = {
            "path": image.path,
            "held": held,
            "split": image.split,
            "source_ref": image.source_ref,
            **columns,
        }

    def _advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._all)
