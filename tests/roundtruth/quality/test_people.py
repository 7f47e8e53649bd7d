from __future__ import annotations

import pytest

from roundtruth.annotations import ANSWERS, table
from roundtruth.quality.people import people_suites, time_per_box
from roundtruth.quality_settings import Quality


def answers(worker, count, *, seconds=30.0, boxes=2, job="pens-1"):
    return [
        {
            "source_ref": f"s3://bucket/{number}.jpg",
            "job": job,
            "worker": worker,
            "box": box if boxes else -1,
            "seconds": seconds,
        }
        for number in range(count)
        for box in range(max(boxes, 1))
    ]


def report(agreement=0.9, **f1):
    return {
        "workers": [
            {"worker": worker, "compared_answers": 10, "pairwise_f1": value} for worker, value in f1.items()
        ],
        "agreement": {"mean": agreement},
    }


def failed(rows, found):
    suites = people_suites(time_per_box(table(rows, ANSWERS)), found, Quality())
    return {
        (check.name, str(suite.frame[suite.key[0]].iloc[place]))
        for suite in suites
        for check in suite.checks
        for place in check.rule.failing(suite.frame).nonzero()[0]
    }


GOOD = [*answers("a", 10), *answers("b", 10), *answers("c", 10)]


@pytest.mark.parametrize(
    ("rows", "found", "expected"),
    [
        pytest.param(GOOD, report(a=0.9, b=0.8), set(), id="honest people"),
        pytest.param([*GOOD, *answers("d", 10, seconds=1.5)], report(), {("time_per_box", "d")}, id="fast"),
        pytest.param(
            [*GOOD, *answers("d", 10, seconds=0.4, boxes=0)],
            report(),
            {("time_per_box", "d")},
            id="empty and fast",
        ),
        pytest.param([*GOOD, *answers("d", 4, seconds=0.1)], report(), set(), id="fast, four times only"),
        pytest.param([*GOOD, *answers("d", 10, seconds=None)], report(), set(), id="no times in old files"),
        pytest.param(
            [*answers("a", 40), *answers("b", 10)], report(), {("worker_share", "a")}, id="one does most"
        ),
        pytest.param(answers("a", 8), report(None), set(), id="too few answers to share"),
        pytest.param(GOOD, report(a=0.9, b=0.2), {("worker_agreement", "b")}, id="one agrees with nobody"),
        pytest.param(
            GOOD,
            report(0.3),
            {("round_agreement", "mean agreement of the round: 0.30")},
            id="nobody agrees",
        ),
        pytest.param([], report(), set(), id="nobody answered"),
        pytest.param(GOOD, {}, set(), id="a report without workers"),
    ],
)
def test_people(rows, found, expected):
    assert failed(rows, found) == expected


def test_one_image_in_two_jobs_is_two_answers():
    rows = [*answers("a", 10), *answers("a", 10, job="pens-2")]
    (workers, _) = people_suites(time_per_box(table(rows, ANSWERS)), report(), Quality())
    assert workers.frame["measured"].tolist() == ["20 answers, s a box: 15.00, F1 with others: not known"]
