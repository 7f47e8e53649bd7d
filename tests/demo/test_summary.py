"""What the demo says of the answers that were spent."""

from __future__ import annotations

import pytest

from demo.summary import _answers_spent
from roundtruth.rounds.record import RecordedJob, RoundRecord


def job(images: int, workers: int, relabel_pass: int = 0) -> RecordedJob:
    return RecordedJob(
        name="pens-r1-1",
        arn="arn",
        label_attribute="boxes",
        categories=("pen",),
        output_uri="s3://b/out",
        relabel_pass=relabel_pass,
        images=images,
        workers=workers,
    )


def record(*jobs: RecordedJob, gold_answers: int = 0) -> RoundRecord:
    return RoundRecord(
        project="pens",
        round="r1",
        roundtruth="1",
        images=10,
        counts={"labeled": 10},
        boxes=20,
        answers=sum(one.images * one.workers for one in jobs),
        spent_usd=0.8,
        jobs=jobs,
        files={},
        gold_answers=gold_answers,
    )


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(record(job(10, 3)), "3.00 an image, against 3", id="nothing disputed"),
        pytest.param(record(job(10, 3), job(4, 2, 1)), "3.80 an image, against 5", id="relabel pass"),
        pytest.param(
            record(job(6, 2), job(4, 2), job(3, 2, 1), job(1, 2, 1), job(1, 1, 2)),
            "2.90 an image, against 5",
            id="several jobs and passes",
        ),
        pytest.param(record(job(10, 3), gold_answers=6), "and 6 on gold images", id="gold images"),
        pytest.param(record(), "0.00 an image, against 0", id="no job: all unreadable"),
    ],
)
def test_answers_spent(made: RoundRecord, expected: str) -> None:
    assert expected in _answers_spent(made)
