"""Versions as pages read them: a version never changes, so its record and its rows are read once and kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from roundtruth.datasets.folder import DatasetFolder, version_number
from roundtruth.datasets.version_rows import VersionRows, read_rows
from roundtruth.datasets.versions import VersionRecord
from roundtruth.errors import DatasetError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.typed_json import decode_json


@dataclass(frozen=True, kw_only=True)
class Published:
    """A version's record and when it was written, by S3's clock."""

    record: VersionRecord
    at: datetime | None


def read_published(cache: EtagCache, dataset: DatasetFolder, version: str) -> Published | None:
    """A version by name, or None where none is published.

    :raises DatasetError: when the name is not one of a version, or its record cannot be read.
    """
    uri = dataset.version(version).record

    def decode(data: bytes) -> Published:
        try:
            record = decode_json(data, VersionRecord)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DatasetError(f"{uri} is not a version record: {error}.") from error
        stored = cache.storage.head(uri)
        return Published(record=record, at=stored.last_modified if stored else None)

    return cache.read(uri, decode, kind="record", immutable=True)


def require_published(cache: EtagCache, dataset: DatasetFolder, version: str) -> Published:
    """The same.

    :raises DatasetError: when it is not published.
    """
    found = read_published(cache, dataset, version)
    if found is None:
        raise DatasetError(f"Dataset {dataset.name!r} has no version {version!r}.")
    return found


def read_version_rows(cache: EtagCache, dataset: DatasetFolder, record: VersionRecord) -> VersionRows:
    """The images and boxes of a version.

    :raises DatasetError: when a table is gone, or is not what was published.
    """
    rows = cache.read(
        dataset.version(record.version).record,
        lambda _: read_rows(cache.storage, dataset, record),
        kind="rows",
        immutable=True,
        weigh=lambda rows, _: rows.size,
    )
    if rows is None:
        raise DatasetError(f"Dataset {dataset.name!r} has no version {record.version!r} any more.")
    return rows


def version_names(cache: EtagCache, dataset: DatasetFolder) -> tuple[str, ...]:
    """All numbers ever claimed, newest first; one or the other may never have been published."""
    numbered = []
    for name in cache.storage.list_folders(dataset.versions):
        try:
            numbered.append((version_number(name), name))
        except DatasetError:
            continue  # somebody's own folder beside ours
    return tuple(name for _, name in sorted(numbered, reverse=True))
