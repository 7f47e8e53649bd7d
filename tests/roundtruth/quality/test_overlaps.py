from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.quality.overlaps import highest_overlaps

coordinate = st.integers(0, 12).map(float)
boxes_of_a_round = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1), coordinate, coordinate, coordinate, coordinate),
    max_size=25,
)


def slow_overlaps(rows, minimum_iou):
    """Every pair, one after the other: what highest_overlaps must equal."""
    same, other = [0.0] * len(rows), [0.0] * len(rows)
    for later, (image, category, left, top, width, height) in enumerate(rows):
        for earlier_image, earlier_category, x, y, w, h in rows[:later]:
            across = min(left + width, x + w) - max(left, x)
            down = min(top + height, y + h) - max(top, y)
            if earlier_image != image or across <= 0 or down <= 0:
                continue
            iou = across * down / (width * height + w * h - across * down)
            if iou >= minimum_iou:
                found = same if category == earlier_category else other
                found[later] = max(found[later], iou)
    return same, other


@given(rows=boxes_of_a_round, minimum_iou=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
def test_equals_the_comparison_of_every_pair(rows, minimum_iou):
    content = np.array(rows, dtype=float).reshape(-1, 6)
    same, other = highest_overlaps(
        content[:, 0].astype(int), content[:, 1].astype(int), content[:, 2:], minimum_iou=minimum_iou
    )
    expected_same, expected_other = slow_overlaps(rows, minimum_iou)
    assert same.tolist() == pytest.approx(expected_same)
    assert other.tolist() == pytest.approx(expected_other)


def test_missing_coordinates_overlap_nothing():
    boxes = np.array([[0, 0, 10, 10], [np.nan, 0, 10, 10], [0, 0, np.inf, 10], [0, 0, 10, 10]])
    same, other = highest_overlaps(np.zeros(4, int), np.zeros(4, int), boxes, minimum_iou=0.9)
    assert same.tolist() == [0, 0, 0, 1]
    assert other.tolist() == [0, 0, 0, 0]


def test_a_crowd_of_identical_boxes_is_found():
    boxes = np.tile([5.0, 5.0, 10.0, 10.0], (300, 1))
    same, _ = highest_overlaps(np.zeros(300, int), np.zeros(300, int), boxes, minimum_iou=0.9)
    assert same[0] == 0
    assert (same[1:] == 1).all()
