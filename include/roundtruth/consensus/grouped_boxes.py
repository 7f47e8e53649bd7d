"""The usable boxes of a round with the group each belongs to, and who was asked about each group."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.matching import Floats, Ints


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupedBoxes:
    """One entry a usable box; groups are numbered from 0 by task, every one holds a box.

    ``task`` and ``votes`` have one entry a group.
    """

    rows: Ints  # of the box in the columns
    group: Ints
    worker: Ints
    category: Ints
    edges: Floats  # left, top, right, bottom in pixels
    task: Ints
    votes: Ints
    workers: int  # how many workers there are
    categories: int

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.votes)

    def sum(self, values: Floats) -> Floats:
        """Sums a group of one value a box, or of several: shape (boxes,) or (boxes, values)."""
        return sums(self.group, values, self.groups)

    def sum_by_worker(self, values: Floats) -> Floats:
        """Sums a worker, as ``sum``."""
        return sums(self.worker, values, self.workers)

    def regrouped(self, group: Ints) -> GroupedBoxes:
        """The same boxes in other groups of the same tasks; numbers are made dense."""
        _, first, dense = np.unique(group, return_index=True, return_inverse=True)
        task = self.task[self.group[first]]
        return replace(self, group=dense, task=task, votes=np.bincount(dense, minlength=len(first)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Opinions:
    """One entry a group and worker who answered its task, sorted by group: drew it or not."""

    group: Ints
    worker: Ints
    drew: Floats  # 1 or 0
    starts: Ints  # the first entry of each group

    def sum(self, values: Floats) -> Floats:
        """Sums a group of one value an opinion."""
        result: Floats = np.add.reduceat(values, self.starts) if len(values) else np.zeros(0)
        return result


def grouped_boxes(columns: AnswerColumns, box_group: Ints) -> GroupedBoxes:
    """The usable boxes of the columns with the groups that ``matching.match_boxes`` gave them.

    :param box_group: one entry a usable box.
    """
    rows = np.flatnonzero(columns.box_usable)
    count = int(box_group.max()) + 1 if len(box_group) else 0
    task = np.zeros(count, np.int64)
    task[box_group] = columns.box_task[rows]
    return GroupedBoxes(
        rows=rows,
        group=box_group,
        worker=columns.box_worker[rows],
        category=columns.box_category[rows],
        edges=columns.box_edges[rows],
        task=task,
        votes=np.bincount(box_group, minlength=count),
        workers=len(columns.workers),
        categories=len(columns.categories),
    )


def opinions(columns: AnswerColumns, boxes: GroupedBoxes) -> Opinions:
    """Who drew each group and who, asked about its task, did not."""
    first_answer = np.cumsum(columns.task_answers) - columns.task_answers
    asked = columns.task_answers[boxes.task]
    starts = np.cumsum(asked) - asked
    group = np.repeat(np.arange(boxes.groups), asked)
    answer = np.arange(len(group)) - starts[group] + first_answer[boxes.task][group]
    drew = np.zeros(len(group))
    place_in_task = columns.box_answer[boxes.rows] - first_answer[columns.box_task[boxes.rows]]
    drew[starts[boxes.group] + place_in_task] = 1.0
    return Opinions(group=group, worker=columns.answer_worker[answer], drew=drew, starts=starts)


def sums(number: Ints, values: Floats, count: int) -> Floats:
    """Sums by number of one value or several an entry: shape (count,) or (count, values)."""
    if values.ndim == 1:
        single: Floats = np.bincount(number, weights=values, minlength=count).astype(np.float64)
        return single
    result = np.zeros((count, values.shape[1]))
    for column in range(values.shape[1]):
        result[:, column] = np.bincount(number, weights=values[:, column], minlength=count)
    return result
