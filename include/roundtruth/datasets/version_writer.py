"""Writes the files of one version into its folder, never over one that is there, and keeps their index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from roundtruth.annotations import table, to_parquet
from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.folder import VersionFolder
from roundtruth.datasets.tables import HERE, INDEX
from roundtruth.datasets.tree import TreeFile, TreeImage
from roundtruth.datasets.version_index import file_row
from roundtruth.errors import DatasetError
from roundtruth.storage import GROUP, ObjectUri, Storage, StoredObject
from roundtruth.stored_objects import ConditionalCopy

# Called with the number of files of single images that are done, and the number of all.
Progress = Callable[[int, int], None]


class VersionWriter:
    """Writes in parallel; the rows of the index are in ``rows``, sorted by path.

    What is in the folder belongs to the same candidate (see claim.json): an earlier call left it, or another
    publisher writes it at this moment. So an object with the right size and MD5 is taken as written.
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
        of_an_image = len({"yolo", "voc"} & set(candidate.formats)) + 1 if candidate.layout == "tree" else 0
        self._all = of_an_image * len(candidate.images)

    @property
    def rows(self) -> list[dict[str, object]]:
        """The rows of INDEX so far."""
        return [self._rows[path] for path in sorted(self._rows)]

    def write(self, files: Iterable[TreeFile]) -> None:
        """Write files into the version's folder that come out the same whoever makes them.

        :raises DatasetError: when a file of that name is there and differs.
        """
        for file in self._storage.run_many(self._put, files):
            self._note(file)

    def write_first(self, file: TreeFile) -> None:
        """Write a file unless there is one, which then is taken: what it shows may be gone by now."""
        there = not self._storage.write_if_absent(self._version.uri / file.path, file.data)
        data = self._storage.read(self._version.uri / file.path) if there else file.data
        self._note(replace(file, data=data))

    def write_index(self) -> bytes:
        """Write the index of all files so far, as the last of them; returns its bytes.

        :raises DatasetError: when another one is there.
        """
        index = to_parquet(table(self.rows, INDEX), INDEX)
        self._put(TreeFile(path=self._version.index.name, data=index))
        return index

    def copy_images(self, parent: dict[tuple[str, str], str], parent_uri: ObjectUri) -> None:
        """Copy all images on the server's side: from the parent version where it has them, or their source.

        :param parent: (source_ref, etag) -> path in the parent version, of the images that it holds.
        :raises DatasetError: when an image is not the one that people labeled any more.
        """
        images = self._images()
        plain: list[tuple[ObjectUri, ObjectUri]] = []
        new: list[ConditionalCopy] = []
        for (image, etag, size), target in images:
            stored = self._there.get(str(target))
            path = parent.get((image.source_ref, etag))
            if stored is not None and stored.size == size:
                self._advance()
            elif path:  # nothing of a published version changes
                plain.append((parent_uri / path, target))
            elif etag:  # people may replace what they uploaded at any moment
                new.append(ConditionalCopy(ObjectUri.parse(image.source_ref), target, etag))
            else:  # a file, which has none
                plain.append((ObjectUri.parse(image.source_ref), target))
        for _ in self._storage.run_many(lambda pair: self._storage.copy(*pair), plain, group=GROUP):
            self._advance()
        replaced = []
        for copy, made in zip(new, self._storage.copy_many_if_unchanged(new), strict=True):
            if not made:
                replaced.append(str(copy.source))
            self._advance()
        if replaced:
            raise DatasetError(
                f"{len(replaced)} images were replaced or deleted since they were labeled, such as "
                f"{replaced[0]}; assemble the dataset again: they wait until a round has labeled them."
            )
        self._note_copies(images)

    def _images(self) -> list[tuple[tuple[TreeImage, str, int], ObjectUri]]:
        frame = self._candidate.images
        known = zip(self._candidate.images_with_boxes(), frame["etag"], frame["bytes"].tolist(), strict=True)
        return [((image, etag, size), self._version.uri / image.path) for (image, _), etag, size in known]

    def _put(self, file: TreeFile) -> TreeFile:
        uri = self._version.uri / file.path
        stored = self._there.get(str(uri))
        # The ETag of a small object is its MD5, except under SSE-KMS: there it is read to be compared.
        if stored is not None and stored.etag == hashlib.md5(file.data, usedforsecurity=False).hexdigest():
            return file
        if not self._storage.write_if_absent(uri, file.data) and self._storage.read(uri) != file.data:
            raise DatasetError(
                f"{uri} is there already and differs from what {self._candidate.dataset!r} "
                f"{self._version.name} holds; nobody but a publisher of roundtruth may write there. Move the "
                "unfinished folder away and run again."
            )
        return file

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
            self._rows[image.path] = {
                "path": image.path,
                "held": HERE,
                "size": size,
                "etag": copied.etag,
                "split": image.split,
                "source_ref": image.source_ref,
                "source_etag": etag,
            }

    def _note(self, file: TreeFile) -> None:
        self._rows[file.path] = file_row(file, HERE)
        if file.source_ref:
            self._advance()

    def _advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._all)
