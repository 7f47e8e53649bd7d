"""Which images lie where a project's new images arrive, and which of those belong to a round's partition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from croniter import croniter

from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage, StoredObject

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")  # what Ground Truth takes (input-data-limits.md)
MAX_BYTES = 40 * 1024 * 1024  # image file size limit (input-data-limits.md)


@dataclass(frozen=True, kw_only=True)
class Window:
    """The time in which a round's images arrived: after ``start``, up to and with ``end``."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether an image that arrived then belongs to the round."""
        return self.start < moment <= self.end


def each_arrival(storage: Storage, project: Project, round_key: str) -> Iterator[tuple[StoredObject, str]]:
    """The images one by one as they are listed, each with the reason why it cannot be labeled, or nothing.

    A million of them held at once would take half a gigabyte.

    :raises StorageError: when the bucket is missing or not readable.
    """
    window = partition_window(project, round_key)
    for stored in storage.list_objects(arrivals_folder(project, round_key)):
        if not stored.uri.key.lower().endswith(IMAGE_SUFFIXES):
            continue
        if window is None or window.holds(stored.last_modified):
            yield stored, _unusable_reason(stored)


def arrivals_folder(project: Project, round_key: str) -> ObjectUri:
    """Where the images of a round arrive; its own folder with ``partition: prefix``."""
    if project.images.partition == "prefix":
        return project.images_uri / f"{round_key}/"  # 2026-11-16/ is not the beginning of 2026-11-16-extra/
    return project.images_uri


def partition_window(project: Project, round_key: str) -> Window | None:
    """The window of a round with ``partition: last-modified``: previous tick of the schedule up to this one.

    A round whose key is no date was triggered by hand: it takes whatever has arrived, hence no window.

    :raises RoundError: when the schedule has no tick on the key's day.
    """
    if project.images.partition != "last-modified" or project.schedule is None:
        return None
    try:
        day = datetime.strptime(round_key, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    end = croniter(project.schedule, day - timedelta(seconds=1)).get_next(datetime)
    if end.date() != day.date():
        raise RoundError(
            f"Round {round_key!r} of project {project.project!r}: the schedule {project.schedule!r} "
            f"has no tick on that day; the next one is {end:%Y-%m-%d}."
        )
    return Window(start=croniter(project.schedule, end).get_prev(datetime), end=end)


def _unusable_reason(stored: StoredObject) -> str:
    if stored.size == 0:
        return "is empty (0 bytes)"
    if stored.size > MAX_BYTES:
        return f"has {stored.size} bytes, Ground Truth takes at most {MAX_BYTES}"
    key = stored.uri.key
    if key.isprintable() and "/." not in key and not key.startswith("."):
        return ""
    if any(part in {".", ".."} for part in key.split("/")):
        return "has a key with a `.` or `..` part; upload it under another key"
    if any(ord(character) < 32 for character in key):
        return "has a key with a control character; upload it under another key"
    return ""
