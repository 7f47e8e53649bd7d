"""Bring a version to a training machine: one tree from either layout, all digests checked, resumable."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from roundtruth.annotations import from_parquet
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.local_tree import (
    CHECKED_IMAGES,
    local_path,
    local_paths,
    read_checked_images,
    sha256_of,
    write_new,
    write_whole,
)
from roundtruth.datasets.stored_images import is_image_as_read
from roundtruth.datasets.tables import DATASET_IMAGES, INDEX, TABLES
from roundtruth.datasets.tree import TREE_FORMAT, TreeFile, image_path
from roundtruth.datasets.version_index import Row, label_files, object_of, read_index, table_files
from roundtruth.datasets.version_tables import VersionTables, read_tables
from roundtruth.datasets.version_writer import Progress
from roundtruth.datasets.versions import VersionRecord, encode_version, resolve_version
from roundtruth.errors import DatasetError, MissingObjectError, RoundtruthError
from roundtruth.storage import GROUP, ObjectUri, Storage

# Where trees have files (tree.py). In a folder that holds a pull nothing else belongs there.
OWN_FOLDERS = frozenset({"images", "labels", "voc", "annotations", "manifest"})
OWN_FILES = frozenset({"annot.csv", "data.yaml", "images.parquet", "labels.parquet", "left_out.csv"})


@dataclass(frozen=True, kw_only=True)
class PulledVersion:
    """A version on this machine; ``kept`` files were there already, whole; ``foreign`` ones were deleted."""

    target: Path
    record: VersionRecord
    files: int
    kept: int
    foreign: int = 0


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
    dataset = DatasetFolder(root / "datasets" / name)
    tables = read_tables(storage, dataset, resolve_version(storage, dataset, version))
    rows = read_index(storage, tables.folder, tables.record, tables.images)
    places = local_paths(target, [row["path"] for row in rows])
    puller = _Puller(storage, tables, target, progress)
    puller.prepare(places)
    puller.fetch([row for row in rows if row["held"] != TABLES], places)
    made: set[str] = set()
    if tables.record.layout == "packed":
        made = puller.make({row["path"]: row for row in rows if row["held"] == TABLES})
    puller.foreign += _delete_foreign(target, made.union(places))
    write_whole(target / "version.json", encode_version(tables.record))
    return PulledVersion(
        target=target, record=tables.record, files=puller.done, kept=puller.kept, foreign=puller.foreign
    )


def _made_files(tables: VersionTables) -> Iterator[TreeFile]:
    """What a packed version does not hold as files."""
    if tables.record.tables:
        yield from table_files(tables.images, tables.labels, tables.left_out)
    yield from label_files(tables.images, tables.labels, tables.record)


class _Puller:
    def __init__(
        self, storage: Storage, tables: VersionTables, target: Path, progress: Progress | None
    ) -> None:
        self.kept = 0
        self.done = 0
        self.foreign = 0
        self._storage = storage
        self._version = tables.folder
        self._tables = tables
        self._record = tables.record
        self._target = target
        self._progress = progress

    def prepare(self, places: Mapping[str, str]) -> None:
        """Take away what another version left in the folder, then leave this version's index there."""
        if self._record.tree_format > TREE_FORMAT:
            raise DatasetError(
                f"{self._tables.name} was made by roundtruth {self._record.roundtruth}, whose label files "
                "this one does not know; pull it with that version or a newer one."
            )
        self._target.mkdir(parents=True, exist_ok=True)
        index = self._target / "index.parquet"
        begun = {f".{index.name}.partial"}  # by a pull that was killed at its first file
        if not index.is_file() and set(os.listdir(self._target)) - begun:  # noqa: PTH208  # names, not paths
            raise DatasetError(f"{self._target} is not empty and holds no pulled version; name a new folder.")
        data = self._storage.read(self._version.index)
        (self._target / "version.json").unlink(missing_ok=True)
        if index.is_file() and index.read_bytes() != data:
            old = from_parquet(index.read_bytes(), INDEX, name=str(index))
            paths = set(old["path"]) | _paths_of_images(self._target / "images.parquet")
            for path in sorted(paths - set(places)):
                place = local_path(self._target, path)
                self.foreign += place.is_file()
                place.unlink(missing_ok=True)
        write_whole(index, data)

    def fetch(self, rows: Sequence[Row], places: Mapping[str, str]) -> None:
        """Read files that lie in S3, many at once."""
        checked = read_checked_images(self._target)
        log = self._target / CHECKED_IMAGES
        log.parent.mkdir(exist_ok=True)
        # A folder that is new needs no look for each file, which would cost as much as writing one. What a
        # crash leaves of an image or its labels there is found by its digest: the next pull looks.
        is_new = set(os.listdir(self._target)) <= {log.parent.name, self._version.index.name}  # noqa: PTH208  # names, not paths

        def fetch_one(row: Row) -> tuple[Row, str, bool]:
            place = places[row["path"]]
            expected = row["sha256"] or checked.get((row["path"], row["etag"]))
            if expected and not is_new and _is_there(place, row["size"], expected):
                return row, expected, True
            data = self._read(row)
            (write_new if is_new and "/" in row["path"] else write_whole)(place, data)
            return row, row["sha256"] or hashlib.sha256(data).hexdigest(), False

        with log.open("a", encoding="utf-8", newline="\n") as lines:
            for row, sha256, was_there in self._storage.run_many(fetch_one, rows, group=GROUP):
                if not row["sha256"] and (row["path"], row["etag"]) not in checked:
                    lines.write(f"{sha256}\t{row['etag']}\t{row['path']}\n")
                self._advance(kept=was_there)

    def make(self, expected: dict[str, Row]) -> set[str]:
        """Make the files that lie nowhere.

        :param expected: the rows of those that the index names; it does in versions of old alone.
        :returns: their paths.
        """
        known = bool(expected)
        made = set()
        for file in _made_files(self._tables):
            made.add(file.path)
            row = expected.pop(file.path, None)
            sha256 = hashlib.sha256(file.data).hexdigest()
            if known and (row is None or row["sha256"] != sha256):
                raise DatasetError(
                    f"{file.path} of {self._version.name} comes out otherwise than its index says; it "
                    f"was made by roundtruth {self._record.roundtruth}: pull it with that version."
                )
            place = local_path(self._target, file.path)
            was_there = _is_there(place, len(file.data), sha256)
            if not was_there:
                write_whole(place, file.data)
            self._advance(kept=was_there)
        if expected:
            raise DatasetError(f"{min(expected)} of {self._version.name} cannot be made from its tables.")
        return made

    def _read(self, row: Row) -> bytes:
        uri = object_of(self._version, row)
        try:
            data, right = self._compared(uri, row)
        except MissingObjectError as error:
            raise DatasetError(f"{uri} of {self._record.dataset} {self._version.name} is gone.") from error
        if not right:
            raise DatasetError(
                f"{uri} was changed: {self._record.dataset} {self._version.name} holds another."
            )
        return data

    def _compared(self, uri: ObjectUri, row: Row) -> tuple[bytes, bool]:
        """A file, and whether its digest, or an image's ETag and size, are those of the version."""
        if row["sha256"]:
            data = self._storage.read(uri)
            return data, hashlib.sha256(data).hexdigest() == row["sha256"]
        content = self._storage.read_if_there(uri)
        if content is None:
            raise MissingObjectError(f"{uri} does not exist.")
        right = content.etag == row["etag"] and len(content.data) == row["size"]
        return content.data, right and is_image_as_read(self._storage, uri, content.etag, content.data)

    def _advance(self, *, kept: bool) -> None:
        self.kept += kept
        self.done += 1
        if self._progress is not None:
            self._progress(self.done, self._record.files)


