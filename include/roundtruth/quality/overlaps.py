"""Pairs of boxes on one image that cover nearly the same place, in near-linear time (numpy)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def highest_overlaps(
    image: NDArray[np.int64], category: NDArray[np.int64], boxes: Floats, *, minimum_iou: float
) -> tuple[Floats, Floats]:
    """For each box the highest IoU with an earlier box of its image: of the same category, of another one.

    Overlaps below ``minimum_iou`` count as 0, and so do boxes without an area or with a missing coordinate.

    :param image: one image number a box.
    :param category: one category number a box.
    :param boxes: n × 4, left, top, width, height in pixels.
    """
    same, other = np.zeros(len(boxes)), np.zeros(len(boxes))
    with np.errstate(invalid="ignore"):
        usable = np.flatnonzero(np.isfinite(boxes).all(axis=1) & (boxes[:, 2] > 0) & (boxes[:, 3] > 0))
    order = usable[np.lexsort((boxes[usable, 0], image[usable]))]
    for first, second in _neighbours(image[order], boxes[order, 0], boxes[order, 2], minimum_iou):
        one, two = order[first], order[second]
        iou = _iou(boxes[one], boxes[two])
        close = (iou >= minimum_iou) & (iou > 0)
        one, two, iou = one[close], two[close], iou[close]
        later = np.maximum(one, two)
        alike = category[one] == category[two]
        np.maximum.at(same, later[alike], iou[alike])
        np.maximum.at(other, later[~alike], iou[~alike])
    return same, other


def _neighbours(
    image: NDArray[np.int64], left: Floats, width: Floats, minimum_iou: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of places, box and k-th follower, that can overlap enough; rows are sorted by image, then left.

    With A left of B, IoU ≥ t needs (left_A + width_A - left_B) / width_A ≥ t: followers whose left edge lies
    further right than (1 - t) of A's width cannot reach it, nor can those after them.
    """
    furthest = left + (1 - minimum_iou) * width
    furthest += 1e-9 * (1 + np.abs(furthest))  # rounding must not lose a pair that just reaches it
    first = np.arange(len(left))
    distance = 0
    while len(first):
        distance += 1
        first = first[first + distance < len(left)]
        second = first + distance
        near = (image[first] == image[second]) & (left[second] <= furthest[first])
        first, second = first[near], second[near]
        yield first, second


def _iou(one: Floats, two: Floats) -> Floats:
    right = np.minimum(one[:, 0] + one[:, 2], two[:, 0] + two[:, 2])
    bottom = np.minimum(one[:, 1] + one[:, 3], two[:, 1] + two[:, 3])
    width = np.clip(right - np.maximum(one[:, 0], two[:, 0]), 0, None)
    height = np.clip(bottom - np.maximum(one[:, 1], two[:, 1]), 0, None)
    inside = width * height
    union = one[:, 2] * one[:, 3] + two[:, 2] * two[:, 3] - inside
    with np.errstate(invalid="ignore"):  # areas too small for a float
        return np.asarray(inside / union)
