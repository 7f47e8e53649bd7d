"""Verify a version, in S3 or pulled: every digest again, nothing that does not belong, trainers' rules."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from roundtruth.annotations import from_parquet
from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.formats.yolo import decode_data_yaml
from roundtruth.datasets.local_tree import CHECKED_IMAGES, local_path, read_checked_images, sha256_of
from roundtruth.datasets.pull import Row, made_files, object_of, read_index
from roundtruth.datasets.tables import DATASET_IMAGES, SOURCE, TABLES
from roundtruth.datasets.tree import TreeFile
from roundtruth.datasets.version_writer import Progress
from roundtruth.datasets.versions import VersionRecord, read_version, resolve_version
from roundtruth.datasets.yolo_rules import label_problems, pairing_problems, size_problem
from roundtruth.errors import DatasetError, RoundtruthError
from roundtruth.storage import ObjectUri, Storage, StoredObject

# Files of a version that stand in no index: they hold it, or come before it.
UNLISTED = frozenset({"version.json", "index.parquet", "claim.json", CHECKED_IMAGES})


@dataclass(frozen=True, kw_only=True, order=True)
class FileProblem:
    """What is wrong with one file of a version."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found. ``unchecked`` images have the right size, but nothing to compare their bytes with."""

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
    storage: Storage, root: ObjectUri, name: str, version: str, progress: Progress | None = None
) -> Verification:
    """Verify a published version where it lies: files by SHA-256, images by size and ETag.

    :raises DatasetError: when there is no such version.
    """
    folder = DatasetFolder(root / "datasets" / name)
    record = resolve_version(storage, folder, version)
    found = folder.version(record.version)
    try:
        rows = read_index(storage, found, record)
        tables = _whole_tables(storage, found, rows)
    except RoundtruthError as error:
        return _unusable(str(error))
    there = {
        str(stored.uri).removeprefix(f"{found.uri}/"): stored for stored in storage.list_objects(found.uri)
    }

    def look(row: Row) -> _Look:
        if not row["sha256"]:
            stored = storage.head(object_of(found, row)) if row["held"] == SOURCE else there.get(row["path"])
            return _look_at_image(row, stored)
        return _look_at_bytes(row, storage.read(found.uri / row["path"]) if row["path"] in there else None)

    made = {row["path"]: row for row in rows if row["held"] == TABLES and tables is not None}
    looks = storage.run_many(lambda row: (row, look(row)), [row for row in rows if row["held"] != TABLES])
    remade = (
        (made[file.path], _look_at_bytes(made[file.path], file.data)) for file in _made(made, tables, record)
    )
    strays = set(there) - {row["path"] for row in rows}
    return _verification([*_counted(looks, len(rows), progress), *remade], rows, strays, tables, record)


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
    names, _ = decode_data_yaml((folder / "data.yaml").read_bytes(), file=str(folder / "data.yaml"))
    paths = _paths(folder)
    labels = {path: (folder / path).read_bytes() for path in paths if _is_label(path)}
    # Without images beside them, as `convert` leaves labels that were given none, there is nothing to pair.
    pairs = pairing_problems(paths) if any(path.startswith("images/") for path in paths) else ()
    problems = [FileProblem(path=path, problem=problem) for path, problem in pairs]
    problems += _label_problems(labels, len(names))
    return Verification(problems=tuple(sorted(problems)), files=len(paths))


def _verify_pulled(folder: Path, progress: Progress | None) -> Verification:
    storage = Storage()
    uri = ObjectUri.parse(str(folder))
    version = VersionFolder(uri)
    record = read_version(storage, version)
    try:
        assert record is not None  # noqa: S101  # verify_folder looked
        rows = read_index(storage, version, record)
        tables = _whole_tables(storage, version, rows)
        places = {row["path"]: local_path(folder, row["path"]) for row in rows}
    except RoundtruthError as error:
        return _unusable(str(error))
    checked = read_checked_images(folder)

    def look(row: Row) -> _Look:
        place = places[row["path"]]
        if row["sha256"]:
            return _look_at_bytes(row, place.read_bytes() if place.is_file() else None)
        return _look_at_pulled_image(row, place, checked.get((row["path"], row["etag"])))

    looks = storage.run_many(lambda row: (row, look(row)), rows)
    strays = _paths(folder) - {row["path"] for row in rows}
    return _verification(_counted(looks, len(rows), progress), rows, strays, tables, record)


def _verification(
    looks: Iterable[tuple[Row, _Look]],
    rows: list[Row],
    strays: set[str],
    tables: tuple[bytes, bytes] | None,
    record: VersionRecord,
) -> Verification:
    problems: list[FileProblem] = []
    labels: dict[str, bytes] = {}
    unchecked = 0
    for row, seen in looks:
        if seen.problem:
            problems.append(FileProblem(path=row["path"], problem=seen.problem))
        elif seen.label is not None:
            labels[row["path"]] = seen.label
        unchecked += seen.unchecked
    problems += [
        FileProblem(path=path, problem="is not in the index: it does not belong to the version")
        for path in strays - UNLISTED
    ]
    problems += [
        FileProblem(path=path, problem=text) for path, text in pairing_problems(row["path"] for row in rows)
    ]
    problems += _label_problems(labels, len(record.classes))
    problems += _size_problems(tables[0]) if tables is not None else []
    return Verification(problems=tuple(sorted(problems)), files=len(rows), unchecked=unchecked)


def _whole_tables(storage: Storage, version: VersionFolder, rows: list[Row]) -> tuple[bytes, bytes] | None:
    """images.parquet and labels.parquet, or None when one is damaged: that is named like any other file."""
    digests = {row["path"]: row["sha256"] for row in rows}
    found = [storage.read_if_there(uri) for uri in (version.images, version.labels)]
    data = [content.data for content in found if content is not None]
    sha256s = [hashlib.sha256(one).hexdigest() for one in data]
    if sha256s != [digests.get("images.parquet"), digests.get("labels.parquet")]:
        return None
    return data[0], data[1]


def _made(
    made: dict[str, Row], tables: tuple[bytes, bytes] | None, record: VersionRecord
) -> Iterator[TreeFile]:
    if made and tables is not None:
        yield from (file for file in made_files(*tables, record) if file.path in made)


def _look_at_bytes(row: Row, data: bytes | None) -> _Look:
    if data is None:
        return _Look(problem="is missing")
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        return _Look(problem=f"is not what was published: {len(data)} bytes, {row['size']} in the index")
    return _Look(label=data if _is_label(row["path"]) else None)


def _look_at_image(row: Row, stored: StoredObject | None) -> _Look:
    if stored is None:
        return _Look(problem="is missing")
    if (stored.size, stored.etag) != (row["size"], row["etag"]):
        return _Look(problem=f"is another image than was published ({stored.uri})")
    return _Look()


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


def _size_problems(images: bytes) -> list[FileProblem]:
    frame = from_parquet(images, DATASET_IMAGES, name="images.parquet")
    columns = (frame[name].tolist() for name in ("split", "file", "width", "height"))
    return [
        FileProblem(path=f"images/{split}/{file}", problem=problem)
        for split, file, width, height in zip(*columns, strict=True)
        if (problem := size_problem(width, height))
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


def _is_label(path: str) -> bool:
    return path.startswith("labels/") and path.endswith(".txt")


def _unusable(reason: str) -> Verification:
    return Verification(problems=(FileProblem(path="index.parquet", problem=reason),), files=0)
