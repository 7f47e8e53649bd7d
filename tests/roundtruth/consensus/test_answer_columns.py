"""Which answers count, and how jobs share images."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus.answer_columns import answer_columns
from roundtruth.errors import ConsensusError
from tests.roundtruth.consensus.answer_tables import answer, answers

PEN = ("pen", 0.0, 0.0, 10.0, 10.0)
FAR = ("pen", 50.0, 50.0, 10.0, 10.0)


def test_a_worker_who_answers_again_counts_once_with_the_first_answer():
    columns = answer_columns(
        answers(
            answer("a", "ann", FAR, job="job-1-r1", submitted="2026-01-06T10:00:00Z"),
            answer("a", "ann", PEN, job="job-1", submitted="2026-01-05T10:00:00Z"),
            answer("a", "bob", PEN, job="job-1-r1", submitted="2026-01-06T11:00:00Z"),
        )
    )
    assert columns.task_answers.tolist() == [2]
    assert columns.repeated_answers == 1
    assert columns.box_edges.tolist() == [[0, 0, 10, 10], [0, 0, 10, 10]]
    assert columns.task_job == ["job-1"]


def test_the_same_worker_in_jobs_over_other_categories_counts_in_both():
    columns = answer_columns(
        answers(answer("a", "ann", PEN, job="job-1"), answer("a", "ann", job="job-2")),
        {"job-1": ["pen"], "job-2": ["ink"]},
    )
    assert columns.task_answers.tolist() == [1, 1]
    assert columns.repeated_answers == 0


def test_boxes_that_cannot_vote():
    columns = answer_columns(
        answers(answer("a", "ann", PEN, PEN, ("pen", 3.0, 3.0, 0.0, 8.0), ("pen", 9.0, 9.0, -4.0, 3.0)))
    )
    assert (columns.repeated_boxes, columns.zero_area_boxes) == (1, 2)
    assert columns.box_usable.sum() == 1


def test_seconds_are_kept_an_answer():
    columns = answer_columns(answers(answer("a", "ann", PEN, FAR, seconds=12.5), answer("a", "bob")))
    assert columns.answer_seconds[0] == 12.5
    assert np.isnan(columns.answer_seconds[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.drop(columns="worker"), "lacks the columns worker", id="column missing"),
        pytest.param(lambda t: t.assign(left=np.nan), "is not finite", id="box without a place"),
        pytest.param(lambda t: t.assign(left=np.inf), "is not finite", id="box at infinity"),
        pytest.param(lambda t: t.assign(worker=None), "rows without worker", id="no worker"),
        pytest.param(lambda t: t.assign(category=None), "rows without category", id="no category"),
    ],
)
def test_unusable_tables(change, message):
    with pytest.raises(ConsensusError, match=message):
        answer_columns(change(answers(answer("a", "ann", PEN))))


def test_a_job_without_categories_is_named():
    with pytest.raises(ConsensusError, match="job-1"):
        answer_columns(answers(answer("a", "ann", PEN)), {"job-2": ["pen"]})
