"""What changed between any two versions, and the changed images with their boxes before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roundtruth.datasets.boxes import PixelBox, upright_box, upright_size
from roundtruth.datasets.diff import BoxChange, Place, VersionDiff, diff_versions
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.table_rows import integers_of, places_of, rows_of, taken, values_of
from roundtruth.datasets.version_rows import VersionRows
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.paging import page_span
from roundtruth.overviews.published_versions import Published, read_version_rows, require_published

KINDS = ("relabeled", "added", "removed", "replaced", "moved")
IMAGES_A_PAGE = 12


@dataclass(frozen=True, kw_only=True)
class ComparedBox:
    """A box in pixels of the upright image; ``change`` is empty where it stayed as it is."""

    category: str
    left: float
    top: float
    width: float
    height: float
    change: str = ""


@dataclass(frozen=True, kw_only=True)
class Side:
    """An image in one of the two versions; its size is that of the upright image, in pixels."""

    version: str
    place: int  # among the version's images, from 0: the page asks for the image by it
    split: str
    width: int
    height: int
    boxes: tuple[ComparedBox, ...]


@dataclass(frozen=True, kw_only=True)
class ChangedImage:
    """An image that is not the same in both versions; of one that was added there is no ``before``."""

    source_ref: str
    before: Side | None
    after: Side | None
    changes: tuple[BoxChange, ...]


@dataclass(frozen=True, kw_only=True)
class ChangesOverview:
    """A page of the changed images of one kind, and all counts."""

    old: Published
    new: Published
    diff: VersionDiff
    counts: Mapping[str, int]  # kind -> images
    kind: str
    images: tuple[ChangedImage, ...]
    page: int  # from 1
    pages: int


def read_changes(
    cache: EtagCache, dataset: DatasetFolder, old: str, new: str, *, kind: str = "", page: int = 1
) -> ChangesOverview:
    """Compare two versions, in either direction.

    :param kind: one of KINDS; any other is the first that has images. A page too far is the last one.
    :raises DatasetError: when a version is not published, or is not what was published.
    """
    sides = [require_published(cache, dataset, name) for name in (old, new)]
    before, after = (read_version_rows(cache, dataset, one.record) for one in sides)
    found = diff_versions(before, after)
    refs = _refs_by_kind(found)
    counts = {name: len(refs[name]) for name in KINDS}
    if kind not in KINDS:
        kind = next((name for name in KINDS if counts[name]), KINDS[0])
    span = page_span(page, size=IMAGES_A_PAGE, total=counts[kind])
    shown = refs[kind][span.part]
    return ChangesOverview(
        old=sides[0],
        new=sides[1],
        diff=found,
        counts=counts,
        kind=kind,
        images=_changed_images(before, after, found, shown),
        page=span.page,
        pages=span.pages,
    )


def _refs_by_kind(found: VersionDiff) -> dict[str, Sequence[str]]:
    return {
        "relabeled": [one.source_ref for one in found.relabeled],
        "added": found.added,
        "removed": found.removed,
        "replaced": found.replaced,
        "moved": [one.source_ref for one in found.moved],
    }


def _changed_images(
    before: VersionRows, after: VersionRows, found: VersionDiff, refs: Sequence[str]
) -> tuple[ChangedImage, ...]:
    wanted = set(refs)
    changes = {one.source_ref: one.boxes for one in found.relabeled if one.source_ref in wanted}
    old_boxes = {ref: _changes_by_place(changes[ref], "old") for ref in changes}
    new_boxes = {ref: _changes_by_place(changes[ref], "new") for ref in changes}
    old, new = _sides(before, refs, old_boxes), _sides(after, refs, new_boxes)
    return tuple(
        ChangedImage(source_ref=ref, before=old.get(ref), after=new.get(ref), changes=changes.get(ref, ()))
        for ref in refs
    )


def _changes_by_place(changes: Sequence[BoxChange], side: str) -> dict[tuple[str, Place], str]:
    """(class, place) of the boxes of one side that changed -> how."""
    found: dict[tuple[str, Place], str] = {}
    for one in changes:
        place, category = getattr(one, side), getattr(one, f"{side}_class")
        if place is not None:
            found[category, place] = one.change
    return found


def _sides(
    rows: VersionRows, refs: Sequence[str], changes: Mapping[str, Mapping[tuple[str, Place], str]]
) -> dict[str, Side]:
    """The images among these that the version has."""
    places = places_of(list(refs), rows.images["source_ref"])
    places = places[places >= 0]
    images = taken(rows.images, places).to_pylist()
    labels = taken(rows.labels, rows_of(places, integers_of(rows.images, "boxes")))
    boxes = list(map(PixelBox, *(values_of(labels, name) for name in PixelBox._fields)))
    ends = np.cumsum([image["boxes"] for image in images], dtype=np.int64).tolist()
    return {
        image["source_ref"]: _side(
            rows, place, image, boxes[end - image["boxes"] : end], changes.get(image["source_ref"], {})
        )
        for place, image, end in zip(places.tolist(), images, ends, strict=True)
    }


def _side(
    rows: VersionRows,
    place: int,
    image: Mapping[str, Any],
    boxes: Sequence[PixelBox],
    changes: Mapping[tuple[str, Place], str],
) -> Side:
    width, height = upright_size(image["width"], image["height"], image["orientation"])
    shown = []
    for box in boxes:
        category = rows.record.classes[box.class_id]
        stored: Place = (box.left, box.top, box.width, box.height)
        upright = upright_box(box, image["width"], image["height"], image["orientation"])
        shown.append(
            ComparedBox(
                category=category,
                left=upright.left,
                top=upright.top,
                width=upright.width,
                height=upright.height,
                change=changes.get((category, stored), ""),
            )
        )
    return Side(
        version=rows.record.version,
        place=place,
        split=image["split"],
        width=width,
        height=height,
        boxes=tuple(shown),
    )
