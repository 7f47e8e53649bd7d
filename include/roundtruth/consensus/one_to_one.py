"""Boxes of two kinds paired one to one: in each image the assignment with the most overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from roundtruth.consensus.matching import (
    SAME_CATEGORY_BONUS,
    Bools,
    Floats,
    Ints,
    overlap,
    overlapping_pairs,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """The boxes of one kind: numbers of their groups (an image, or an image and a job) and categories.

    ``edges`` are left, top, right, bottom in pixels, shape (boxes, 4).
    """

    group: Ints
    edges: Floats
    category: Ints


def one_to_one(ours: Kind, theirs: Kind, *, min_iou: float) -> Ints:
    """The row of theirs beside each of ours, or -1; both overlap by ``min_iou`` and lie in one group.

    The same category goes before another. Groups and categories have the same numbers in both kinds.
    """
    beside = np.full(len(ours.group), -1)
    first, second = _fitting(ours, theirs, min_iou)
    # A box that fits one alone, which fits no other: nearly all do, and need no assignment.
    alone = (np.bincount(first, minlength=len(ours.group))[first] == 1) & (
        np.bincount(second, minlength=len(theirs.group))[second] == 1
    )
    beside[first[alone]] = second[alone]
    for rows, candidates in _rivals(ours, theirs, first[~alone]):
        same = np.equal.outer(ours.category[rows], theirs.category[candidates])
        chosen, taken = _pairs(ours.edges[rows], theirs.edges[candidates], same, min_iou)
        beside[rows[chosen]] = candidates[taken]
    return beside


def _fitting(ours: Kind, theirs: Kind, min_iou: float) -> tuple[Ints, Ints]:
    """Rows of ours and of theirs that overlap by ``min_iou``, each such pair once."""
    group = np.concatenate([ours.group, theirs.group])
    edges = np.concatenate([ours.edges, theirs.edges])
    order = np.lexsort((edges[:, 0], group))
    first, second = overlapping_pairs(group[order], edges[order], min_iou)
    first, second = order[first], order[second]
    low, high = np.minimum(first, second), np.maximum(first, second)
    count = len(ours.group)
    across = (low < count) & (high >= count)
    return low[across], high[across] - count


def _rivals(ours: Kind, theirs: Kind, among: Ints) -> Iterator[tuple[Ints, Ints]]:
    """All rows of ours, and all of theirs, in each group that holds one of these rows of ours."""
    wanted = np.unique(ours.group[among])
    yield from zip(_rows_of(ours, wanted), _rows_of(theirs, wanted), strict=True)


def _rows_of(kind: Kind, wanted: Ints) -> list[Ints]:
    """The rows of each wanted group, in their order."""
    rows = np.flatnonzero(np.isin(kind.group, wanted))
    rows = rows[np.argsort(kind.group[rows], kind="stable")]
    ends = np.searchsorted(kind.group[rows], wanted, side="right")
    return np.split(rows, ends)[: len(wanted)]


def _pairs(ours: Floats, theirs: Floats, same: Bools, min_iou: float) -> tuple[Ints, Ints]:
    overlaps = overlap(ours[:, None], theirs[None])
    fits: Bools = (overlaps >= min_iou) & (overlaps > 0)
    left, right = linear_sum_assignment(
        np.where(fits, overlaps + SAME_CATEGORY_BONUS * same, 0), maximize=True
    )
    kept = fits[left, right]
    return left[kept], right[kept]
