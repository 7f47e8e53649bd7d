"""Ground Truth's own box beside each of ours, so that every difference can be explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from roundtruth.annotations import GROUND_TRUTH_COLUMNS
from roundtruth.consensus.matching import (
    SAME_CATEGORY_BONUS,
    Bools,
    Floats,
    Ints,
    overlap,
    overlapping_pairs,
)

_GROUP = ["source_ref", "job"]
_PLACE = ["left", "top", "width", "height"]


def beside_ground_truth(
    labels: pd.DataFrame, consolidated: pd.DataFrame, *, min_iou: float
) -> tuple[pd.DataFrame, Bools]:
    """Our labels with the columns GROUND_TRUTH_COLUMNS, and which consolidated boxes stand beside none.

    One to one within an image and a job: the assignment with the most overlap, where the same category goes
    before another. A label without a box of Ground Truth's that overlaps it by ``min_iou`` has nulls.

    :param labels: ``annotations.LABELS``; ``consolidated`` the same, of the same jobs (a label's is the first
        that asked for its category).
    """
    edges, theirs = _edges(labels), _edges(consolidated)
    beside = np.full(len(labels), -1)
    together = pd.concat([labels[_GROUP], consolidated[_GROUP]], ignore_index=True)
    groups: Ints = together.groupby(_GROUP, sort=False).ngroup().to_numpy().astype(np.int64)
    ours, found = _fitting(groups, np.concatenate([edges, theirs]), len(labels), min_iou)
    # A box that fits one alone, which fits no other: nearly all do, and need no assignment.
    alone = (np.bincount(ours, minlength=len(labels))[ours] == 1) & (
        np.bincount(found, minlength=len(consolidated))[found] == 1
    )
    beside[ours[alone]] = found[alone]
    our_names, their_names = (one["category"].to_numpy(object) for one in (labels, consolidated))
    for rows, candidates in _rivals(groups, ours[~alone], len(labels)):
        same = np.equal.outer(our_names[rows], their_names[candidates])
        chosen, taken = _pairs(edges[rows], theirs[candidates], same, min_iou)
        beside[rows[chosen]] = candidates[taken]
    only = np.ones(len(consolidated), bool)
    only[beside[beside >= 0]] = False
    return _with_columns(labels, edges, consolidated, theirs, beside), only


def only_ground_truth(consolidated: pd.DataFrame, only: Bools) -> list[dict[str, Any]]:
    """Boxes that only Ground Truth has, for consensus.json: sorted by image, job and place, in pixels."""
    columns = ["source_ref", "job", "category", *_PLACE]
    listed = consolidated.loc[only, columns].sort_values(
        ["source_ref", "job", *_PLACE, "category"], kind="stable"
    )
    return [dict(zip(columns, row, strict=True)) for row in listed.itertuples(index=False, name=None)]


def _edges(boxes: pd.DataFrame) -> Floats:
    edges: Floats = boxes[_PLACE].to_numpy(np.float64, copy=True)
    edges[:, 2:] += edges[:, :2]
    return edges


def _fitting(groups: Ints, edges: Floats, ours: int, min_iou: float) -> tuple[Ints, Ints]:
    """Rows of our boxes and of Ground Truth's that overlap by ``min_iou``, each such pair once.

    :param groups: number of the image and job of each box, ``edges`` its place: so many of ours, then theirs.
    """
    order = np.lexsort((edges[:, 0], groups))
    first, second = overlapping_pairs(groups[order], edges[order], min_iou)
    first, second = order[first], order[second]
    low, high = np.minimum(first, second), np.maximum(first, second)
    across = (low < ours) & (high >= ours)
    return low[across], high[across] - ours


def _rivals(groups: Ints, among: Ints, ours: int) -> Iterator[tuple[Ints, Ints]]:
    """All rows of ours, and all of theirs, in each group that holds one of these rows of ours."""
    wanted = np.unique(groups[among])
    rows = np.flatnonzero(np.isin(groups, wanted))
    rows = rows[np.argsort(groups[rows], kind="stable")]
    for some in np.split(rows, np.searchsorted(groups[rows], wanted[1:])):
        if len(some):
            yield some[some < ours], some[some >= ours] - ours


def _pairs(ours: Floats, theirs: Floats, same: Bools, min_iou: float) -> tuple[Ints, Ints]:
    overlaps = overlap(ours[:, None], theirs[None])
    fits: Bools = (overlaps >= min_iou) & (overlaps > 0)
    left, right = linear_sum_assignment(
        np.where(fits, overlaps + SAME_CATEGORY_BONUS * same, 0), maximize=True
    )
    kept = fits[left, right]
    return left[kept], right[kept]


def _with_columns(
    labels: pd.DataFrame, edges: Floats, consolidated: pd.DataFrame, theirs: Floats, beside: Ints
) -> pd.DataFrame:
    matched = beside >= 0
    chosen = consolidated.iloc[beside[matched]]
    result = labels.copy()
    for name in GROUND_TRUTH_COLUMNS.names:
        if name == "ground_truth_category":
            texts = np.full(len(labels), None, object)
            texts[matched] = chosen["category"].to_numpy(object)
            result[name] = pd.Series(texts, index=labels.index, dtype="str")
            continue
        values = np.full(len(labels), np.nan)
        if name == "ground_truth_iou":
            values[matched] = overlap(edges[matched], theirs[beside[matched]])
        else:
            values[matched] = chosen[name.removeprefix("ground_truth_")].to_numpy(np.float64)
        result[name] = values
    return result
