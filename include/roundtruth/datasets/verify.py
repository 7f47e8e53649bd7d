"""Verify a version, in S3 or pulled: every digest again, nothing that does not belong, trainers' rules."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.formats.yolo import decode_data_yaml
from roundtruth.datasets.image_rules import image_problem, labeled_sizes
from roundtruth.datasets.local_tree import CHECKED_IMAGES, local_path, read_checked_images, sha256_of
from roundtruth.datasets.stored_images import image_bytes_problem
from roundtruth.datasets.tables import SOURCE, TABLES
from roundtruth.datasets.version_index import TABLE_FILES, Row, object_of
from roundtruth.datasets.version_tables import (
    VersionTables,
    made_label_files,
    read_pulled_tables,
    read_rows,
    read_tables,
)
from roundtruth.datasets.version_writer import Progress
from roundtruth.datasets.versions import VersionRecord, read_version, resolve_version
from roundtruth.datasets.yolo_rules import (
    data_yaml_problems,
    is_image,
    is_label,
    label_problems,
    pairing_problems,
    size_problem,
)
from roundtruth.errors import DatasetError, RoundtruthError
from roundtruth.storage import ObjectUri, Storage, StoredObject

# Files of a version that stand in no index: they hold it, or come before it.
UNLISTED = frozenset({"version.json", "index.parquet", "claim.json", CHECKED_IMAGES})


_STRAY = "is not in the index: it does not belong to the version"
_THERE = "is not in the index as a file of this folder: the version has it from its tables or its source"


@dataclass(frozen=True, kw_only=True, order=True)
class FileProblem:
    """What is wrong with one file of a version."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found.

    ``unchecked`` images have the right size, and in S3 the right ETag, but their bytes were not compared:
    there is nothing to compare them with, or a quick look was asked for.
    """

    problems: tuple[FileProblem, ...]
    files: int
    unchecked: int = 0


@dataclass(frozen=True, kw_only=True)
class _Look:
    """One look at a file: what is wrong with it, and its bytes where it is a label file."""

    problem: str = ""
    unchecked: bool = False
    label: bytes | None = None


def verify_version(
    storage: Storage,
    root: ObjectUri,
    name: str,
    version: str,
    progress: Progress | None = None,
    *,
    quick: bool = False,
) -> Verification:
    """Verify a published version where it lies: files by SHA-256, images by the MD5 that their ETag is.

    All bytes are read, those of images in blocks: a packed version's are its sources.

    :param quick: compare sizes and ETags of images only, which tells a replaced image and reads none.
    :raises DatasetError: when there is no such version.
    """
    folder = DatasetFolder(root / "datasets" / name)
    record = resolve_version(storage, folder, version)
    found = folder.version(record.version)
    try:
        tables, damage = _tables(lambda: read_tables(storage, folder, record), "parts")
        rows = read_rows(storage, found, record, tables)
    except RoundtruthError as error:
        return _unusable(str(error))
    there = {
        str(stored.uri).removeprefix(f"{found.uri}/"): stored for stored in storage.list_objects(found.uri)
    }

    def look(row: Row) -> _Look:
        if not row["sha256"]:
            stored = storage.head(object_of(found, row)) if row["held"] == SOURCE else there.get(row["path"])
            return _look_at_image(storage, row, stored, quick=quick)
        return _look_at_bytes(row, storage.read(found.uri / row["path"]) if row["path"] in there else None)

    looks = storage.run_many(lambda row: (row, look(row)), [row for row in rows if row["held"] != TABLES])
    made = [(row, _look_at_bytes(row, file.data)) for row, file in made_label_files(rows, tables)]
    rows = [*(row for row in rows if row["held"] != TABLES), *(row for row, _ in made)]
    strays = set(there) - {row["path"] for row in rows if row["held"] not in {SOURCE, TABLES}}
    seen = [*_counted(looks, len(rows), progress), *made]
    return _verification(seen, rows, strays, tables, record, damage)


def verify_folder(folder: Path, progress: Progress | None = None) -> Verification:
    """Verify a tree on this machine: a pulled version by its index, any other YOLO tree by the rules alone.

    :raises DatasetError: when the folder is neither.
    """
    if (folder / "version.json").is_file():
        return _verify_pulled(folder, progress)
    if (folder / "index.parquet").is_file():
        raise DatasetError(f"{folder} is an unfinished pull; pull the version again to complete it.")
    if not (folder / "data.yaml").is_file():
        raise DatasetError(f"{folder} is no dataset: it has neither version.json nor data.yaml.")
    data_yaml = (folder / "data.yaml").read_bytes()
    names, _ = decode_data_yaml(data_yaml, file=str(folder / "data.yaml"))
    problems = [FileProblem(path="data.yaml", problem=text) for text in data_yaml_problems(data_yaml)]
    paths = _paths(folder)
    problems += _label_problems(
        {path: (folder / path).read_bytes() for path in paths if is_label(path)}, len(names)
    )
    images = sorted(path for path in paths if is_image(path))
    # Without images beside them, as `convert` leaves labels that were given none, there is nothing to pair.
    problems += [FileProblem(path=path, problem=text) for path, text in pairing_problems(paths) if images]
    looks = Storage().run_many(lambda path: (path, image_problem(folder / path)), images)
    problems += [FileProblem(path=path, problem=text) for path, text in looks if text]
    return Verification(problems=tuple(sorted(problems)), files=len(paths))


def _verify_pulled(folder: Path, progress: Progress | None) -> Verification:
    storage = Storage()
    uri = ObjectUri.parse(str(folder))
    version = VersionFolder(uri)
    record = read_version(storage, version)
    try:
        assert record is not None  # noqa: S101  # verify_folder looked
        tables, damage = _tables(lambda: read_pulled_tables(storage, version, record), TABLE_FILES[0])
        rows = read_rows(storage, version, record, tables)
        rows += [row for row, _ in made_label_files(rows, tables) if record.tables]
        places = {row["path"]: local_path(folder, row["path"]) for row in rows}
    except RoundtruthError as error:
        return _unusable(str(error))
    checked = read_checked_images(folder)
    sizes = labeled_sizes(tables.images) if tables is not None else {}

    def look(row: Row) -> _Look:
        place = places[row["path"]]
        if row["sha256"]:
            return _look_at_bytes(row, place.read_bytes() if place.is_file() else None)
        seen = _look_at_pulled_image(row, place, checked.get((row["path"], row["etag"])))
        if seen.problem or row["path"] not in sizes:
            return seen
        return replace(seen, problem=image_problem(place, sizes[row["path"]]))

    looks = storage.run_many(lambda row: (row, look(row)), rows)
    listed = {row["path"] for row in rows}
    damage = [] if TABLE_FILES[0] in listed else damage  # a tree's index says it of each table
    strays = _paths(folder) - listed - (set(TABLE_FILES) if record.tables else set())
    return _verification(_counted(looks, len(rows), progress), rows, strays, tables, record, damage)


def _tables(read: Callable[[], VersionTables], place: str) -> tuple[VersionTables | None, list[FileProblem]]:
    """The tables, or what is wrong with them."""
    try:
        return read(), []
    except RoundtruthError as error:
        return None, [FileProblem(path=place, problem=str(error))]


def _verification(
    looks: Iterable[tuple[Row, _Look]],
    rows: list[Row],
    strays: set[str],
    tables: VersionTables | None,
    record: VersionRecord,
    damage: Iterable[FileProblem],
) -> Verification:
    problems = list(damage)
    labels: dict[str, bytes] = {}
    unchecked = 0
    for row, seen in looks:
        if seen.problem:
            problems.append(FileProblem(path=row["path"], problem=seen.problem))
        elif seen.label is not None:
            labels[row["path"]] = seen.label
        unchecked += seen.unchecked
    listed = {row["path"] for row in rows}
    problems += [
        FileProblem(path=path, problem=_THERE if path in listed else _STRAY)
        for path in strays - UNLISTED
        if not _is_cache(path)
    ]
    problems += [
        FileProblem(path=path, problem=text) for path, text in pairing_problems(row["path"] for row in rows)
    ]
    problems += _label_problems(labels, len(record.classes))
    problems += _size_problems(tables.images) if tables is not None else []
    return Verification(problems=tuple(sorted(problems)), files=len(rows), unchecked=unchecked)


def _look_at_bytes(row: Row, data: bytes | None) -> _Look:
    if data is None:
        return _Look(problem="is missing")
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        return _Look(problem=f"is not what was published: {len(data)} bytes, {row['size']} in the index")
    return _Look(label=data if is_label(row["path"]) else None)


def _look_at_image(storage: Storage, row: Row, stored: StoredObject | None, *, quick: bool) -> _Look:
    if stored is None:
        return _Look(problem="is missing")
    if (stored.size, stored.etag) != (row["size"], row["etag"]):
        return _Look(problem=f"is another image than was published ({stored.uri})")
    if quick:
        return _Look(unchecked=True)
    problem, unchecked = image_bytes_problem(storage, stored)
    return _Look(problem=problem, unchecked=unchecked)


def _look_at_pulled_image(row: Row, place: Path, sha256: str | None) -> _Look:
    if not place.is_file():
        return _Look(problem="is missing")
    right = place.stat().st_size == row["size"]
    if right and sha256 is not None:
        right = sha256_of(place) == sha256
    elif right:
        # Copied by other means than our pull. The ETag is the image's MD5 unless it was uploaded in parts or
        # encrypted with KMS, so a difference proves nothing.
        return _Look(
            unchecked=hashlib.md5(place.read_bytes(), usedforsecurity=False).hexdigest() != row["etag"]
        )
    return _Look(problem="" if right else "is another image than was published")


def _label_problems(labels: dict[str, bytes], classes: int) -> list[FileProblem]:
    return [
        FileProblem(path=path, problem=problem)
        for path, data in labels.items()
        for problem in label_problems(data, classes)
    ]


def _size_problems(images: pd.DataFrame) -> list[FileProblem]:
    return [
        FileProblem(path=path, problem=problem)
        for path, size in labeled_sizes(images).items()
        if (problem := size_problem(size.width, size.height))
    ]


def _counted(
    looks: Iterable[tuple[Row, _Look]], total: int, progress: Progress | None
) -> Iterator[tuple[Row, _Look]]:
    for done, look in enumerate(looks, start=1):
        if progress is not None:
            progress(done, total)
        yield look


def _paths(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _is_cache(path: str) -> bool:
    """Ultralytics leaves one a split beside the labels when it trains."""
    return path.startswith("labels/") and path.count("/") == 1 and path.endswith(".cache")


def _unusable(reason: str) -> Verification:
    return Verification(problems=(FileProblem(path="index.parquet", problem=reason),), files=0)
