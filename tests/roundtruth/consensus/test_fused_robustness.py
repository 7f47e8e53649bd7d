"""What the fused consensus must bear, each case by its name; scale; honest probabilities."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from benchmarks.simulated_workers import simulate
from roundtruth.consensus.answer_columns import answer_columns
from roundtruth.consensus.evaluation import detection_scores
from roundtruth.consensus.fused import fuse_boxes
from roundtruth.consensus.measure import measure_consensus
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import answer, answers

FUSED = Consensus(method="fused")
PLACE = ["left", "top", "width", "height"]
OBJECTS = [("pen", 40.0 + 150 * n, 60.0, 90.0, 70.0) for n in range(4)]


def labels_of(*parts) -> pd.DataFrame:
    return measure_consensus(answers(*parts), FUSED).labels


def three_careful(image: str):
    """Ann, bob and cat draw the four objects, a pixel apart."""
    for shift, worker in enumerate(("ann", "bob", "cat")):
        yield answer(image, worker, *((name, x + shift, y, w, h) for name, x, y, w, h in OBJECTS))


def without_the_stranger(image: str) -> pd.DataFrame:
    return labels_of(*three_careful(image))


@pytest.mark.parametrize(
    "drawn",
    [
        pytest.param((), id="an empty answer"),
        pytest.param((OBJECTS[0],) * 5, id="one box five times"),
        pytest.param(
            (("pen", 40.0, 60.0, 0.0, 70.0), ("pen", 700.0, 0.0, 5.0, 0.0)), id="boxes without area"
        ),
        pytest.param(tuple(("pen", 9.0 * n, 400.0, 8.0, 8.0) for n in range(60)), id="a spammer of 60 boxes"),
        pytest.param((("pen", 0.0, 0.0, 1280.0, 960.0),), id="one box around the image"),
    ],
)
def test_a_fourth_answer_that_is_worth_nothing_takes_no_object_away_and_adds_none(drawn):
    parts, stranger = [], []
    for image in "abcdef":
        parts += three_careful(image)
        stranger.append(answer(image, "dan", *drawn))
    found, alone = labels_of(*parts, *stranger), labels_of(*parts)
    assert len(found) == len(alone) == 6 * 4
    np.testing.assert_allclose(found[PLACE], alone[PLACE], atol=1.5)


def test_one_worker_only_keeps_every_box_where_it_was_drawn():
    drawn = labels_of(answer("a", "ann", *OBJECTS), answer("b", "ann"))
    assert drawn[PLACE].to_numpy().tolist() == [list(one[1:]) for one in OBJECTS]


def test_several_classes_in_one_place_follow_the_votes_in_each_object():
    parts = [
        answer("a", worker, *((name, *one[1:]) for name, one in zip(names, OBJECTS, strict=True)))
        for worker, names in (
            ("ann", ("pen", "ink", "cap", "nib")),
            ("bob", ("pen", "ink", "cap", "cap")),
            ("cat", ("pen", "pen", "cap", "nib")),
        )
    ]
    assert labels_of(*parts)["category"].tolist() == ["pen", "ink", "cap", "nib"]


def test_answers_from_several_jobs_on_one_image_are_one_crowd():
    together = [answer("a", worker, *OBJECTS) for worker in ("ann", "bob")]
    together += [answer("a", worker, *OBJECTS, job="job-2") for worker in ("cat", "dan")]
    assert labels_of(*together)["votes"].tolist() == [4] * 4


def test_categories_asked_for_by_different_jobs_do_not_outvote_each_other():
    pens = [answer("a", worker, *OBJECTS) for worker in ("ann", "bob")]
    caps = [answer("a", worker, job="job-2") for worker in ("cat", "dan", "eve")]
    by_job = {"job-1": ["pen"], "job-2": ["cap"]}
    labels = measure_consensus(answers(*pens, *caps), FUSED, categories_by_job=by_job).labels
    assert labels[["votes", "answers"]].to_numpy().tolist() == [[2, 2]] * 4


def test_with_two_alike_workers_a_tie_of_categories_goes_by_name_as_in_a_majority():
    parts = []
    for image in range(8):
        drawn = [(("pen", "cap")[image % 2], *one[1:]) for one in OBJECTS]
        parts += [answer(f"{image}", "ann", *drawn), answer(f"{image}", "bob", *drawn)]
    parts += [answer("tie", "ann", OBJECTS[0]), answer("tie", "bob", ("cap", *OBJECTS[0][1:]))]
    labels = labels_of(*parts)
    assert labels.loc[labels["source_ref"] == "tie", "category"].tolist() == ["cap"]


def test_a_pool_that_is_alike_is_not_told_apart_by_chance():
    # Two answers an image: what only one drew is mostly an object, and GT keeps it.
    made = simulate("good", images=200, workers=2, seed=3)
    skills = fuse_boxes(answer_columns(made.answers), min_iou=0.4).skills.workers.values()
    assert np.std([skill.draws for skill in skills]) < 0.6


def test_time_grows_linearly_with_images():
    made = simulate("mixed", images=150, workers=3, seed=0).answers
    many = [made.assign(source_ref=made["source_ref"] + f"/{copy}") for copy in range(8)]
    small, large = answer_columns(made), answer_columns(pd.concat(many, ignore_index=True))

    def seconds(columns) -> float:
        started = time.process_time()
        fuse_boxes(columns, min_iou=0.4)
        return time.process_time() - started

    fuse_boxes(small, min_iou=0.4)  # the first call pays for imports
    assert seconds(large) < 3 * 8 * min(seconds(small) for _ in range(3))


@pytest.mark.parametrize(("pool", "workers"), [("mixed", 3), ("bad", 3), ("mixed", 5)])
def test_the_probability_of_a_label_is_how_often_it_is_right(pool, workers):
    made = simulate(pool, images=400, workers=workers, seed=6)
    labels = measure_consensus(made.answers, FUSED).labels
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        inside = labels[labels["score"].between(low, high, inclusive="left")]
        if len(inside) < 80:
            continue
        precision = detection_scores(inside, made.truth, 0.5).precision
        assert abs(inside["score"].mean() - precision) < 0.15, (low, len(inside))
