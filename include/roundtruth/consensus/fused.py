"""Fuse boxes by what people show of their skill: existence, category and place of each object, by EM.

``make bench-consensus`` compares it with what others do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.category_choices import choices_of_parts
from roundtruth.consensus.existence import Existence, Noticed, existence_of_parts
from roundtruth.consensus.group_categories import GroupCategories, categories_of_parts
from roundtruth.consensus.grouped_boxes import GroupedBoxes, grouped_boxes, opinions
from roundtruth.consensus.majority import Groups, every_box, match_usable
from roundtruth.consensus.matching import HAND_TOLERANCE, Floats, Ints
from roundtruth.consensus.parts import Keep, Totals
from roundtruth.consensus.place import Places, places_of_parts
from roundtruth.consensus.split_objects import join_split_objects
from roundtruth.consensus.worker_skills import (
    WorkerSkills,
    category_skill,
    drawing_skill,
    existence_skill,
    renewed_skills,
)

# Fused boxes of people who did not both draw, overlapping so much, are one object drawn in two ways. Fused
# boxes scatter less than single ones, so this can be lower than min_iou (real answers: of single boxes that
# overlap another group by .2 to .4 and lack its workers, 8 of 10 are no object of their own).
SAME_OBJECT_IOU = 0.3

_FIRST_ITERATIONS = 8  # of place, before existence is known: enough to see what overlaps


@dataclass(frozen=True, kw_only=True, eq=False)
class FusedRound:
    """The groups of a part with their probabilities (``groups.score``), and the skills after this round.

    A group's probability is that of a right label: an object, of this category, and overlapping the true box
    by half at least. Existence alone promises too much where few drew a box: the object may be there and the
    box beside it.

    One entry a group: ``real``, ``category_probability`` and ``misplaced``, the chance that the fused box
    overlaps the true one by less than three quarters; 0, 1 and 0 for groups without a usable box.
    """

    groups: Groups
    real: Floats
    category_probability: Floats
    misplaced: Floats
    skills: WorkerSkills


def fuse_boxes(columns: AnswerColumns, *, min_iou: float, skills: WorkerSkills | None = None) -> FusedRound:
    """``fuse_parts`` of a round that is one part."""
    (fused,) = fuse_parts([columns], min_iou=min_iou, skills=skills)
    return fused


def fuse_parts(
    parts: Collection[AnswerColumns],
    *,
    min_iou: float,
    skills: WorkerSkills | None = None,
    keep: Keep = list,
) -> Collection[FusedRound]:
    """Match the boxes of all tasks and estimate what they are.

    A group is an object when that is likelier than not (and, with one worker and nothing else known, always:
    there is nobody to ask).

    :param parts: columns of all parts, whose workers and categories have the same numbers.
    :param skills: what earlier rounds say of the workers.
    """
    skills = skills or WorkerSkills()
    workers = next(iter(parts)).workers
    drawing, naming = drawing_skill(skills, workers), category_skill(skills, workers)
    matched = keep(grouped_boxes(one, match_usable(one, min_iou, HAND_TOLERANCE)) for one in parts)
    first = places_of_parts(
        matched,
        keep(np.ones(boxes.groups) for boxes in matched),
        drawing,
        iterations=_FIRST_ITERATIONS,
        keep=keep,
    )
    grouped = keep(
        join_split_objects(boxes, _grown(places.edges), min_iou=SAME_OBJECT_IOU)
        for boxes, places in zip(matched, first, strict=True)
    )
    del matched, first
    votes = keep(_votes(one, boxes) for one, boxes in zip(parts, grouped, strict=True))
    choices = choices_of_parts(grouped, keep)
    categories = categories_of_parts(grouped, choices, votes, naming, keep=keep)
    existence = existence_of_parts(
        keep(_noticed(parts, grouped, categories)), existence_skill(skills, workers), keep=keep
    )
    real = keep(one.real for one in existence)
    places = places_of_parts(grouped, real, drawing, keep=keep)
    categories = categories_of_parts(grouped, choices, real, naming, keep=keep)
    return keep(
        _fused(*found, skills) for found in zip(parts, grouped, existence, places, categories, strict=True)
    )


def _grown(edges: Floats) -> Floats:
    return edges + HAND_TOLERANCE * np.array([-1.0, -1.0, 1.0, 1.0])


def _votes(columns: AnswerColumns, boxes: GroupedBoxes) -> Floats:
    result: Floats = boxes.votes / np.maximum(columns.task_answers[boxes.task], 1)
    return result


def _noticed(
    parts: Collection[AnswerColumns],
    grouped: Collection[GroupedBoxes],
    categories: Collection[GroupCategories],
) -> Iterator[Noticed]:
    """With what makes an object hard for everybody, its size and the crowd around it, centred."""
    totals = Totals()
    for columns, boxes in zip(parts, grouped, strict=True):
        totals.add(groups=boxes.groups, hard=_size_and_crowd(columns, boxes).sum(axis=0))
    centre = totals["hard"] / max(totals["groups"], 1)
    for columns, boxes, named in zip(parts, grouped, categories, strict=True):
        yield Noticed(
            opinions=opinions(columns, boxes),
            # A usual difference is a factor of e^0.5; a fixed unit keeps equal sizes harmless.
            covariates=(_size_and_crowd(columns, boxes) - centre) / 0.5,
            evidence=named.evidence,
        )


def _size_and_crowd(columns: AnswerColumns, boxes: GroupedBoxes) -> Floats:
    edges = boxes.sum(boxes.edges) / np.maximum(boxes.votes, 1)[:, None]
    sides = np.maximum(edges[:, 2:] - edges[:, :2], 1.0)
    size = np.log(np.sqrt(sides.prod(axis=1)))
    crowd = np.log(np.bincount(boxes.task, minlength=len(columns.task_answers))[boxes.task])
    return np.stack([size, crowd], axis=1)


def _fused(
    columns: AnswerColumns,
    boxes: GroupedBoxes,
    existence: Existence,
    places: Places,
    categories: GroupCategories,
    skills: WorkerSkills,
) -> FusedRound:
    groups = _groups(columns, boxes, existence, places, categories)
    number = _numbers(groups.box_group, boxes)
    probability, misplaced = np.ones(len(groups.votes)), np.zeros(len(groups.votes))
    probability[number], misplaced[number] = categories.probability, _overlaps_less(places, 0.75)
    real = np.zeros(len(groups.votes))
    real[number] = existence.real
    return FusedRound(
        groups=groups,
        real=real,
        category_probability=probability,
        misplaced=misplaced,
        skills=renewed_skills(skills, columns.workers, existence.skill, categories.skill, places.skill),
    )


def _overlaps_less(places: Places, overlap: float) -> Floats:
    """The chance that a fused box and the true one overlap by less than so much (0–1).

    To first order an overlap falls short of 1 by the sum of the edges' errors over their sides; errors are
    taken as normal.
    """
    sides = np.maximum(places.edges[:, 2:] - places.edges[:, :2], 1.0)[:, [0, 1, 0, 1]]
    error = np.sqrt(places.variance) / sides
    mean = np.sqrt(2 / np.pi) * error.sum(axis=1)
    deviation = np.sqrt((1 - 2 / np.pi) * (error**2).sum(axis=1))
    result: Floats = ndtr((mean - (1 - overlap)) / np.maximum(deviation, 1e-9))
    return result


def _groups(
    columns: AnswerColumns,
    boxes: GroupedBoxes,
    existence: Existence,
    places: Places,
    categories: GroupCategories,
) -> Groups:
    box_group = every_box(columns, boxes.group)
    count = int(box_group.max()) + 1 if len(box_group) else 0
    number = _numbers(box_group, boxes)
    task = np.zeros(count, np.int64)
    task[box_group] = columns.box_task
    answers = columns.task_answers[task] if count else task

    def spread(values: Any, *shape: int) -> Any:
        result = np.zeros((count, *shape), values.dtype)
        result[number] = values
        return result

    real = existence.real
    alone = columns.task_answers[boxes.task] == 1
    return Groups(
        box_group=box_group,
        task=task,
        votes=spread(boxes.votes),
        answers=answers,
        category=spread(categories.category),
        category_votes=spread(categories.votes),
        runner_up_votes=spread(categories.runner_up_votes),
        edges=spread(places.edges, 4),
        accepted=spread((real >= 0.5) | (alone & ~existence.judged)),
        score=spread(real * categories.probability * (1 - _overlaps_less(places, 0.5))),
    )


def _numbers(box_group: Ints, boxes: GroupedBoxes) -> Ints:
    """The number that each group of usable boxes has among all."""
    number = np.zeros(boxes.groups, np.int64)
    number[boxes.group] = box_group[boxes.rows]
    return number
