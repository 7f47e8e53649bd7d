"""Ground Truth's own box beside each of ours, so that every difference can be explained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from roundtruth.annotations import GROUND_TRUTH_COLUMNS
from roundtruth.consensus.matching import Bools, Floats, Ints, overlap
from roundtruth.consensus.one_to_one import Kind, one_to_one

_GROUP = ["source_ref", "job"]
_NAMED = [*_GROUP, "category"]
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
    beside = _paired(labels, edges, consolidated, theirs, min_iou)
    return _with_columns(labels, edges, consolidated, theirs, beside), _unpaired(beside, consolidated)


def beside_none(labels: pd.DataFrame, consolidated: pd.DataFrame, *, min_iou: float) -> Bools:
    """Which consolidated boxes stand beside none of our labels, as ``beside_ground_truth`` says."""
    beside = _paired(labels, _edges(labels), consolidated, _edges(consolidated), min_iou)
    return _unpaired(beside, consolidated)


def only_ground_truth(consolidated: pd.DataFrame, only: Bools) -> list[dict[str, Any]]:
    """Boxes that only Ground Truth has, for consensus.json: sorted by image, job and place, in pixels."""
    columns = ["source_ref", "job", "category", *_PLACE]
    listed = consolidated.loc[only, columns].sort_values(
        ["source_ref", "job", *_PLACE, "category"], kind="stable"
    )
    return [
        dict(zip(columns, [*row[:3], *(round(edge, 10) for edge in row[3:])], strict=True))
        for row in listed.itertuples(index=False, name=None)
    ]


def _paired(
    labels: pd.DataFrame, edges: Floats, consolidated: pd.DataFrame, theirs: Floats, min_iou: float
) -> Ints:
    """The row of the consolidated box beside each label, or -1."""
    both = pd.concat([labels[_NAMED], consolidated[_NAMED]], ignore_index=True)
    groups: Ints = both.groupby(_GROUP, sort=False).ngroup().to_numpy().astype(np.int64)
    categories = pd.factorize(both["category"])[0].astype(np.int64)
    count = len(labels)
    return one_to_one(
        Kind(group=groups[:count], edges=edges, category=categories[:count]),
        Kind(group=groups[count:], edges=theirs, category=categories[count:]),
        min_iou=min_iou,
    )


def _unpaired(beside: Ints, consolidated: pd.DataFrame) -> Bools:
    only = np.ones(len(consolidated), bool)
    only[beside[beside >= 0]] = False
    return only


def _edges(boxes: pd.DataFrame) -> Floats:
    edges: Floats = boxes[_PLACE].to_numpy(np.float64, copy=True)
    edges[:, 2:] += edges[:, :2]
    return edges


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
