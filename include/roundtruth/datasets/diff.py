"""The difference of any two versions, down to each box that moved, appeared, vanished or changed class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.table_rows import integers_of, places_of, rows_of, taken, values_of
from roundtruth.datasets.versions import VersionRecord

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
    """All differences, as changes.json holds them too; images by source_ref, sorted.

    A replaced image has other bytes under the same key. A moved box is one removed and one added.
    """

    dataset: str
    old: str | None  # None: the new version is the first
    new: str
    counts: dict[str, Count]  # images, boxes, negatives, partial
    classes: dict[str, Count]  # class -> boxes; of the old and the new registry
    classes_added: tuple[str, ...]
    splits: dict[str, Count]  # split -> images
    boxes_added: int
    boxes_removed: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]
    relabeled: tuple[Relabeled, ...]
    moved: tuple[Moved, ...]

    @property
    def same(self) -> bool:
        """Whether trainers get the same from both."""
        return not (self.added or self.removed or self.replaced or self.relabeled or self.moved)

    def to_json(self) -> bytes:
        """changes.json; the same changes give the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class VersionContent(Protocol):
    """A version: its images (VERSION_IMAGES) and in their order its boxes (PART_LABELS), see table_rows."""

    @property
    def record(self) -> VersionRecord:
        """Its version.json."""

    @property
    def images(self) -> Any:
        """Sorted by source_ref."""

    @property
    def labels(self) -> Any:
        """As many rows an image as its ``boxes`` says."""


@dataclass(frozen=True)
class _Content:
    """The images of one side that the other has not, or has otherwise; boxes of those that both have."""

    etags: dict[str, str]
    splits: dict[str, str]
    counts: dict[str, int]
    boxes: dict[str, list[PixelBox]]


def diff_versions(old: VersionContent, new: VersionContent) -> VersionDiff:
    """Compare two versions of a dataset, in either direction."""
    return compare(old, new.record, new.images, new.labels)


def compare(old: VersionContent | None, record: VersionRecord, images: Any, labels: Any) -> VersionDiff:
    """What a version changes in another one; only images are compared whose digests differ.

    :param old: None before the first version.
    :param record: of the new version; ``images`` (VERSION_IMAGES) and ``labels`` (PART_LABELS) are its.
    """
    before = _differing(old.images, old.labels, images) if old else _Content({}, {}, {}, {})
    after = _differing(images, labels, old.images if old else None)
    both = sorted(before.etags.keys() & after.etags.keys())
    names = (old.record.classes if old else (), record.classes)
    relabeled = (
        Relabeled(source_ref=ref, boxes=tuple(_box_changes(before.boxes[ref], after.boxes[ref], *names)))
        for ref in both
        if before.etags[ref] == after.etags[ref]
    )
    return VersionDiff(
        dataset=record.dataset,
        old=old.record.version if old else None,
        new=record.version,
        counts={
            name: Count(old=getattr(old.record, name) if old else 0, new=getattr(record, name))
            for name in ("images", "boxes", "negatives", "partial")
        },
        classes=_counts(_boxes_by_class(old.record) if old else {}, _boxes_by_class(record)),
        classes_added=tuple(name for name in names[1] if name not in names[0]),
        splits=_counts(_images_by_split(old.record) if old else {}, _images_by_split(record)),
        boxes_added=_only_in_first(after, before),
        boxes_removed=_only_in_first(before, after),
        added=tuple(sorted(after.etags.keys() - before.etags.keys())),
        removed=tuple(sorted(before.etags.keys() - after.etags.keys())),
        replaced=tuple(ref for ref in both if before.etags[ref] != after.etags[ref]),
        relabeled=tuple(one for one in relabeled if one.boxes),
        moved=tuple(
            Moved(source_ref=ref, old=before.splits[ref], new=after.splits[ref])
            for ref in both
            if before.splits[ref] != after.splits[ref]
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


def _differing(images: Any, labels: Any, others: Any | None) -> _Content:
    """Images with a digest that is not among the others', and the boxes of those that the others have too."""
    digests, refs_there = (others["digest"], others["source_ref"]) if others is not None else ([], [])
    places = np.flatnonzero(places_of(images["digest"], digests) < 0)
    differing = taken(images, places)
    in_both = np.flatnonzero(places_of(differing["source_ref"], refs_there) >= 0)
    labels = taken(labels, rows_of(places[in_both], integers_of(images, "boxes")))
    refs, counts = values_of(differing, "source_ref"), values_of(differing, "boxes")
    boxes = map(PixelBox, *(values_of(labels, name) for name in PixelBox._fields))
    return _Content(
        etags=dict(zip(refs, values_of(differing, "etag"), strict=True)),
        splits=dict(zip(refs, values_of(differing, "split"), strict=True)),
        counts=dict(zip(refs, counts, strict=True)),
        boxes={refs[place]: list(islice(boxes, counts[place])) for place in in_both.tolist()},
    )


def _only_in_first(first: _Content, second: _Content) -> int:
    """Boxes are unique in an image (boxes.clean_boxes), so sets lose none."""
    of_both = (len(set(boxes) - set(second.boxes[ref])) for ref, boxes in first.boxes.items())
    return sum(of_both) + sum(count for ref, count in first.counts.items() if ref not in first.boxes)


def _counts(old: dict[str, int], new: dict[str, int]) -> dict[str, Count]:
    return {name: Count(old=old.get(name, 0), new=new.get(name, 0)) for name in dict.fromkeys([*old, *new])}


def _boxes_by_class(record: VersionRecord) -> dict[str, int]:
    splits = [split.boxes_by_class for split in record.splits.values()]
    return {name: sum(counts[class_id] for counts in splits) for class_id, name in enumerate(record.classes)}


def _images_by_split(record: VersionRecord) -> dict[str, int]:
    return {name: split.images for name, split in record.splits.items()}
