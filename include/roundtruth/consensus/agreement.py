"""How far workers agree: by image, by category and over the round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roundtruth.consensus.alpha import alpha_of, coincidences
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.majority import Groups
from roundtruth.consensus.matching import Bools, Floats, Ints, overlap, pairs_within
from roundtruth.consensus.parts import Totals


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
        iou=overlap(columns.box_edges.take(first, axis=0), columns.box_edges.take(second, axis=0)),
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


def agreement_sums(columns: AnswerColumns, groups: Groups, pairs: BoxPairs) -> dict[str, Any]:
    """What a part adds to ``agreement_report``, by name."""
    usable = columns.box_usable
    others = columns.task_answers[columns.box_task] - 1
    alike = pairs.same_category
    observed, values = _coincidences(columns, groups)
    categories = [_category_sums(columns, pairs, number) for number in range(len(columns.categories))]
    return {
        "observed": observed,
        "values": values,
        "pairs": len(pairs.iou),
        "iou": float(pairs.iou.sum()),
        "alike": int(alike.sum()),
        "others": int(others[usable].sum()),
        "by_category": np.array(categories, np.float64).reshape(-1, 4),
        "confusion": confusion_counts(columns, groups),
    }


def agreement_report(categories: Sequence[str], totals: Totals) -> dict[str, Any]:
    """Alpha, mean pairwise IoU and F1 of the round and of each category, and the confusion of categories.

    ``pairwise_f1`` counts matched boxes of one category between every two workers of a task; ``pairwise_iou``
    is the mean overlap of matched boxes. None where no two workers answered the same task.

    :param totals: of ``agreement_sums``.
    """
    return {
        "krippendorff_alpha": alpha_of(totals["observed"], totals["values"]),
        "pairwise_iou": _ratio(totals["iou"], totals["pairs"]),
        "pairwise_f1": _ratio(2 * totals["alike"], totals["others"]),
        "by_category": [
            {
                "category": category,
                "boxes": int(boxes),
                "pairwise_iou": _ratio(iou, inside),
                "pairwise_f1": _ratio(2 * inside, others),
            }
            for category, (boxes, others, inside, iou) in zip(
                categories, totals["by_category"].tolist(), strict=True
            )
        ],
        "confusion": confusion(categories, totals["confusion"]),
    }


def confusion_counts(columns: AnswerColumns, groups: Groups) -> Ints:
    """How often workers named an object of a category as which.

    A row a category of the consensus, a column a worker's; the first of each is for what is not drawn.
    """
    usable = columns.box_usable
    group = groups.box_group[usable]
    agreed = np.where(groups.accepted, groups.category, -1)
    truth = np.r_[agreed[group], groups.category[groups.accepted]]
    given = np.r_[columns.box_category[usable], np.full(int(groups.accepted.sum()), -1)]
    missed = (groups.answers - groups.votes)[groups.accepted]
    weights = np.r_[np.ones(len(group), np.int64), missed]
    width = len(columns.categories) + 1
    counts: Ints = np.bincount((truth + 1) * width + given + 1, weights=weights, minlength=width * width)
    return counts.reshape(width, width)


def confusion(categories: Sequence[str], counts: Ints) -> list[dict[str, Any]]:
    """``confusion_counts`` as a list; only what occurs, sorted.

    ``worker`` is null where a worker did not draw the object; ``consensus`` is null where the majority did
    not.
    """
    names: list[str | None] = [None, *categories]
    return [
        {"consensus": names[row], "worker": names[column], "count": int(counts[row, column])}
        for row, column in np.argwhere(counts).tolist()
    ]


def _coincidences(columns: AnswerColumns, groups: Groups) -> tuple[float, Floats]:
    """Units are matched objects, opinions are categories or `did not draw it`, one a worker who answered."""
    usable = columns.box_usable
    drawn = groups.votes > 0
    absent = np.repeat(np.flatnonzero(drawn), (groups.answers - groups.votes)[drawn])
    return coincidences(
        np.r_[groups.box_group[usable], absent],
        np.r_[columns.box_category[usable], np.full(len(absent), len(columns.categories))],
        len(columns.categories) + 1,
    )


def _category_sums(columns: AnswerColumns, pairs: BoxPairs, number: int) -> tuple[float, ...]:
    """Boxes of a category, boxes they could have been matched with, matched pairs, their overlap."""
    boxes = columns.box_usable & (columns.box_category == number)
    inside = pairs.same_category & (columns.box_category[pairs.first] == number)
    others = columns.task_answers[columns.box_task] - 1
    return boxes.sum(), others[boxes].sum(), inside.sum(), pairs.iou[inside].sum()


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
