"""Compare labels with known truth: precision, recall, F1 and mean overlap at an IoU threshold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from roundtruth.consensus.matching import Floats, overlap

_PLACE = ["left", "top", "width", "height"]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How well labels fit the truth; all 0–1. ``mean_iou`` is over the matched boxes, 0 where there is none.

    With nothing to find and nothing found, precision, recall and F1 are 1.
    """

    precision: float
    recall: float
    f1: float
    mean_iou: float
    matched: int
    predicted: int
    truth: int


def detection_scores(
    predicted: pd.DataFrame, truth: pd.DataFrame, iou: float, *, images: Iterable[str] | None = None
) -> Scores:
    """Score boxes against the truth, one to one within an image and a category.

    Of all one-to-one matches the one with the most pairs at or above ``iou`` counts (and of those the one
    with the most overlap), so that the score does not depend on any order.

    :param predicted: columns source_ref, category, left, top, width, height (pixels).
    :param truth: the same columns.
    :param images: the images that are scored; those without truth count every predicted box as false.
        Default: all that stand in either table.
    """
    if images is not None:
        chosen = set(images)
        predicted = predicted[predicted["source_ref"].isin(chosen)]
        truth = truth[truth["source_ref"].isin(chosen)]
    boxes = _by_image_and_category(predicted)
    matched = np.concatenate(
        [np.zeros(0)]
        + [
            _matched_overlaps(boxes[key], wanted, iou)
            for key, wanted in _by_image_and_category(truth).items()
            if key in boxes
        ]
    )
    precision = len(matched) / len(predicted) if len(predicted) else float(not len(truth))
    recall = len(matched) / len(truth) if len(truth) else float(not len(predicted))
    total = len(predicted) + len(truth)
    return Scores(
        precision=precision,
        recall=recall,
        f1=2 * len(matched) / total if total else 1.0,
        mean_iou=float(matched.mean()) if len(matched) else 0.0,
        matched=len(matched),
        predicted=len(predicted),
        truth=len(truth),
    )


def _by_image_and_category(frame: pd.DataFrame) -> dict[tuple[str, str], Floats]:
    edges = frame[_PLACE].to_numpy(np.float64, copy=True)
    edges[:, 2:] += edges[:, :2]
    rows: dict[Any, Any] = frame.groupby(["source_ref", "category"], sort=True).indices
    return {(str(image), str(category)): edges[index] for (image, category), index in rows.items()}


def _matched_overlaps(predicted: Floats, truth: Floats, iou: float) -> Floats:
    overlaps = overlap(predicted[:, None], truth[None])
    fits = (overlaps >= iou) & (overlaps > 0)
    # One more pair outweighs any gain of overlap: overlaps are at most 1, and no match has more pairs than
    # rows.
    gain = np.where(fits, min(overlaps.shape) + 1.0 + overlaps, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    matched: Floats = overlaps[rows, columns][fits[rows, columns]]
    return matched
