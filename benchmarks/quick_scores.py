"""F1 at several IoU thresholds in one pass; the same numbers as ``evaluation.detection_scores``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from roundtruth.consensus.matching import overlap

IOUS = (0.5, 0.75, 0.9)
_PLACE = ["left", "top", "width", "height"]


def f1_scores(labels: pd.DataFrame, truth: pd.DataFrame, images: Sequence[str]) -> np.ndarray:
    """F1 at each of ``IOUS`` over the images, shape (thresholds,)."""
    chosen = set(images)
    labels, truth = (table[table["source_ref"].isin(chosen)] for table in (labels, truth))
    found, wanted = _by_key(labels), _by_key(truth)
    matched = np.zeros(len(IOUS))
    for key, boxes in wanted.items():
        if key in found:
            overlaps = overlap(found[key][:, None], boxes[None])
            matched += [_most_pairs(overlaps, iou) for iou in IOUS]
    return 2 * matched / max(len(labels) + len(truth), 1)


def right_boxes(labels: pd.DataFrame, truth: pd.DataFrame, iou: float) -> np.ndarray:
    """Whether each label is right: overlaps a true box of its category that no likelier label has taken."""
    wanted = _by_key(truth)
    right = np.zeros(len(labels), bool)
    edges = _edges(labels)
    scores = labels["score"].to_numpy()
    for key, rows in labels.groupby(["source_ref", "category"]).indices.items():
        if key not in wanted:
            continue
        free = np.ones(len(wanted[key]), bool)
        for row in rows[np.argsort(-scores[rows], kind="stable")]:
            overlaps = overlap(edges[row], wanted[key]) * free
            best = int(overlaps.argmax())
            if overlaps[best] >= iou:
                free[best], right[row] = False, True
    return right


def _most_pairs(overlaps: np.ndarray, iou: float) -> int:
    fits = overlaps >= iou
    if not fits.any():
        return 0
    rows, columns = linear_sum_assignment(fits.astype(float), maximize=True)
    return int(fits[rows, columns].sum())


def _by_key(table: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    edges = _edges(table)
    return {key: edges[rows] for key, rows in table.groupby(["source_ref", "category"]).indices.items()}


def _edges(table: pd.DataFrame) -> np.ndarray:
    edges = table[_PLACE].to_numpy(np.float64, copy=True)
    edges[:, 2:] += edges[:, :2]
    return edges
