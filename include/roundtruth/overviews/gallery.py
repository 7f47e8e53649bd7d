"""Which images of a round a page shows, in which order: the lowest agreement first, filtered, in pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from roundtruth.arrow_columns import Ints, codes, places_in
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.failing_images import failing_images
from roundtruth.overviews.paging import page_span
from roundtruth.overviews.round_files import RoundFiles, read_table, result_table
from roundtruth.overviews.round_images import RoundImages
from roundtruth.overviews.shown_names import ShownNames

Order = Literal["lowest", "highest", "plan"]
ORDERS: tuple[Order, ...] = ("lowest", "highest", "plan")
PAGE = 48  # images a page: whole rows of two, three, four, six and eight
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class GalleryQuery:
    """What a reader asks for; an empty text asks for nothing in particular.

    ``category``: anyone drew it, or the consensus has it. ``worker``: a pseudonym. ``check``: a check of the
    quality gate that the image failed.
    """

    status: str = ""
    category: str = ""
    worker: str = ""
    check: str = ""
    order: Order = "lowest"

    @property
    def filters(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.status or self.category or self.worker or self.check)


@dataclass(frozen=True, kw_only=True, eq=False)
class GalleryPage:
    """One page of numbers of images, 1-based; ``found`` counts those of all pages."""

    numbers: tuple[int, ...]
    page: int
    pages: int
    found: int


def gallery_order(
    cache: EtagCache, files: RoundFiles, images: RoundImages, query: GalleryQuery, names: ShownNames
) -> Ints:
    """The numbers of all images that a query finds, in its order; images without agreement come last."""
    wanted = np.ones(len(images), bool)
    if query.status:
        wanted &= images.status == query.status
    if query.check:
        wanted &= _members(images, failing_images(cache, files, query.check))
    if query.category or query.worker:
        wanted &= _drawn_on(cache, files, images, query, names)
    numbers = np.flatnonzero(wanted)
    if query.order == "plan":
        return numbers
    agreement = images.agreement[numbers]
    key = np.where(np.isnan(agreement), np.inf, agreement if query.order == "lowest" else -agreement)
    return numbers[np.argsort(key, kind="stable")]


def gallery_page(order: Ints, page: int, *, size: int = PAGE) -> GalleryPage:
    """A page of an order; a number that is too large or too small gives the last or the first page."""
    span = page_span(page, size=size, total=len(order))
    numbers = tuple(order[span.part].tolist())
    return GalleryPage(numbers=numbers, page=span.page, pages=span.pages, found=len(order))


def neighbours(order: Ints, number: int) -> tuple[int | None, int | None, int | None]:
    """The image before and the one after another in an order, and its own 1-based place; None without."""
    found = np.flatnonzero(order == number)
    if not len(found):
        return None, None, None
    place = int(found[0])
    before = int(order[place - 1]) if place else None
    after = int(order[place + 1]) if place + 1 < len(order) else None
    return before, after, place + 1


def look_first(files: RoundFiles, images: RoundImages, most: int) -> list[int]:
    """The numbers of the images that people will look at first: failing, disputed, then lowest agreement."""
    urgent = images.status == "disputed"
    for check in files.verdict.failed if files.verdict else ():
        if check.severity != "info":
            urgent |= _members(images, check.images)
    agreement = np.where(np.isnan(images.agreement), np.inf, images.agreement)
    readable = np.array([not reason for reason in images.planned["unreadable"].to_pylist()], bool)
    order = np.lexsort((np.arange(len(images)), agreement, ~urgent))
    chosen: list[int] = order[readable[order]][:most].tolist()
    return chosen


def _members(images: RoundImages, source_refs: Sequence[str]) -> Bools:
    found = np.zeros(len(images), bool)
    found[[number for number in images.numbers_of(list(source_refs)) if number is not None]] = True
    return found


def _drawn_on(
    cache: EtagCache, files: RoundFiles, images: RoundImages, query: GalleryQuery, names: ShownNames
) -> Bools:
    """Images on which this worker answered, drew this category, or where the consensus has it."""
    found = np.zeros(len(images), bool)
    for job in files.jobs:
        table = read_table(cache, files.folder.job(job.name).answers, ("source_ref", "worker", "category"))
        if table is not None:
            rows = np.ones(len(table), bool)
            if query.worker:
                workers, ids = codes(table["worker"])
                shown = names.workers(ids)
                rows &= _is_one_of(workers, [shown[one] == query.worker for one in ids])
            if query.category:
                rows &= _has_category(table, query.category, names)
            _mark(found, images, table, rows)
    if query.category and not query.worker:
        columns = ("source_ref", "category")
        for table in (
            result_table(cache, files, files.folder.labels.name, columns),
            read_table(cache, files.folder.stage("merged-labels.parquet"), columns),
        ):
            if table is not None:
                _mark(found, images, table, _has_category(table, query.category, names))
    return found


def _has_category(table: object, category: str, names: ShownNames) -> Bools:
    numbers, written = codes(table["category"])  # type: ignore[index]
    return _is_one_of(numbers, [names.category(name) == category for name in written])


def _is_one_of(numbers: Ints, wanted: Collection[bool]) -> Bools:
    # Behind the last name stands False, for nulls.
    result: Bools = np.array([*wanted, False], bool)[numbers]
    return result


def _mark(found: Bools, images: RoundImages, table: object, rows: Bools) -> None:
    places = places_in(table["source_ref"], images.planned["source_ref"])[rows]  # type: ignore[index]
    found[places[places >= 0]] = True
