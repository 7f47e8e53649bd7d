"""A dataset's versions as a time line, newest first, with who moved `latest`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.latest import LatestPointer, PointerMove, read_latest
from roundtruth.datasets.versions import VersionRecord
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.paging import page_span
from roundtruth.overviews.published_versions import Published, read_published, version_names

VERSIONS_A_PAGE = 20
MOVES_SHOWN = 20

State = Literal["current", "withdrawn", ""]


@dataclass(frozen=True, kw_only=True)
class TimeLineEntry:
    """A version, and what it has more than its parent; None where the parent cannot be read."""

    published: Published
    state: State
    images_more: int | None
    boxes_more: int | None
    new_rounds: tuple[str, ...]  # whose labels the parent did not have

    @property
    def record(self) -> VersionRecord:
        """Its version.json."""
        return self.published.record


@dataclass(frozen=True, kw_only=True)
class DatasetOverview:
    """One page of a time line; ``names`` are all versions, newest first."""

    name: str
    current: Published | None
    names: tuple[str, ...]
    entries: tuple[TimeLineEntry, ...]
    page: int  # from 1
    pages: int
    moves: tuple[PointerMove, ...]  # by people, newest first, at most MOVES_SHOWN
    moves_in_all: int
    most_images: int  # of the entries, for bars to one scale


def read_dataset_page(cache: EtagCache, dataset: DatasetFolder, page: int = 1) -> DatasetOverview:
    """Read a page of the time line; a page too far is the last one.

    Costs a listing of the versions' folders and two requests for each version that was never shown.

    :raises DatasetError: when a version's record cannot be read.
    """
    names = version_names(cache, dataset)
    pointer = read_latest(cache.storage, dataset)
    span = page_span(page, size=VERSIONS_A_PAGE, total=len(names))
    shown = names[span.part]
    current = pointer.version if pointer else None
    wanted = dict.fromkeys([*shown, *([current] if current else [])])
    found = _read_all(cache, dataset, list(wanted))
    parents = [one.record.parent for one in found.values() if one.record.parent]
    found |= _read_all(cache, dataset, [name for name in dict.fromkeys(parents) if name not in found])
    entries = tuple(_entry(found[name], found, pointer) for name in shown if name in found)
    moves = pointer.history if pointer else ()
    return DatasetOverview(
        name=dataset.name,
        current=found.get(current) if current else None,
        names=names,
        entries=entries,
        page=span.page,
        pages=span.pages,
        moves=tuple(reversed(moves))[:MOVES_SHOWN],
        moves_in_all=len(moves),
        most_images=max((one.record.images for one in entries), default=0),
    )


def state_of(version: str, pointer: LatestPointer | None) -> State:
    """Whether `latest` points to a version, or people took it back."""
    if pointer is None:
        return ""
    if version == pointer.version:
        return "current"
    return "withdrawn" if version in pointer.withdrawn else ""


def _read_all(cache: EtagCache, dataset: DatasetFolder, names: list[str]) -> dict[str, Published]:
    found = cache.storage.run_many(lambda name: read_published(cache, dataset, name), names)
    return {name: one for name, one in zip(names, found, strict=True) if one is not None}


def _entry(published: Published, found: dict[str, Published], pointer: LatestPointer | None) -> TimeLineEntry:
    record = published.record
    parent = found[record.parent].record if record.parent in found else None
    known = record.parent is None or parent is not None
    return TimeLineEntry(
        published=published,
        state=state_of(record.version, pointer),
        images_more=record.images - (parent.images if parent else 0) if known else None,
        boxes_more=record.boxes - (parent.boxes if parent else 0) if known else None,
        new_rounds=tuple(key for key in record.rounds if parent is None or key not in parent.rounds),
    )
