"""Ground Truth's consolidation as its real output shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.sandbox.consolidation import consolidate_boxes, consolidate_labels
from roundtruth.sandbox.truth import TrueBox


def box(left, top=0, width=100, height=100, label="pen"):
    return TrueBox(label=label, left=left, top=top, width=width, height=height)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], []),
        ([[], []], []),
        ([[box(0)]], [(0, 0)]),
        ([[box(0)], [box(10)], [box(5)]], [(5, 0.9)]),
        ([[box(0)], [box(1)]], [(0.5, 0.94)]),
        ([[box(0)], []], [(0, 0.09)]),  # boxes of one worker stay
        ([[box(0), box(3)], [box(1)]], [(0.5, 0.94), (3, 0.09)]),  # one box of a worker a cluster
        ([[box(0)], [box(0, label="pencil")]], [(0, 0.09), (0, 0.09)]),  # classes do not mix
        ([[box(0)], [box(60)]], [(0, 0.09), (60, 0.09)]),  # too far apart
        ([[box(0, width=0)], [box(0)]], [(0, 0.09)]),  # no area
    ],
    ids=range(10),
)
def test_boxes(answers, expected):
    found = [(one.box.left, one.confidence) for one in consolidate_boxes(answers)]
    assert [left for left, _ in found] == [left for left, _ in expected]
    assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=0.05)


def test_coordinates_are_plain_means_and_confidence_grows_with_workers():
    exact = [[box(0)]] * 5
    values = [consolidate_boxes(exact[:count] + [[]] * (5 - count))[0].confidence for count in range(1, 6)]
    assert values == pytest.approx([0.09, 0.19, 0.39, 0.65, 0.95], abs=0.02)
    assert consolidate_boxes([[box(0)], [box(1)], [box(1)]])[0].box.left == 2 / 3


@given(
    st.lists(
        st.lists(st.builds(box, *[st.floats(1, 500)] * 4, label=st.sampled_from(["a", "b"])), max_size=6),
        min_size=1,
        max_size=5,
    )
)
def test_no_box_gets_lost_and_none_is_made(answers):
    fused = consolidate_boxes(answers)
    total = sum(map(len, answers))
    assert len(fused) <= total
    for label in ("a", "b"):
        of_label = [sum(one.label == label for one in drawn) for drawn in answers]
        assert max(of_label) <= sum(one.box.label == label for one in fused) <= sum(of_label)
    assert all(0 <= one.confidence <= 1 for one in fused)


@pytest.mark.parametrize(
    ("answers", "label", "confidence"),
    [(["a"], "a", 0), (["a", "b", "b"], "b", 0.39), (["b", "a"], "a", 0.09), (["a"] * 5, "a", 0.95)],
)
def test_labels(answers, label, confidence):
    found, value = consolidate_labels(answers)
    assert (found, value) == (label, pytest.approx(confidence, abs=0.01))
