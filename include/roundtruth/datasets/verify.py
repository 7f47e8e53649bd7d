"""Verify a version, in S3 or pulled: every digest again, nothing that does not belong, trainers' rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from roundtruth.annotations import from_parquet
from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.formats.yolo import decode_data_yaml
from roundtruth.datasets.local_tree import CHECKED_IMAGES, local_path, read_checked_images, sha256_of
from roundtruth.datasets.pull import Row, made_files, object_of, read_index
from roundtruth.datasets.tables import DATASET_IMAGES, SOURCE, TABLES
from roundtruth.datasets.version_writer import Progress
from roundtruth.datasets.versions import VersionRecord, read_version, resolve_version
from roundtruth.datasets.yolo_rules import label_problems, pairing_problems, size_problem
from roundtruth.errors import DatasetError, RoundtruthError
from roundtruth.storage import ObjectUri, Storage

# Files of a version that stand in no index: they hold it, or come before it.
UNLISTED = frozenset({"version.json", "index.parquet", "claim.json", CHECKED_IMAGES})
_MD5 = re.compile(r"[0-9a-f]{32}")


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
    except RoundtruthError as error:
        return Verification(problems=(FileProblem(path="index.parquet", problem=str(error)),), files=0)
    check = _StoredCheck(storage, found, record, rows)
    return _verify(rows, check.problems(rows, progress), check.strays(rows), check.labels)


def verify_folder(folder: Path, progress: Progress | None = None) -> Verification:
    """Verify a tree on this machine: a pulled version by its index, any other YOLO tree by the rules alone.

    :raises DatasetError: when the folder is neither.
    """
    check = _LocalCheck(folder)
    if (folder / "version.json").is_file():
        return check.pulled(progress)
    if (folder / "index.parquet").is_file():
        raise DatasetError(f"{folder} is an unfinished pull; pull the version again to complete it.")
    return check.plain()
