"""``boxes.clean_boxes`` for the boxes of many images at once, as columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.boxes import PixelBox, clean_boxes
from roundtruth.datasets.formats.yolo_columns import millionths
from roundtruth.row_order import order_of_rows

# Any odd constants mix four shares into one number; two boxes that meet by chance are looked at once more.
_MIX = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], dtype=np.uint64
)


@dataclass(frozen=True, kw_only=True)
class BoxColumns:
    """Boxes of several images, image after image, with class ids of the dataset and edges in pixels.

    ``counts`` and the images' ``widths`` and ``heights`` (pixels) have one entry an image.
    """

    counts: NDArray[np.int64]
    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    edges: NDArray[np.float64]  # box × (left, top, width, height)


@dataclass(frozen=True, kw_only=True)
class CleanColumns:
    """Boxes that may be published, each image's sorted, and how many were changed or left out, by reason."""

    counts: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    edges: NDArray[np.float64]
    shares: NDArray[np.int64]  # box × (centre x, centre y, width, height) in millionths of the image
    clipped: int
    outside: int
    duplicates: int

    def boxes_of(self, number: int) -> list[PixelBox]:
        """The boxes of one image."""
        end = self._ends[number]
        own = slice(end - self._sizes[number], end)
        rows = zip(self.class_ids[own].tolist(), self.edges[own].tolist(), strict=True)
        return [PixelBox(class_id, *sides) for class_id, sides in rows]

    @cached_property
    def _ends(self) -> list[int]:
        ends: list[int] = np.cumsum(self.counts).tolist()
        return ends

    @cached_property
    def _sizes(self) -> list[int]:
        sizes: list[int] = self.counts.tolist()
        return sizes


def clean_columns(boxes: BoxColumns) -> CleanColumns:
    """Clip, leave out, sort as ``clean_boxes`` does; images with anything to mend go through it singly."""
    image = np.repeat(np.arange(len(boxes.counts)), boxes.counts)
    order = _sorted(image, boxes.class_ids, boxes.edges)
    image, class_ids, edges = image[order], boxes.class_ids[order], boxes.edges[order]
    sizes = np.column_stack([boxes.widths, boxes.heights]).astype(np.float64)[image]
    shares = _shares(edges, sizes)
    corners, sides = edges[:, :2], edges[:, 2:]
    inside = (corners >= 0) & (corners + sides <= sizes) & (shares[:, 2:] > 0)
    fine = inside[:, 0] & inside[:, 1]
    fine[_perhaps_twice(image, class_ids, shares)] = False
    odd = np.unique(image[~fine])
    if not len(odd):
        return CleanColumns(
            counts=boxes.counts,
            class_ids=class_ids,
            edges=edges,
            shares=shares,
            clipped=0,
            outside=0,
            duplicates=0,
        )
    return _mended(boxes, odd, image, class_ids, edges)


def _mended(
    boxes: BoxColumns,
    odd: NDArray[np.int64],
    image: NDArray[np.int64],
    class_ids: NDArray[np.int64],
    edges: NDArray[np.float64],
) -> CleanColumns:
    others = ~np.isin(image, odd)
    starts = np.cumsum(boxes.counts) - boxes.counts
    found: list[PixelBox] = []
    owners: list[int] = []
    clipped = outside = duplicates = 0
    for one in odd.tolist():
        own = slice(int(starts[one]), int(starts[one] + boxes.counts[one]))
        rows = zip(boxes.class_ids[own].tolist(), boxes.edges[own].tolist(), strict=True)
        cleaned = clean_boxes(
            (PixelBox(class_id, *sides) for class_id, sides in rows),
            int(boxes.widths[one]),
            int(boxes.heights[one]),
        )
        found += cleaned.boxes
        owners += [one] * len(cleaned.boxes)
        clipped += cleaned.clipped
        outside += cleaned.outside
        duplicates += cleaned.duplicates
    image = np.concatenate([image[others], np.array(owners, dtype=np.int64)])
    order = np.argsort(image, kind="stable")
    image = image[order]
    class_ids = np.concatenate([class_ids[others], np.array([box.class_id for box in found], dtype=np.int64)])
    edges = np.concatenate([edges[others], np.array([box[1:] for box in found]).reshape(-1, 4)])[order]
    sizes = np.column_stack([boxes.widths, boxes.heights]).astype(np.float64)[image]
    return CleanColumns(
        counts=np.bincount(image, minlength=len(boxes.counts)),
        class_ids=class_ids[order],
        edges=edges,
        shares=_shares(edges, sizes),
        clipped=clipped,
        outside=outside,
        duplicates=duplicates,
    )


def _sorted(
    image: NDArray[np.int64], class_ids: NDArray[np.int64], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The order of images, within one of classes, then of places; equal boxes as they stand."""
    group = image * (class_ids.max(initial=0) + 1) + class_ids
    return order_of_rows(group, *edges.T)


def _shares(edges: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """``boxes.written_coordinates`` in millionths; too large to be any where a box is far outside."""
    values = np.empty_like(edges)
    values[:, :2] = (edges[:, :2] + edges[:, 2:] / 2) / sizes
    values[:, 2:] = edges[:, 2:] / sizes
    # Only the images of boxes that stick out are mended, whatever is written of them here.
    return millionths(np.clip(values, -1.0, 2.0))


def _perhaps_twice(
    image: NDArray[np.int64], class_ids: NDArray[np.int64], shares: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Boxes that may be written as another box of their image is."""
    mixed = (shares.astype(np.uint64) * _MIX).sum(axis=1, dtype=np.uint64)
    mixed ^= (image * (class_ids.max(initial=0) + 1) + class_ids).astype(np.uint64) * np.uint64(
        0xD6E8FEB86659FD93
    )
    order = np.argsort(mixed)
    same = np.flatnonzero(np.diff(mixed[order]) == 0)
    twice: NDArray[np.int64] = order[np.concatenate([same, same + 1])]
    return twice
