"""Disputed images: which, why, and the answers that caused it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from roundtruth.consensus.agreement import BoxPairs
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.fused import FusedRound
from roundtruth.consensus.majority import Groups
from roundtruth.consensus.matching import Bools, Floats

MISSING = "missing"  # the majority drew it, somebody did not
EXTRA = "extra"  # drawn by fewer than half
TIED = "tied"  # drawn by exactly half
LABEL_MISMATCH = "label mismatch"  # its boxes have different categories
LOW_OVERLAP = "low overlap"  # its boxes overlap less than the agreement asked for
REASONS = (MISSING, EXTRA, TIED, LABEL_MISMATCH, LOW_OVERLAP)

# A group of which there is less doubt than this is not named as a reason: more answers are not for its sake.
_NOTEWORTHY = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Disputes:
    """What people disagree on: a flag for each task and image, and for each reason a flag a group."""

    tasks: Bools
    images: Bools
    reasons: dict[str, Bools]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Listed:
    """Rows that the report lists: boxes by group, answers by task; places as left, top, width, height."""

    boxes: dict[int, list[int]]
    answers: dict[int, list[int]]
    box_places: Floats
    group_places: Floats


def find_disputes(
    columns: AnswerColumns, groups: Groups, pairs: BoxPairs, agreement: Floats, *, min_agreement: float
) -> Disputes:
    """Tell which tasks and images are disputed.

    A task is disputed when two or more answered it and their agreement is below ``min_agreement``, or when
    the votes on an object or on its category are exactly tied. An image is disputed when one of its tasks is.

    :param agreement: of each task, 0–1; NaN with one answer.
    """
    drawn = groups.votes > 0
    several = groups.answers > 1
    tied = drawn & several & (2 * groups.votes == groups.answers)
    tasks = np.nan_to_num(agreement, nan=1.0) < min_agreement
    tasks[groups.task[tied | (groups.category_tied & groups.accepted)]] = True
    images = np.zeros(len(columns.images), bool)
    images[columns.task_image[tasks]] = True
    disputed = tasks[groups.task] & several & drawn
    reasons = {
        MISSING: groups.accepted & (groups.votes < groups.answers),
        EXTRA: ~groups.accepted & ~tied,
        TIED: tied,
        LABEL_MISMATCH: groups.category_votes < groups.votes,
        LOW_OVERLAP: _mean_overlap(columns, groups, pairs) < min_agreement,
    }
    return Disputes(
        tasks=tasks, images=images, reasons={name: flag & disputed for name, flag in reasons.items()}
    )


def find_doubts(columns: AnswerColumns, fused: FusedRound, *, max_doubt: float) -> Disputes:
    """Tell which tasks are still uncertain after ``fused``, so that more answers may settle them.

    The doubt of a task is how many of its boxes are expected to be wrong: not an object (or one left out), of
    another category, or overlapping the object by less than three quarters. With one answer nothing is
    doubted, as there is nobody to disagree.
    """
    groups = fused.groups
    doubts = group_doubts(fused)
    total = np.bincount(groups.task, weights=sum(doubts), minlength=len(columns.task_answers))
    tasks = (total > max_doubt) & (columns.task_answers > 1)
    images = np.zeros(len(columns.images), bool)
    images[columns.task_image[tasks]] = True
    existence, category, place = (tasks[groups.task] & (doubt > _NOTEWORTHY) for doubt in doubts)
    # Where doubt is spread over many objects, each of them is a reason.
    unnamed = tasks & ~np.isin(np.arange(len(tasks)), groups.task[existence | category | place])
    existence |= unnamed[groups.task] & (groups.votes > 0)
    tied = 2 * groups.votes == groups.answers
    return Disputes(
        tasks=tasks,
        images=images,
        reasons={
            MISSING: existence & ~tied & (2 * groups.votes > groups.answers),
            EXTRA: existence & ~tied & (2 * groups.votes < groups.answers),
            TIED: existence & tied,
            LABEL_MISMATCH: category,
            LOW_OVERLAP: place,
        },
    )


def group_doubts(fused: FusedRound) -> tuple[Floats, Floats, Floats]:
    """The chance that each group is wrong by existence, by category and by place."""
    drawn = fused.groups.votes > 0
    existence = np.minimum(fused.real, 1 - fused.real) * drawn
    kept = fused.real * fused.groups.accepted
    return existence, kept * (1 - fused.category_probability), kept * fused.misplaced


def image_reasons(columns: AnswerColumns, groups: Groups, disputes: Disputes) -> list[str]:
    """One sentence part an image, such as ``2 missing, 1 extra``; empty where it is not disputed."""
    image = columns.task_image[groups.task]
    parts: list[list[str]] = [[] for _ in columns.images]
    for reason in REASONS:
        for number, count in sorted(Counter(image[disputes.reasons[reason]].tolist()).items()):
            parts[number].append(f"{count} {reason}")
    return [", ".join(part) for part in parts]


def dispute_report(
    columns: AnswerColumns, groups: Groups, disputes: Disputes, agreement: Floats
) -> list[dict[str, Any]]:
    """The disputed images in order, each with its disputed objects and the answers on them.

    Workers stand by pseudonym; places are pixels.

    :param agreement: of each image, 0–1.
    """
    flagged = np.logical_or.reduce([disputes.reasons[reason] for reason in REASONS])
    objects: dict[int, list[int]] = {}
    for group in np.flatnonzero(flagged).tolist():
        objects.setdefault(int(columns.task_image[groups.task[group]]), []).append(group)
    listed = _Listed(
        boxes=_rows_by(groups.box_group, flagged[groups.box_group] & columns.box_usable),
        answers=_rows_by(columns.answer_task, disputes.tasks[columns.answer_task]),
        box_places=_places(columns.box_edges),
        group_places=_places(groups.edges),
    )
    return [
        {
            "source_ref": columns.images[image],
            "agreement": round(float(agreement[image]), 3),
            "objects": [
                _object_report(columns, groups, disputes, group, listed) for group in objects.get(image, [])
            ],
        }
        for image in np.flatnonzero(disputes.images).tolist()
    ]


def _mean_overlap(columns: AnswerColumns, groups: Groups, pairs: BoxPairs) -> Floats:
    """Mean IoU of each group's pairs of boxes; 1 where it has one box."""
    group = groups.box_group[pairs.first]
    count = np.bincount(group, minlength=len(groups.votes))
    total = np.bincount(group, weights=pairs.iou, minlength=len(groups.votes))
    result: Floats = np.divide(total, count, out=np.ones(len(count)), where=count > 0)
    return result


