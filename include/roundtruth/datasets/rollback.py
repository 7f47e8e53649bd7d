"""Move `latest` back to an earlier version: a logged act of a person, never a deletion."""

from __future__ import annotations

from dataclasses import dataclass

from roundtruth.datasets.folder import DatasetFolder, version_number
from roundtruth.datasets.latest import latest_version, set_latest
from roundtruth.datasets.versions import VersionRecord, list_versions, resolve_version
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """Where `latest` pointed and where it points now; the same where there was nothing to move."""

    old: str
    record: VersionRecord


def roll_back(
    storage: Storage,
    root: ObjectUri,
    name: str,
    version: str | None,
    *,
    at: str,
    by: str,
    reason: str,
    seen: str | None = None,
) -> Rollback:
    """Point `latest` to a version; a newer one than it points to is taken back into use.

    :param version: such as v0002; None is the published version before the one that `latest` means.
    :param at: the time, ISO 8601; ``by`` who, and ``reason`` why: they stand in latest.json.
    :param seen: what `latest` means, as the person has seen; None takes it as it is.
    :raises LatestMovedError: when it means another version than was seen.
    :raises DatasetError: when there is no such version, or none before.
    """
    folder = DatasetFolder(root / "datasets" / name)
    if version is None:
        current = latest_version(storage, folder)
        limit = version_number(current) if current else 0
        versions = [one.version for one in list_versions(storage, folder)]
        before = [one for one in versions if version_number(one) < limit]
        if not before:
            raise DatasetError(f"Dataset {name!r} has no version before {current or 'the first'}.")
        version = before[-1]
    record = resolve_version(storage, folder, version)
    old = set_latest(storage, folder, record.version, at=at, by=by, reason=reason, seen=seen)
    return Rollback(old=old, record=record)
