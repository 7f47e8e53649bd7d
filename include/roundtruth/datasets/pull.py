"""Bring a version to a training machine: one tree from either layout, all digests checked, resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roundtruth.annotations import from_parquet
from roundtruth.datasets.candidate import images_with_boxes
from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.local_tree import (
    CHECKED_IMAGES,
    local_path,
    read_checked_images,
    sha256_of,
    write_whole,
)
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS, INDEX, SOURCE, TABLES
from roundtruth.datasets.tree import TreeFile, TreeMaker
from roundtruth.datasets.version_writer import Progress
from roundtruth.datasets.versions import VersionRecord, encode_version, resolve_version
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage

Row = Mapping[str, Any]  # of INDEX


@dataclass(frozen=True, kw_only=True)
class PulledVersion:
    """A version on this machine; ``kept`` files were there already, whole."""

    target: Path
    record: VersionRecord
    files: int
    kept: int


def pull_version(
    storage: Storage,
    root: ObjectUri,
    name: str,
    version: str,
    target: Path,
    progress: Progress | None = None,
) -> PulledVersion:
    """Make the tree of a version in a folder, which may hold an earlier or unfinished pull.

    Files that are there with the right digest are kept, files of another version are taken away, and
    version.json is written last: a folder that has it is complete.

    :param root: the project's root; the dataset lies in ``<root>/datasets/<name>``.
    :param version: such as v0003, or latest.
    :raises DatasetError: when there is no such version, the folder holds something else, a path of the index
        leads out of it, or what is read does not have the digest that the index says.
    """
    folder = DatasetFolder(root / "datasets" / name)
    record = resolve_version(storage, folder, version)
    puller = _Puller(storage, folder.version(record.version), record, target, progress)
    rows = read_index(storage, folder.version(record.version), record)
    places = {row["path"]: local_path(target, row["path"]) for row in rows}
    puller.prepare(places)
    puller.fetch([row for row in rows if row["held"] != TABLES], places)
    puller.make([row for row in rows if row["held"] == TABLES], places)
    write_whole(target / "version.json", encode_version(record))
    return PulledVersion(target=target, record=record, files=len(rows), kept=puller.kept)


def read_index(storage: Storage, version: VersionFolder, record: VersionRecord) -> list[Row]:
    """The rows of a version's index.

    :raises DatasetError: when it is not the one that version.json names.
    """
    data = storage.read(version.index)
    if hashlib.sha256(data).hexdigest() != record.index_sha256:
        raise DatasetError(f"{version.index} is not the index that version.json names; it was changed.")
    frame = from_parquet(data, INDEX, name=str(version.index)).astype(object)
    return [
        dict(zip(INDEX.names, values, strict=True))
        for values in frame.where(frame.notna(), None).itertuples(index=False, name=None)
    ]


def made_files(images: bytes, labels: bytes, record: VersionRecord) -> Iterator[TreeFile]:
    """The files of a packed version that are made from its tables, given as Parquet."""
    maker = TreeMaker(record.classes, record.formats)
    tables = (
        from_parquet(images, DATASET_IMAGES, name="images.parquet"),
        from_parquet(labels, DATASET_LABELS, name="labels.parquet"),
    )
    for image, boxes in images_with_boxes(*tables):
        yield from maker.image_files(image, boxes)
    yield from maker.split_files()


def object_of(version: VersionFolder, row: Row) -> ObjectUri:
    """Where the bytes of a row lie that is not made from the tables."""
    return ObjectUri.parse(row["source_ref"]) if row["held"] == SOURCE else version.uri / row["path"]


class _Puller:
    def __init__(
        self,
        storage: Storage,
        version: VersionFolder,
        record: VersionRecord,
        target: Path,
        progress: Progress | None,
    ) -> None:
        self.kept = 0
        self._storage = storage
        self._version = version
        self._record = record
        self._target = target
        self._progress = progress
        self._done = 0

    def prepare(self, places: Mapping[str, Path]) -> None:
        """Take away what another version left in the folder, then leave this version's index there."""
        self._target.mkdir(parents=True, exist_ok=True)
        index = self._target / "index.parquet"
        if not index.is_file() and any(self._target.iterdir()):
            raise DatasetError(f"{self._target} is not empty and holds no pulled version; name a new folder.")
        data = self._storage.read(self._version.index)
        (self._target / "version.json").unlink(missing_ok=True)
        if index.is_file() and index.read_bytes() != data:
            old = from_parquet(index.read_bytes(), INDEX, name=str(index))
            for path in sorted(set(old["path"]) - set(places)):
                local_path(self._target, path).unlink(missing_ok=True)
        write_whole(index, data)

    def fetch(self, rows: Iterable[Row], places: Mapping[str, Path]) -> None:
        """Read files that lie in S3, many at once."""
        checked = read_checked_images(self._target)
        log = self._target / CHECKED_IMAGES
        log.parent.mkdir(exist_ok=True)

        def fetch_one(row: Row) -> tuple[Row, str, bool]:
            place = places[row["path"]]
            expected = row["sha256"] or checked.get((row["path"], row["etag"]))
            if expected and _is_there(place, row["size"], expected):
                return row, expected, True
            data = self._read(row)
            write_whole(place, data)
            return row, hashlib.sha256(data).hexdigest(), False

        with log.open("a", encoding="utf-8", newline="\n") as lines:
            for row, sha256, was_there in self._storage.run_many(fetch_one, rows):
                if not row["sha256"] and (row["path"], row["etag"]) not in checked:
                    lines.write(f"{sha256}\t{row['etag']}\t{row['path']}\n")
                self._advance(kept=was_there)

    def make(self, rows: Iterable[Row], places: Mapping[str, Path]) -> None:
        """Make the files that lie nowhere."""
        expected = {row["path"]: row for row in rows}
        if not expected:
            return
        images, labels = ((self._target / name).read_bytes() for name in ("images.parquet", "labels.parquet"))
        for file in made_files(images, labels, self._record):
            row = expected.pop(file.path, None)
            if row is None or row["sha256"] != hashlib.sha256(file.data).hexdigest():
                raise DatasetError(
                    f"{file.path} of {self._version.name} comes out otherwise than its index says; it "
                    f"was made by roundtruth {self._record.roundtruth}: pull it with that version."
                )
            was_there = _is_there(places[file.path], row["size"], row["sha256"])
            if not was_there:
                write_whole(places[file.path], file.data)
            self._advance(kept=was_there)
        if expected:
            raise DatasetError(f"{min(expected)} of {self._version.name} cannot be made from its tables.")

    def _read(self, row: Row) -> bytes:
        uri = object_of(self._version, row)
        content = self._storage.read_if_there(uri)
        if content is None:
            raise DatasetError(f"{uri} of {self._record.dataset} {self._version.name} is gone.")
        if row["sha256"]:
            right = hashlib.sha256(content.data).hexdigest() == row["sha256"]
        else:
            right = content.etag == row["etag"] and len(content.data) == row["size"]
        if not right:
            raise DatasetError(
                f"{uri} was changed: {self._record.dataset} {self._version.name} holds another."
            )
        return content.data

    def _advance(self, *, kept: bool) -> None:
        self.kept += kept
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._record.files)


def _is_there(place: Path, size: int, sha256: str) -> bool:
    return place.is_file() and place.stat().st_size == size and sha256_of(place) == sha256
