"""Matching boxes across workers."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.consensus.matching import (
    match_boxes,
    overlap,
    overlapping_pairs,
    pairs_within,
)


def match(boxes: list[tuple[int, int, int, tuple[float, float, float, float]]], min_iou: float = 0.5):
    """Boxes as (task, worker, category, (left, top, right, bottom))."""
    task, worker, category = (np.array([box[i] for box in boxes], np.int64) for i in range(3))
    edges = np.array([box[3] for box in boxes], np.float64).reshape(-1, 4)
    return match_boxes(task, worker, category, edges, min_iou=min_iou)


def partition(groups) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == group).tolist()) for group in np.unique(groups)}


SQUARE = (0.0, 0.0, 10.0, 10.0)
NEAR = (1.0, 0.0, 11.0, 10.0)  # IoU 9/11 with SQUARE
FAR = (50.0, 50.0, 60.0, 60.0)
FLAT = (3.0, 3.0, 3.0, 8.0)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        pytest.param([], set(), id="no boxes"),
        pytest.param([(0, 0, 0, SQUARE), (0, 0, 0, FAR)], {(0,), (1,)}, id="one worker only"),
        pytest.param([(0, 0, 0, SQUARE), (0, 1, 0, NEAR)], {(0, 1)}, id="two workers, one object"),
        pytest.param([(0, 0, 0, SQUARE), (0, 1, 1, NEAR)], {(0, 1)}, id="another category is matched too"),
        pytest.param([(0, 0, 0, SQUARE), (1, 1, 0, SQUARE)], {(0,), (1,)}, id="two tasks never mix"),
        pytest.param(
            [(0, 0, 0, SQUARE), (0, 0, 0, SQUARE)], {(0,), (1,)}, id="identical duplicates by one worker"
        ),
        pytest.param(
            [(0, 0, 0, FLAT), (0, 1, 0, FLAT)], {(0,), (1,)}, id="boxes without area overlap nothing"
        ),
        pytest.param(
            [(0, 0, 0, SQUARE), (0, 1, 0, NEAR), (0, 1, 0, (4.0, 0.0, 14.0, 10.0))],
            {(0, 1), (2,)},
            id="best overlap first",
        ),
        pytest.param(
            # 0 and 2 overlap by 2/3, 1 and 2 by 9/11: the nearly equal box of the same category wins.
            [(0, 0, 0, NEAR), (0, 0, 1, (-1.0, 0.0, 9.0, 10.0)), (0, 1, 1, SQUARE)],
            {(1, 2), (0,)},
            id="same category breaks a tie of overlap",
        ),
        pytest.param(
            # A chain: 0-1 and 1-2 overlap, 0-2 do not; average link keeps the looser end out.
            [(0, 0, 0, (0, 0, 10, 10)), (0, 1, 0, (2, 0, 12, 10)), (0, 2, 0, (5.2, 0, 15.2, 10))],
            {(0, 1), (2,)},
            id="a chain is not one object",
        ),
    ],
)
def test_groups(boxes, expected):
    assert partition(match(boxes)) == {frozenset(group) for group in expected}


def test_groups_are_numbered_by_task_and_from_left_to_right():
    groups = match([(1, 0, 0, SQUARE), (0, 0, 0, FAR), (0, 0, 0, SQUARE), (0, 1, 0, NEAR)])
    assert groups.tolist() == [2, 1, 0, 0]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(SQUARE, SQUARE, 1.0, id="same"),
        pytest.param(SQUARE, NEAR, 9 / 11, id="shifted"),
        pytest.param(SQUARE, FAR, 0.0, id="apart"),
        pytest.param(SQUARE, (10.0, 0.0, 20.0, 10.0), 0.0, id="touching"),
        pytest.param(FLAT, FLAT, 0.0, id="no area"),
        pytest.param(SQUARE, (10.0, 10.0, 0.0, 0.0), 0.0, id="inverted"),
    ],
)
def test_overlap(first, second, expected):
    assert overlap(np.array(first), np.array(second)) == pytest.approx(expected)


def test_pairs_within_segments():
    first, second = pairs_within(np.array([0, 0, 0, 1, 2, 2]))
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2), (4, 5)]


# Coarse coordinates make ties and identical boxes likely: that is where an order could leak in.
coordinate = st.integers(0, 6)
side = st.integers(0, 4)
box_lists = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.integers(0, 2),
        st.tuples(coordinate, coordinate, side, side).map(
            lambda b: (float(b[0]), float(b[1]), float(b[0] + b[2]), float(b[1] + b[3]))
        ),
    ),
    min_size=1,
    max_size=40,
)


@given(box_lists, st.sampled_from([0.0, 0.3, 1.0]))
def test_overlapping_pairs_are_all_that_overlap_enough(boxes, min_iou):
    rows = sorted((task, edges) for task, _, _, edges in boxes)
    task, edges = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    expected = {
        (one, two)
        for one in range(len(rows))
        for two in range(one + 1, len(rows))
        if task[one] == task[two] and 0 < overlap(edges[one], edges[two]) >= min_iou
    }
    first, second = overlapping_pairs(task, edges, min_iou)
    found = list(zip(first.tolist(), second.tolist(), strict=True))
    assert set(found) == expected
    assert len(found) == len(expected)


@given(boxes=box_lists, min_iou=st.sampled_from([0.0, 0.3, 0.5, 0.9]), data=st.data())
@settings(deadline=None, max_examples=100)
def test_laws(boxes, min_iou, data):
    groups = match(boxes, min_iou)
    assert len(groups) == len(boxes)
    assert sorted(set(groups.tolist())) == list(range(max(groups) + 1))
    for group in range(max(groups) + 1):
        members = [boxes[i] for i in np.flatnonzero(groups == group)]
        assert len({member[0] for member in members}) == 1, "one task a group"
        assert len({member[1] for member in members}) == len(members), "one box a worker in a group"
    # Identical rows are interchangeable, so groups are compared by what they hold.
    order = data.draw(st.permutations(range(len(boxes))))
    again = match([boxes[i] for i in order], min_iou)

    def contents(groups, rows):
        return sorted((g, sorted(rows[i] for i in np.flatnonzero(groups == g))) for g in set(groups.tolist()))

    assert contents(groups, boxes) == contents(again, [boxes[i] for i in order])


def test_a_crowd_of_200_objects_seen_by_five_workers():
    rng = np.random.default_rng(7)
    truth = rng.uniform(0, 1800, (200, 2))
    boxes = [
        (0, worker, 0, (x + dx, y + dy, x + dx + 60, y + dy + 60))
        for worker in range(5)
        for (x, y), (dx, dy) in zip(truth.tolist(), rng.normal(0, 2, (200, 2)).tolist(), strict=True)
    ]
    started = time.perf_counter()
    groups = match(boxes)
    assert time.perf_counter() - started < 5
    sizes = np.bincount(groups)
    assert sizes.max() <= 5
    assert (sizes == 5).sum() >= 190