def _object_report(
    columns: AnswerColumns, groups: Groups, disputes: Disputes, group: int, listed: _Listed
) -> dict[str, Any]:
    drawn = listed.boxes[group]
    drawn_by = {int(columns.box_worker[row]) for row in drawn}
    asked = {int(columns.answer_worker[row]) for row in listed.answers[int(groups.task[group])]}
    return {
        "reasons": [reason for reason in REASONS if disputes.reasons[reason][group]],
        "category": columns.categories[groups.category[group]],
        **_place(listed.group_places[group]),
        "votes": int(groups.votes[group]),
        "answers": int(groups.answers[group]),
        "drawn": [
            {
                "worker": columns.workers[columns.box_worker[row]],
                "box": int(columns.box_place[row]),
                "category": columns.categories[columns.box_category[row]],
                **_place(listed.box_places[row]),
            }
            for row in drawn
        ],
        "not_drawn_by": sorted(columns.workers[worker] for worker in asked - drawn_by),
    }


def _rows_by(numbers: Any, chosen: Bools) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = {}
    for row in np.flatnonzero(chosen).tolist():
        rows.setdefault(int(numbers[row]), []).append(row)
    return rows


def _places(edges: Floats) -> Floats:
    """Left, top, width, height of edges, to a thousandth of a pixel."""
    result: Floats = np.round(np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1), 3)
    return result


def _place(place: Floats) -> dict[str, float]:
    return dict(zip(("left", "top", "width", "height"), place.tolist(), strict=True))