def _delete_foreign(target: Path, paths: Set[str]) -> int:
    """Delete what is of no file of the version; the number of deleted files.

    An interrupted pull of a packed version leaves files that no index or table in the folder names: an image
    of it without its label file would be trained on as a negative. So do caches that trainers left beside
    labels that are others now.
    """
    deleted = 0
    for folder, _, files in os.walk(target):  # which does not go into linked folders
        inside = Path(folder).relative_to(target)
        if inside.parts[:1] and inside.parts[0] not in OWN_FOLDERS:
            continue
        start = f"{inside.as_posix()}/" if inside.parts else ""
        for file in files:
            ours = bool(start) or file in OWN_FILES or file.endswith(".partial")
            if ours and start + file not in paths:
                Path(folder, file).unlink()
                deleted += 1
    return deleted


def _paths_of_images(images: Path) -> set[str]:
    """Paths of images and label files that a pull of a packed version made; its index does not name them."""
    if not images.is_file():
        return set()
    try:
        frame = from_parquet(images.read_bytes(), DATASET_IMAGES, name=str(images))
    except RoundtruthError:  # damaged: what it would name is foreign, and deleted as such
        return set()
    paths = set()
    for split, file in zip(frame["split"], frame["file"], strict=True):
        stem = file.rpartition(".")[0]
        paths |= {image_path(split, file), f"labels/{split}/{stem}.txt", f"voc/{split}/{stem}.xml"}
    return paths


def _is_there(place: Path | str, size: int, sha256: str) -> bool:
    try:
        found = os.stat(place)  # noqa: PTH116  # a Path of each of many small files takes as long
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size and sha256_of(place) == sha256
