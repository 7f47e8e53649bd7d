"""What each group of boxes may be: the categories that its workers chose, numbered alike in all parts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from roundtruth.consensus.grouped_boxes import GroupedBoxes
from roundtruth.consensus.matching import Bools, Ints
from roundtruth.consensus.parts import Keep


@dataclass(frozen=True, kw_only=True, eq=False)
class Choices:
    """Candidates: a group with a category that one of its boxes names. Pairs: a box with each candidate.

    Cells, rows and wrong choices are numbered by the sorted ``*_keys``: first those of the part, then those
    of all parts.
    """

    group: Ints
    category: Ints
    votes: Ints
    box: Ints
    candidate: Ints
    same: Bools
    cell: Ints  # of each pair: number of its worker, the candidate and the box's category
    row: Ints  # of each pair: number of its worker and the candidate
    wrong: Ints  # of each pair that is not the same: number of the candidate's category and the box's
    cell_keys: Ints
    row_keys: Ints
    wrong_keys: Ints


def choices_of_parts(parts: Collection[GroupedBoxes], keep: Keep = list) -> Collection[Choices]:
    """The candidates of each part, and its boxes beside them."""
    return _numbered_alike(keep(_candidates(boxes) for boxes in parts), keep)


def _candidates(boxes: GroupedBoxes) -> Choices:
    """The candidates of a part, and its boxes beside them."""
    key, votes = np.unique(boxes.group * boxes.categories + boxes.category, return_counts=True)
    group, category = np.divmod(key, max(boxes.categories, 1))
    first = np.searchsorted(group, np.arange(boxes.groups))
    count = np.bincount(group, minlength=boxes.groups)
    of_box = count[boxes.group]
    box = np.repeat(np.arange(len(boxes.group)), of_box)
    place = np.arange(len(box)) - np.repeat(np.cumsum(of_box) - of_box, of_box)
    candidate = place + first[boxes.group[box]]
    same = category[candidate] == boxes.category[box]
    width = boxes.categories
    given = boxes.category[box]
    row_keys, row = np.unique(boxes.worker[box] * width + category[candidate], return_inverse=True)
    cell_keys, cell = np.unique(row_keys[row] * width + given, return_inverse=True)
    wrong_keys, wrong = np.unique(category[candidate[~same]] * width + given[~same], return_inverse=True)
    return Choices(
        group=group,
        category=category,
        votes=votes,
        box=box,
        candidate=candidate,
        same=same,
        cell=cell,
        row=row,
        wrong=wrong,
        cell_keys=cell_keys,
        row_keys=row_keys,
        wrong_keys=wrong_keys,
    )


def _numbered_alike(choices: Collection[Choices], keep: Keep) -> Collection[Choices]:
    """The same with the numbers of cells, rows and wrong choices that they have among all parts."""
    if len(choices) == 1:
        return choices
    names = ("cell", "row", "wrong")
    keys = {name: np.zeros(0, np.int64) for name in names}
    for one in choices:
        keys = {name: np.union1d(keys[name], getattr(one, f"{name}_keys")) for name in names}
    return keep(_renumbered(one, keys) for one in choices)


def _renumbered(choices: Choices, keys: dict[str, Ints]) -> Choices:
    changes: dict[str, Any] = {}
    for name, of_all in keys.items():
        number = np.searchsorted(of_all, getattr(choices, f"{name}_keys"))
        changes |= {name: number[getattr(choices, name)], f"{name}_keys": of_all}
    return replace(choices, **changes)
