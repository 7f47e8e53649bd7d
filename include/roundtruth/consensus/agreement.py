"""How far workers agree: by image, by category and over the round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from roundtruth.consensus.alpha import krippendorff_alpha
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.majority import Groups
from roundtruth.consensus.matching import Bools, Floats, Ints, overlap, pairs_within


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxPairs:
    """Every two usable boxes of one group (so of two workers), by their row in the columns."""

    first: Ints
    second: Ints
    iou: Floats
    same_category: Bools


def box_pairs(columns: AnswerColumns, groups: Groups) -> BoxPairs:
    """Pair the boxes that were matched to each other."""
    rows = np.flatnonzero(columns.box_usable)
    rows = rows[np.argsort(groups.box_group[rows], kind="stable")]
    first, second = pairs_within(groups.box_group[rows])
    first, second = rows[first], rows[second]
    return BoxPairs(
        first=first,
        second=second,
        iou=overlap(columns.box_edges[first], columns.box_edges[second]),
        same_category=columns.box_category[first] == columns.box_category[second],
    )


def task_agreement(columns: AnswerColumns, pairs: BoxPairs) -> Floats:
    """Agreement of each task, 0–1: the mean over its pairs of workers of their soft F1; NaN with one answer.

    The soft F1 of two workers is twice the overlap of their matched boxes of one category, divided by the
    number of boxes that both drew: a missed box, an extra box, another category and a loose box all lower it.
    Two empty answers agree fully.
    """
    tasks = len(columns.task_answers)
    drawn = boxes_of_answers(columns)
    both = drawn[columns.box_answer[pairs.first]] + drawn[columns.box_answer[pairs.second]]
    shares = 2 * pairs.iou * pairs.same_category / both
    empty = np.bincount(columns.answer_task[drawn == 0], minlength=tasks)
    matched = np.bincount(columns.box_task[pairs.first], weights=shares, minlength=tasks)
    agreed = matched + empty * (empty - 1) / 2
    people = columns.task_answers
    worker_pairs = people * (people - 1) / 2
    # Rounding may leave 1 + 2e-16 where all drew the same.
    result: Floats = np.minimum(
        np.divide(agreed, worker_pairs, out=np.full(tasks, np.nan), where=worker_pairs > 0), 1
    )
    return result


def image_agreement(columns: AnswerColumns, agreement: Floats) -> Floats:
    """Agreement of each image: the mean of its tasks, weighted by their pairs of workers; NaN without one."""
    weight = columns.task_answers * (columns.task_answers - 1) / 2
    total = np.bincount(
        columns.task_image, weights=np.nan_to_num(agreement) * weight, minlength=len(columns.images)
    )
    weights = np.bincount(columns.task_image, weights=weight, minlength=len(columns.images))
    result: Floats = np.divide(total, weights, out=np.full(len(weights), np.nan), where=weights > 0)
    return np.minimum(result, 1)


def boxes_of_answers(columns: AnswerColumns) -> Ints:
    """How many usable boxes each answer holds."""
    return np.bincount(columns.box_answer[columns.box_usable], minlength=len(columns.answer_task))


def agreement_report(columns: AnswerColumns, groups: Groups, pairs: BoxPairs) -> dict[str, Any]:
    """Alpha, mean pairwise IoU and F1 of the round and of each category, and the confusion of categories.

    ``pairwise_f1`` counts matched boxes of one category between every two workers of a task; ``pairwise_iou``
    is the mean overlap of matched boxes. None where no two workers answered the same task.
    """
    usable = columns.box_usable
    others = columns.task_answers[columns.box_task] - 1
    alike = pairs.same_category
    return {
        "krippendorff_alpha": _alpha(columns, groups),
        "pairwise_iou": _mean(pairs.iou),
        "pairwise_f1": _ratio(2 * int(alike.sum()), int(others[usable].sum())),
        "by_category": [
            _category_report(columns, pairs, number, usable & (columns.box_category == number))
            for number in range(len(columns.categories))
        ],
        "confusion": confusion(columns, groups),
    }


def confusion(columns: AnswerColumns, groups: Groups) -> list[dict[str, Any]]:
    """How often workers named an object of a category as which; only what occurs, sorted.

    ``worker`` is null where a worker did not draw the object; ``consensus`` is null where the majority did
    not.
    """
    usable = columns.box_usable
    group = groups.box_group[usable]
    agreed = np.where(groups.accepted, groups.category, -1)
    truth = np.r_[agreed[group], groups.category[groups.accepted]]
    given = np.r_[columns.box_category[usable], np.full(int(groups.accepted.sum()), -1)]
    missed = (groups.answers - groups.votes)[groups.accepted]
    weights = np.r_[np.ones(len(group), np.int64), missed]
    width = len(columns.categories) + 1
    counts = np.bincount((truth + 1) * width + given + 1, weights=weights, minlength=width * width)
    names: list[str | None] = [None, *columns.categories]
    return [
        {"consensus": names[cell // width], "worker": names[cell % width], "count": int(counts[cell])}
        for cell in np.flatnonzero(counts).tolist()
    ]


def _alpha(columns: AnswerColumns, groups: Groups) -> float | None:
    """Units are matched objects, opinions are categories or `did not draw it`, one a worker who answered."""
    usable = columns.box_usable
    drawn = groups.votes > 0
    absent = np.repeat(np.flatnonzero(drawn), (groups.answers - groups.votes)[drawn])
    return krippendorff_alpha(
        np.r_[groups.box_group[usable], absent],
        np.r_[columns.box_category[usable], np.full(len(absent), len(columns.categories))],
    )


def _category_report(columns: AnswerColumns, pairs: BoxPairs, number: int, boxes: Bools) -> dict[str, Any]:
    inside = pairs.same_category & (columns.box_category[pairs.first] == number)
    others = columns.task_answers[columns.box_task] - 1
    return {
        "category": columns.categories[number],
        "boxes": int(boxes.sum()),
        "pairwise_iou": _mean(pairs.iou[inside]),
        "pairwise_f1": _ratio(2 * int(inside.sum()), int(others[boxes].sum())),
    }


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
