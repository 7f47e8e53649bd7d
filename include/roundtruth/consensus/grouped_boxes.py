"""The usable boxes of a round with the group each belongs to, and who was asked about each group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.matching import Floats, Ints

# Boxes that an iteration works on at a time, four edges each. Larger arrays leave the processor's cache, and
# each that is made takes fresh pages of the system: that was half of an iteration over 10,000 images.
AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupedBoxes:
    """One entry a usable box, sorted by task; groups are numbered from 0 by task, every one holds a box.

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

    def median_edges(self) -> Floats:
        """The median of each edge of each group, shape (groups, 4)."""
        return medians(self.group, self.edges, self.votes)

    def pieces(self) -> Iterator[tuple[GroupedBoxes, slice, slice]]:
        """Boxes of whole tasks, some ``AT_ONCE`` at a time, with their rows and groups among all of these."""
        if len(self.group) <= AT_ONCE:
            yield self, slice(0, len(self.group)), slice(0, self.groups)
            return
        first = np.flatnonzero(np.r_[True, self.task[1:] != self.task[:-1]])
        starts = np.r_[0, np.cumsum(self.votes)]
        cuts = first[np.flatnonzero(np.diff(starts[first] // AT_ONCE, prepend=-1))]
        for start, end in pairwise([*cuts.tolist(), self.groups]):
            rows, groups = slice(int(starts[start]), int(starts[end])), slice(start, end)
            piece = replace(
                self,
                rows=self.rows[rows],
                group=self.group[rows] - start,
                worker=self.worker[rows],
                category=self.category[rows],
                edges=self.edges[rows],
                task=self.task[groups],
                votes=self.votes[groups],
            )
            yield piece, rows, groups

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
        return sums(self.group, values, len(self.starts))

    def pieces(self) -> Iterator[tuple[Opinions, slice]]:
        """Opinions on whole groups, some at a time, with their groups among all of these."""
        if len(self.group) <= 4 * AT_ONCE:
            yield self, slice(0, len(self.starts))
            return
        cuts = np.flatnonzero(np.diff(self.starts // (4 * AT_ONCE), prepend=-1))
        ends = np.r_[self.starts, len(self.group)]
        for start, end in pairwise([*cuts.tolist(), len(self.starts)]):
            rows, groups = slice(int(ends[start]), int(ends[end])), slice(start, end)
            piece = Opinions(
                group=self.group[rows] - start,
                worker=self.worker[rows],
                drew=self.drew[rows],
                starts=self.starts[groups] - rows.start,
            )
            yield piece, groups


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


def medians(group: Ints, edges: Floats, votes: Ints) -> Floats:
    """The median of each edge of the boxes of each group, shape (groups, 4); 0 for a group without a box.

    :param votes: how many boxes each group has.
    """
    result = np.zeros((len(votes), 4))
    order = np.argsort(group, kind="stable")
    starts = np.cumsum(votes) - votes
    # Groups of as many boxes are sorted side by side; sorting all boxes by group and edge takes far longer.
    for count in np.unique(votes[votes > 0]).tolist():
        groups = np.flatnonzero(votes == count)
        boxes = order[starts[groups][:, None] + np.arange(count)]
        ordered = np.sort(np.moveaxis(edges.take(boxes, axis=0), 1, 2), axis=2)
        result[groups] = (ordered[:, :, (count - 1) // 2] + ordered[:, :, count // 2]) / 2
    return result
