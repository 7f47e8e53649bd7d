"""Workers against known truth: rates by hand, and who is named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.annotations import LABELS, table
from roundtruth.consensus.gold import GoldCounts, gold_counts, gold_report
from roundtruth.consensus.pseudonyms import pseudonym
from tests.roundtruth.consensus.answer_tables import PLACE, Box, answer, answers, shuffled

JOBS = {"job-1": ("pen", "pencil"), "job-2": ("eraser",)}


def truth(**images: list[Box]) -> pd.DataFrame:
    rows: list[dict[str, object]] = [
        {"source_ref": image, "category": box[0], **dict(zip(PLACE, box[1:], strict=True))}
        for image, boxes in images.items()
        for box in boxes
    ]
    return table(rows, LABELS)


TRUE = truth(a=[("pen", 0, 0, 100, 100), ("pencil", 200, 0, 100, 50), ("eraser", 0, 200, 40, 40)], b=[])


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        pytest.param(
            [("pen", 0, 0, 100, 100), ("pencil", 200, 0, 100, 50)], (1.0, 1.0, 1.0, 1.0), id="all right"
        ),
        pytest.param([("pencil", 0, 0, 100, 100)], (0.5, 1.0, 0.0, 1.0), id="wrong category is no miss"),
        pytest.param([("pen", 0, 0, 100, 80)], (0.5, 1.0, 1.0, 0.8), id="a loose box"),
        pytest.param([("pen", 0, 0, 100, 49)], (0.0, 0.0, None, None), id="overlap below a half"),
        pytest.param([("pen", 0, 0, 100, 100)] * 2, (0.5, 0.5, 1.0, 1.0), id="the same box twice"),
        pytest.param([("pen", 5, 5, 0, 0)], (0.0, 0.0, None, None), id="no area"),
        pytest.param([("eraser", 0, 200, 40, 40)], (0.0, 0.0, None, None), id="of another job"),
        pytest.param([], (0.0, None, None, None), id="empty answer"),
    ],
)
def test_rates(boxes, expected):
    counts = gold_counts(answers(answer("a", "ann", *boxes)), TRUE, ["a", "b"], JOBS)
    (worker,) = gold_report(counts, 2)["workers"]
    names = ("recall", "precision", "category_accuracy", "mean_iou")
    assert tuple(worker[name] for name in names) == expected
    assert (worker["worker"], worker["objects"]) == (pseudonym("ann"), 2)


def test_outward_bias_of_each_edge():
    # 10 wider to the left, 20 shorter at the bottom, of 100.
    counts = gold_counts(answers(answer("a", "ann", ("pen", -10, 0, 110, 80))), TRUE, ["a"], JOBS)
    assert gold_report(counts, 1)["workers"][0]["outward_bias"] == pytest.approx([0.1, 0.0, 0.0, -0.2])


def test_an_image_without_objects_costs_precision_only():
    counts = gold_counts(answers(answer("b", "ann", ("pen", 0, 0, 9, 9))), TRUE, ["a", "b"], JOBS)
    assert counts[pseudonym("ann")] == GoldCounts(answers=1, boxes=1, false_boxes=1, false_places=1)
    assert gold_report(counts, 2)["workers"][0]["recall"] is None


def test_false_places_are_what_anybody_drew_on_the_same_task():
    given_answers = answers(
        answer("b", "ann", ("pen", 0, 0, 9, 9), ("pen", 50, 0, 9, 9)),
        answer("b", "bob"),
        answer("b", "bob", ("eraser", 0, 0, 9, 9), job="job-2"),
        answer("x", "bob", ("pen", 0, 0, 9, 9)),  # not a gold image
    )
    counts = gold_counts(given_answers, TRUE, ["a", "b"], JOBS)
    assert {name: (one.false_boxes, one.false_places) for name, one in counts.items()} == {
        pseudonym("ann"): (2, 2),
        pseudonym("bob"): (1, 3),
    }


def pool(images: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Two good workers, one who draws anywhere, one who confuses categories, one who answers nothing."""
    rng = np.random.default_rng(seed)
    parts, places = [], {}
    for number in range(images):
        left, top = (float(value) for value in rng.integers(0, 400, 2))
        box: Box = ("pen", left, top, 100, 80)
        places[f"i{number}"] = [box]
        for worker in ("ann", "bob"):
            moved = left + float(rng.normal(0, 3))
            parts.append(answer(f"i{number}", worker, ("pen", moved, top, 100, 80)))
        parts.append(answer(f"i{number}", "spam", ("pen", 900 + left, top, 60, 60)))
        parts.append(answer(f"i{number}", "mixup", ("pencil", left, top, 100, 80)))
        parts.append(answer(f"i{number}", "lazy"))
    return answers(*parts), truth(**places), list(places)


def test_careless_workers_are_named_by_pseudonym():
    given_answers, true, images = pool(5, 1)
    report = gold_report(gold_counts(given_answers, true, images, JOBS), 5)
    careless = {one["worker"]: one["careless"] for one in report["workers"] if one["careless"]}
    misses, draws = "misses much of what is there", "draws much that is not there"
    assert careless == {
        pseudonym("spam"): [misses, draws],
        pseudonym("mixup"): ["names objects wrongly"],
        pseudonym("lazy"): [misses],
    }
    assert report["careless_workers"] == sorted(careless)
    assert report["everybody"]["recall"] == pytest.approx(3 / 5)
    assert "spam" not in json.dumps(report, allow_nan=False)


@pytest.mark.parametrize(
    ("found", "objects", "images", "named"),
    [
        pytest.param(0, 2, 2, False, id="two images say nothing"),
        pytest.param(0, 3, 3, True, id="none of three"),
        pytest.param(1, 4, 4, False, id="bad luck is possible"),
        pytest.param(10, 40, 20, True, id="the same share of many"),
        pytest.param(75, 100, 50, False, id="a poor worker is not careless"),
    ],
)
def test_nobody_is_named_by_bad_luck(found, objects, images, named):
    counts = GoldCounts(answers=images, objects=objects, boxes=found, found=found, right_categories=found)
    (worker,) = gold_report({"ann": counts}, images)["workers"]
    assert bool(worker["careless"]) is named


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_order_of_rows_does_not_matter(seed, images):
    given_answers, true, names = pool(images, seed)
    first = gold_report(gold_counts(given_answers, true, names, JOBS), images)
    mixed = gold_counts(shuffled(given_answers, seed), shuffled(true, seed), names[::-1], JOBS)
    assert json.dumps(gold_report(mixed, images)) == json.dumps(first)
