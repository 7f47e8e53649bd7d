"""Pairs of boxes are those of the plain assignment of each image, however crowded it is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from roundtruth.consensus.matching import SAME_CATEGORY_BONUS, Ints, overlap
from roundtruth.consensus.one_to_one import Kind, one_to_one

GROUPS, MIN_IOU = 4, 0.4


def crowd(random: np.random.Generator, count: int) -> Kind:
    corners, sizes = random.uniform(0, 150, (count, 2)), random.uniform(10, 120, (count, 2))
    return Kind(
        group=random.integers(0, GROUPS, count),
        edges=np.concatenate([corners, corners + sizes], axis=1),
        category=random.integers(0, 3, count),
    )


def plain(ours: Kind, theirs: Kind) -> Ints:
    """One assignment an image over all its boxes."""
    beside = np.full(len(ours.group), -1)
    for group in range(GROUPS):
        rows, candidates = np.flatnonzero(ours.group == group), np.flatnonzero(theirs.group == group)
        overlaps = overlap(ours.edges[rows][:, None], theirs.edges[candidates][None])
        same = np.equal.outer(ours.category[rows], theirs.category[candidates])
        fits = overlaps >= MIN_IOU
        gain = np.where(fits, overlaps + SAME_CATEGORY_BONUS * same, 0)
        left, right = linear_sum_assignment(gain, maximize=True)
        beside[rows[left[fits[left, right]]]] = candidates[right[fits[left, right]]]
    return beside


@given(seed=st.integers(0, 2**32 - 1), ours=st.integers(0, 40), theirs=st.integers(0, 40))
def test_the_shortcut_for_lonely_boxes_changes_no_pair(seed: int, ours: int, theirs: int) -> None:
    random = np.random.default_rng(seed)
    first, second = crowd(random, ours), crowd(random, theirs)
    assert one_to_one(first, second, min_iou=MIN_IOU).tolist() == plain(first, second).tolist()


def test_the_same_category_goes_before_a_little_more_overlap() -> None:
    ours = Kind(group=np.array([7]), edges=np.array([[0.0, 0, 100, 100]]), category=np.array([1]))
    edges = np.array([[0.0, 0, 100, 100], [0, 0, 100, 99], [0, 0, 100, 100]])
    theirs = Kind(group=np.array([7, 7, 8]), edges=edges, category=np.array([0, 1, 1]))
    assert one_to_one(ours, theirs, min_iou=MIN_IOU).tolist() == [1]
