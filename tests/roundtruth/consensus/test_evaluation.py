"""Scores of labels against truth."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.consensus.evaluation import detection_scores

COLUMNS = ["source_ref", "category", "left", "top", "width", "height"]


def boxes(*rows: tuple[str, str, float, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=COLUMNS).astype(dict.fromkeys(COLUMNS[2:], "float64"))


PEN = ("a", "pen", 0, 0, 10, 10)


@pytest.mark.parametrize(
    ("predicted", "truth", "precision", "recall", "f1", "mean_iou"),
    [
        pytest.param([PEN], [PEN], 1, 1, 1, 1, id="equal"),
        pytest.param([], [], 1, 1, 1, 0, id="nothing to find, nothing found"),
        pytest.param([PEN], [], 0, 0, 0, 0, id="false box"),
        pytest.param([], [PEN], 0, 0, 0, 0, id="missed"),
        pytest.param([("a", "pencil", 0, 0, 10, 10)], [PEN], 0, 0, 0, 0, id="other category"),
        pytest.param([("b", "pen", 0, 0, 10, 10)], [PEN], 0, 0, 0, 0, id="other image"),
        pytest.param([PEN, PEN], [PEN], 0.5, 1, 2 / 3, 1, id="a duplicate is false"),
        pytest.param([("a", "pen", 2, 0, 10, 10)], [PEN], 1, 1, 1, 8 / 12, id="shifted"),
        pytest.param([("a", "pen", 6, 0, 10, 10)], [PEN], 0, 0, 0, 0, id="below the threshold"),
    ],
)
def test_scores(predicted, truth, precision, recall, f1, mean_iou):
    scores = detection_scores(boxes(*predicted), boxes(*truth), 0.5)
    assert (scores.precision, scores.recall, scores.f1, scores.mean_iou) == pytest.approx(
        (precision, recall, f1, mean_iou)
    )


def test_more_matches_count_more_than_the_best_overlap():
    # Greedy would give the middle box to its best partner and leave the other one alone.
    truth = boxes(("a", "pen", 0, 0, 10, 10), ("a", "pen", 3, 0, 10, 10))
    predicted = boxes(("a", "pen", 2.9, 0, 10, 10), ("a", "pen", 6, 0, 10, 10))
    assert detection_scores(predicted, truth, 0.5).matched == 2


def test_only_the_listed_images_are_scored_and_false_boxes_on_empty_ones_count():
    predicted = boxes(PEN, ("empty", "pen", 0, 0, 5, 5), ("not looked at", "pen", 0, 0, 5, 5))
    scores = detection_scores(predicted, boxes(PEN), 0.5, images=["a", "empty"])
    assert (scores.predicted, scores.matched, scores.precision, scores.recall) == (2, 1, 0.5, 1.0)


rows = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["pen", "pencil"]),
        st.integers(0, 5),
        st.integers(0, 5),
        st.integers(0, 4),
        st.integers(0, 4),
    ),
    max_size=12,
)


@given(first=rows, second=rows, iou=st.sampled_from([0.5, 0.75]))
@settings(deadline=None)
def test_laws(first, second, iou):
    forward = detection_scores(boxes(*first), boxes(*second), iou)
    backward = detection_scores(boxes(*second[::-1]), boxes(*first[::-1]), iou)
    assert (forward.precision, forward.recall) == (backward.recall, backward.precision)
    assert forward.f1 == backward.f1
    assert 0 <= forward.precision <= 1
    assert 0 <= forward.recall <= 1
    assert not forward.matched or forward.mean_iou >= iou
