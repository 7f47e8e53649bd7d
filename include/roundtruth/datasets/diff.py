"""The difference of any two versions, down to each box that moved, appeared, vanished or changed class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.candidate import images_with_boxes
from roundtruth.datasets.version_tables import VersionTables

Place = tuple[float, float, float, float]  # left, top, width, height in pixels of the stored image


class BoxChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one box; of an appeared one ``old`` is missing, of a vanished one ``new``."""

    change: Literal["moved", "class", "appeared", "vanished"]
    iou: float | None = None  # of old and new, where there are both
    old_class: str | None = None
    new_class: str | None = None
    old: Place | None = None
    new: Place | None = None


class Relabeled(msgspec.Struct, frozen=True, kw_only=True):
    """An image whose boxes are others now."""

    source_ref: str
    boxes: tuple[BoxChange, ...]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is in another split now."""

    source_ref: str
    old: str
    new: str


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A number in the old and the new version."""

    old: int
    new: int


class VersionDiff(msgspec.Struct, frozen=True, kw_only=True):
    """All differences; images by source_ref, sorted. A replaced image has other bytes under the same key."""

    dataset: str
    old: str
    new: str
    counts: dict[str, Count]  # images, boxes, negatives, partial
    classes: dict[str, Count]  # class -> boxes; of the old and the new registry
    classes_added: tuple[str, ...]
    splits: dict[str, Count]  # split -> images
    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]
    relabeled: tuple[Relabeled, ...]
    moved: tuple[Moved, ...]

    @property
    def same(self) -> bool:
        """Whether trainers get the same from both."""
        return not (self.added or self.removed or self.replaced or self.relabeled or self.moved)


def diff_versions(old: VersionTables, new: VersionTables) -> VersionDiff:
    """Compare two versions of a dataset, in either direction."""
    old_boxes, new_boxes = _boxes(old), _boxes(new)
    old_etags, new_etags = _column(old, "etag"), _column(new, "etag")
    old_splits, new_splits = _column(old, "split"), _column(new, "split")
    both = sorted(old_etags.keys() & new_etags.keys())
    names = (old.record.classes, new.record.classes)
    relabeled = (
        Relabeled(source_ref=ref, boxes=tuple(_box_changes(old_boxes[ref], new_boxes[ref], *names)))
        for ref in both
        if old_etags[ref] == new_etags[ref]
    )
    return VersionDiff(
        dataset=new.record.dataset,
        old=old.record.version,
        new=new.record.version,
        counts={
            name: Count(old=getattr(old.record, name), new=getattr(new.record, name))
            for name in ("images", "boxes", "negatives", "partial")
        },
        classes=_class_counts(old, new),
        classes_added=tuple(name for name in names[1] if name not in names[0]),
        splits={
            split: Count(old=_images_in(old, split), new=_images_in(new, split))
            for split in dict.fromkeys([*old.record.splits, *new.record.splits])
        },
        added=tuple(sorted(new_etags.keys() - old_etags.keys())),
        removed=tuple(sorted(old_etags.keys() - new_etags.keys())),
        replaced=tuple(ref for ref in both if old_etags[ref] != new_etags[ref]),
        relabeled=tuple(one for one in relabeled if one.boxes),
        moved=tuple(
            Moved(source_ref=ref, old=old_splits[ref], new=new_splits[ref])
            for ref in both
            if old_splits[ref] != new_splits[ref]
        ),
    )


def iou(one: Place, other: Place) -> float:
    """Intersection over union of two boxes, 0–1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def _box_changes(
    old: Sequence[PixelBox], new: Sequence[PixelBox], old_names: Sequence[str], new_names: Sequence[str]
) -> Iterator[BoxChange]:
    """Boxes that are the same are passed over; of the others those that overlap most are the same object.

    Greedy by overlap, boxes of the same class first among equals: boxes of one image are few, and a person
    reads the result.
    """
    same = set(old) & set(new)
    gone, come = [box for box in old if box not in same], [box for box in new if box not in same]
    pairs = sorted(
        (-round(overlap, 9), one.class_id != other.class_id, i, j)
        for i, one in enumerate(gone)
        for j, other in enumerate(come)
        if (overlap := iou(one[1:], other[1:])) > 0
    )
    matched_old: set[int] = set()
    matched_new: set[int] = set()
    for overlap, class_differs, i, j in pairs:
        if i in matched_old or j in matched_new:
            continue
        matched_old.add(i)
        matched_new.add(j)
        yield BoxChange(
            change="class" if class_differs else "moved",
            iou=round(-overlap, 4),
            old_class=old_names[gone[i].class_id],
            new_class=new_names[come[j].class_id],
            old=gone[i][1:],
            new=come[j][1:],
        )
    for i, box in enumerate(gone):
        if i not in matched_old:
            yield BoxChange(change="vanished", old_class=old_names[box.class_id], old=box[1:])
    for j, box in enumerate(come):
        if j not in matched_new:
            yield BoxChange(change="appeared", new_class=new_names[box.class_id], new=box[1:])


def _boxes(version: VersionTables) -> dict[str, list[PixelBox]]:
    return {image.source_ref: boxes for image, boxes in images_with_boxes(version.images, version.labels)}


def _column(version: VersionTables, name: str) -> dict[str, str]:
    return dict(zip(version.images["source_ref"], version.images[name], strict=True))


def _class_counts(old: VersionTables, new: VersionTables) -> dict[str, Count]:
    counts = [version.labels["class_id"].value_counts() for version in (old, new)]
    ids = [{name: number for number, name in enumerate(version.record.classes)} for version in (old, new)]
    return {
        name: Count(
            old=int(counts[0].get(ids[0].get(name, -1), 0)), new=int(counts[1].get(ids[1].get(name, -1), 0))
        )
        for name in dict.fromkeys([*old.record.classes, *new.record.classes])
    }


def _images_in(version: VersionTables, split: str) -> int:
    counts = version.record.splits.get(split)
    return counts.images if counts else 0
