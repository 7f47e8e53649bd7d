"""Published versions: their records, and which is the newest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from roundtruth.datasets.folder import DatasetFolder, VersionFolder, version_name, version_number
from roundtruth.datasets.latest import latest_version
from roundtruth.datasets.parts import Part
from roundtruth.errors import DatasetError
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json

LATEST = "latest"


class SplitCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What one split holds; negatives are images without a box."""

    images: int
    negatives: int
    boxes: int
    boxes_by_class: tuple[int, ...]  # by class id


class VersionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """version.json: what the version holds and what it was made from."""

    dataset: str
    version: str
    parent: str | None
    project: str
    rounds: tuple[str, ...]
    roundtruth: str  # version of the code that made it
    layout: str
    formats: tuple[str, ...]
    classes: tuple[str, ...]  # by id
    images: int
    boxes: int
    negatives: int
    partial: int  # images on which some class is unknown
    splits: dict[str, SplitCounts]
    left_out: dict[str, int]  # reason -> images that wait outside
    repairs: dict[str, int]  # what was done to boxes -> how many
    spec_digest: str
    index_sha256: str
    files: int  # of the tree
    bytes: int  # of images and of all files that the version's folder holds
    torn_groups: int = 0  # groups in several splits: their images were apart before group_by was set
    # What follows is missing in versions from before tables had parts: they hold each table as a whole file.
    tables: dict[str, tuple[Part, ...]] = {}
    tree_format: int = 0  # see tree.TREE_FORMAT
    round_digests: dict[str, str] = {}  # round -> SHA-256 of its round.json
    settings_digest: str = ""  # of what the project file says about the dataset


def read_version(storage: Storage, folder: VersionFolder) -> VersionRecord | None:
    """The record of a version, or None where none is published.

    :raises DatasetError: when version.json cannot be read.
    """
    content = storage.read_if_there(folder.record)
    if content is None:
        return None
    try:
        return decode_json(content.data, VersionRecord)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{folder.record} is not a version record: {error}.") from error


def encode_version(record: VersionRecord) -> bytes:
    """version.json; the same record gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def content_header(version: Any) -> list[object]:
    """What decides what trainers get beside images and boxes, of a record or a candidate."""
    return [version.dataset, version.layout, version.formats, version.classes]


def list_versions(storage: Storage, folder: DatasetFolder) -> tuple[VersionRecord, ...]:
    """The published versions, oldest first; numbers that were claimed and never published are passed over."""
    return tuple(reversed(list(_newest_first(storage, folder))))


def newest_version(storage: Storage, folder: DatasetFolder) -> VersionRecord | None:
    """The published version with the highest number, or None."""
    return next(_newest_first(storage, folder), None)


def resolve_version(storage: Storage, folder: DatasetFolder, version: str = LATEST) -> VersionRecord:
    """The record of a version by name, or of the one that `latest` points to.

    :raises DatasetError: when it is not published.
    """
    name = latest_version(storage, folder) if version == LATEST else version
    record = read_version(storage, folder.version(name)) if name else None
    if record is None:
        published = ", ".join(one.version for one in list_versions(storage, folder)) or "none"
        raise DatasetError(f"Dataset {folder.name!r} has no version {version!r}; published: {published}.")
    return record


def _newest_first(storage: Storage, folder: DatasetFolder) -> Iterator[VersionRecord]:
    numbers = []
    for name in storage.list_folders(folder.versions):
        try:
            numbers.append(version_number(name))
        except DatasetError:
            continue  # somebody's own folder beside ours
    for number in sorted(numbers, reverse=True):
        record = read_version(storage, folder.version(version_name(number)))
        if record is not None:
            yield record
