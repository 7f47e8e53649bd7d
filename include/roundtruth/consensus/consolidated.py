"""Ground Truth's own consolidated boxes beside the workers' answers: which of them people agreed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.chunks import chunks_of_rows
from roundtruth.consensus.majority import Groups, label_frame
from roundtruth.consensus.matching import Bools, Floats, Ints, overlap
from roundtruth.consensus.one_to_one import Kind, one_to_one
from roundtruth.consensus.parts import Totals
from roundtruth.errors import ConsensusError

_NEEDED = ("source_ref", "category", "left", "top", "width", "height")


@dataclass(frozen=True, kw_only=True, eq=False)
class Beside:
    """Ground Truth's boxes, sorted by image, category and place, beside the groups of the answers.

    ``boxes``: of the first job over their image and categories alone. ``image`` and ``group``: the number
    that each has in the answers, -1 for an image without answers and a box that matches no group, one to one
    by overlap. ``sums``: what adds to ``comparison``.
    """

    boxes: pd.DataFrame
    image: Ints
    group: Ints
    sums: dict[str, Any]


def consolidated_beside(
    columns: AnswerColumns,
    groups: Groups,
    consolidated: pd.DataFrame,
    *,
    min_iou: float,
    categories_by_job: Mapping[str, Sequence[str]] | None = None,
) -> Beside:
    """Match Ground Truth's boxes with the groups of the answers.

    :param consolidated: source_ref, category, left, top, width, height in pixels; optional job.
    :raises ConsensusError: when a column is missing.
    """
    missing = [name for name in _NEEDED if name not in consolidated.columns]
    if missing:
        raise ConsensusError(f"The consolidated table lacks the columns {', '.join(missing)}.")
    of_first_job = first_of_jobs(consolidated, categories_by_job)
    boxes = consolidated[of_first_job].sort_values(list(_NEEDED), kind="stable", ignore_index=True)
    edges = boxes[["left", "top", "width", "height"]].to_numpy(np.float64, copy=True)
    edges[:, 2:] += edges[:, :2]
    image = pd.Index(columns.images).get_indexer(pd.Index(boxes["source_ref"])).astype(np.int64)
    group = _match(columns, groups, boxes, image, edges, min_iou)
    matched = group >= 0
    overlaps = overlap(edges[matched], groups.edges[group[matched]])
    sums = _compared(columns, groups, boxes, group, overlaps)
    return Beside(
        boxes=boxes,
        image=image,
        group=group,
        sums={**sums, "boxes_of_relabel_jobs": int((~of_first_job).sum())},
    )


def scored_consolidated(columns: AnswerColumns, groups: Groups, beside: Beside) -> pd.DataFrame:
    """Ground Truth's boxes as a label table, scored by our votes.

    Each box takes votes, answers and score of the matched group of answers. A box that matches none (an
    auto-labeled image, or a box that was averaged away from its answers) has score 0 and no votes. Ground
    Truth's own confidences are not used: they cannot be compared between jobs (sms-data-output).
    """
    boxes, group = beside.boxes, beside.group
    matched = group >= 0
    # Workers who answered the image, for boxes that match none of their answers; the last is for no answer.
    answered = np.zeros(len(columns.images) + 1, np.int64)
    np.maximum.at(answered, columns.task_image, columns.task_answers)
    return label_frame(
        {
            **{name: boxes[name] for name in _NEEDED},
            "score": np.where(matched, groups.score[group] if len(groups.votes) else 0.0, 0.0),
            "votes": np.where(matched, groups.votes[group] if len(groups.votes) else 0, 0),
            "answers": np.where(
                matched, groups.answers[group] if len(groups.votes) else 0, answered[beside.image]
            ),
            "job": _jobs(columns, groups, boxes, group),
        }
    )


def comparison(totals: Totals) -> dict[str, Any]:
    """How Ground Truth's boxes compare with our majority."""
    boxes, agreed = totals["boxes"], totals["also_ours"]
    return {
        "boxes": boxes,
        "also_ours": agreed,
        "without_majority": boxes - agreed,
        "only_ours": totals["ours"] - agreed,
        "other_category": totals["other_category"],
        "mean_iou": totals["iou"] / agreed if agreed else None,
        "boxes_of_relabel_jobs": totals["boxes_of_relabel_jobs"],
    }


def first_of_jobs(consolidated: pd.DataFrame, categories_by_job: Mapping[str, Sequence[str]] | None) -> Bools:
    """Which boxes are of the first job by name over their image and categories.

    A relabel job is consolidated apart from its base job: both together would hold every object twice.
    """
    if "job" not in consolidated:
        return np.ones(len(consolidated), bool)
    number, jobs = pd.factorize(consolidated["job"].fillna(""), sort=True)
    names = [str(job) for job in jobs]
    chunk = chunks_of_rows(number, names, consolidated["category"], categories_by_job)[0]
    image = pd.factorize(consolidated["source_ref"])[0]
    frame = pd.DataFrame({"image": image, "chunk": chunk, "number": number})
    first = frame.groupby(["image", "chunk"])["number"].transform("min")
    result: Bools = (first == frame["number"]).to_numpy()
    return result


def _match(
    columns: AnswerColumns, groups: Groups, boxes: pd.DataFrame, image: Ints, edges: Floats, min_iou: float
) -> Ints:
    """The group of each box, or -1: the one-to-one assignment of each image with the most overlap."""
    result = np.full(len(boxes), -1)
    category = pd.Index(columns.categories).get_indexer(pd.Index(boxes["category"])).astype(np.int64)
    answered = np.flatnonzero(image >= 0)
    drawn = np.flatnonzero(groups.votes > 0)
    beside = one_to_one(
        Kind(group=image[answered], edges=edges[answered], category=category[answered]),
        Kind(
            group=columns.task_image[groups.task[drawn]].astype(np.int64),
            edges=groups.edges[drawn],
            category=groups.category[drawn].astype(np.int64),
        ),
        min_iou=min_iou,
    )
    matched = beside >= 0
    result[answered[matched]] = drawn[beside[matched]]
    return result


def _jobs(columns: AnswerColumns, groups: Groups, boxes: pd.DataFrame, group: Ints) -> list[str]:
    given = boxes["job"].fillna("").tolist() if "job" in boxes else [""] * len(boxes)
    return [
        job or (columns.task_job[groups.task[number]] if number >= 0 else "")
        for job, number in zip(given, group.tolist(), strict=True)
    ]


def _compared(
    columns: AnswerColumns, groups: Groups, boxes: pd.DataFrame, group: Ints, overlaps: Floats
) -> dict[str, Any]:
    matched = group[group >= 0]
    agreed = groups.accepted[matched]
    names = boxes["category"].to_numpy()[group >= 0]
    ours = np.array(columns.categories, object)[groups.category[matched]] if len(matched) else names
    return {
        "boxes": len(boxes),
        "also_ours": int(agreed.sum()),
        "ours": int(groups.accepted.sum()),
        "other_category": int((names != ours)[agreed].sum()),
        "iou": float(overlaps[agreed].sum()),
    }
