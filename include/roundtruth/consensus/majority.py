"""Majority of matched boxes: which groups are objects, of which category, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from roundtruth.annotations import LABELS
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.grouped_boxes import medians
from roundtruth.consensus.matching import Bools, Floats, Ints, match_boxes

Place = Literal["mean", "median"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Matched boxes of a round, one entry a group; sorted by task, then left to right.

    ``box_group`` has one entry a box of the columns; groups without votes hold only boxes without area or
    boxes that their worker drew twice.
    """

    box_group: Ints
    task: Ints
    votes: Ints  # workers with a usable box in it
    answers: Ints  # workers who answered the task
    category: Ints  # most votes, then first by name
    category_votes: Ints
    runner_up_votes: Ints  # of the second category; 0 where all chose one
    edges: Floats  # left, top, right, bottom in pixels
    accepted: Bools
    score: Floats  # how sure it is an object, 0–1: the share of votes, or a probability

    @property
    def category_tied(self) -> Bools:
        """Whether two categories have the most votes."""
        result: Bools = (self.votes > 0) & (self.runner_up_votes == self.category_votes)
        return result


def group_boxes(
    columns: AnswerColumns, *, min_iou: float, place: Place = "mean", tolerance: float = 0.0
) -> Groups:
    """Match the boxes of all tasks and take the majority of each group.

    A group is an object when strictly more than half of the workers who answered its task drew it; so with
    one worker every box counts, and with two both must have drawn it. Its box is the mean or the median of
    each edge.

    :param tolerance: see ``matching.match_boxes``.
    """
    box_group = every_box(columns, match_usable(columns, min_iou, tolerance))
    count = int(box_group.max()) + 1 if len(box_group) else 0
    task = np.zeros(count, np.int64)
    task[box_group] = columns.box_task
    usable = columns.box_usable
    members, category = box_group[usable], columns.box_category[usable]
    votes = np.bincount(members, minlength=count)
    answers = columns.task_answers[task] if count else task
    winner, winner_votes, runner_up_votes = _vote_category(members, category, count)
    return Groups(
        box_group=box_group,
        task=task,
        votes=votes,
        answers=answers,
        category=winner,
        category_votes=winner_votes,
        runner_up_votes=runner_up_votes,
        edges=_place(members, columns.box_edges[usable], votes, place),
        accepted=2 * votes > answers,
        score=votes / np.maximum(answers, 1),
    )


def match_usable(columns: AnswerColumns, min_iou: float, tolerance: float) -> Ints:
    """The group of each usable box, numbered by task."""
    usable = columns.box_usable
    return match_boxes(
        columns.box_task[usable],
        columns.box_worker[usable],
        columns.box_category[usable],
        columns.box_edges[usable],
        min_iou=min_iou,
        tolerance=tolerance,
    )


def every_box(columns: AnswerColumns, usable_group: Ints) -> Ints:
    """Every box in exactly one group: usable ones as given, each of the others alone, numbered by task."""
    usable = columns.box_usable
    group = np.empty(len(usable), np.int64)
    group[usable] = usable_group
    group[~usable] = len(usable) + np.arange(int((~usable).sum()))
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    result: Ints = rank[inverse]
    return result


def labels_of(columns: AnswerColumns, groups: Groups) -> pd.DataFrame:
    """The accepted groups as a label table, sorted by image, task and place."""
    chosen = np.flatnonzero(groups.accepted)
    task = groups.task[chosen]
    edges = groups.edges[chosen]
    return label_frame(
        {
            "source_ref": _named(columns.images, columns.task_image[task]),
            "category": _named(columns.categories, groups.category[chosen]),
            "left": edges[:, 0],
            "top": edges[:, 1],
            "width": edges[:, 2] - edges[:, 0],
            "height": edges[:, 3] - edges[:, 1],
            "score": groups.score[chosen],
            "votes": groups.votes[chosen],
            "answers": groups.answers[chosen],
            "job": _named(columns.task_job, task),
        }
    )


def label_frame(columns: dict[str, object]) -> pd.DataFrame:
    """A frame with the columns and types of ``annotations.LABELS``."""
    frame = pd.DataFrame(columns)[LABELS.names]
    types = dict.fromkeys(("source_ref", "category", "job"), "str")
    types |= dict.fromkeys(("left", "top", "width", "height", "score"), "float64")
    typed: pd.DataFrame = frame.astype({**types, "votes": "int16", "answers": "int16"})
    return typed


def _named(names: list[str], number: Ints) -> pd.Series[str]:
    """The names of numbers, without an object of Python a row."""
    named: pd.Series[str] = pd.Series(names, dtype="str").take(number).reset_index(drop=True)
    return named


def _vote_category(members: Ints, category: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    winner, winner_votes = np.zeros(count, np.int64), np.zeros(count, np.int64)
    runner_up_votes = np.zeros(count, np.int64)
    if not len(members):
        return winner, winner_votes, runner_up_votes
    width = int(category.max()) + 1
    keys, votes = np.unique(members * width + category, return_counts=True)
    group, voted = keys // width, keys % width
    order = np.lexsort((voted, -votes, group))
    group, voted, votes = group[order], voted[order], votes[order]
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    winner[group[first]], winner_votes[group[first]] = voted[first], votes[first]
    second = first[first + 1 < len(group)] + 1
    second = second[group[second] == group[second - 1]]
    runner_up_votes[group[second]] = votes[second]
    return winner, winner_votes, runner_up_votes


def _place(members: Ints, edges: Floats, votes: Ints, place: Place) -> Floats:
    if place == "mean":
        sums = [np.bincount(members, weights=edges[:, edge], minlength=len(votes)) for edge in range(4)]
        means: Floats = np.stack(sums, axis=1) / np.maximum(votes, 1)[:, None]
        return means
    return medians(members, edges, votes)
