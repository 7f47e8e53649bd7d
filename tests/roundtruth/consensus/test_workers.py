"""Workers against the others."""

from __future__ import annotations

import pytest

from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import answer, answers

PEN = ("pen", 0.0, 0.0, 10.0, 10.0)
INK = ("ink", 0.0, 0.0, 10.0, 10.0)
FAR = ("pen", 50.0, 50.0, 10.0, 10.0)
STRAY = ("pen", 90.0, 90.0, 10.0, 10.0)


def workers_of(*parts):
    report = measure_consensus(answers(*parts), Consensus()).report
    return {entry["worker"]: entry for entry in report["workers"]}, report


def test_one_worker_against_the_consensus_of_the_others():
    workers, _ = workers_of(
        answer("a", "ann", PEN, FAR, seconds=10),
        answer("a", "bob", PEN, FAR, seconds=20),
        answer("a", "cat", INK, STRAY, seconds=30),
        answer("b", "ann", seconds=12),
        answer("b", "bob", seconds=14),
        answer("b", "cat", PEN, seconds=16),
        answer("c", "ann", PEN),
    )
    ann, cat = workers[pseudonym("ann")], workers[pseudonym("cat")]
    # Ann against bob and cat: they agree on one place (the pen of a), so far is one of two and not an object.
    assert (ann["recall"], ann["precision"]) == (1.0, 0.5)
    assert ann["median_seconds"] == 11
    assert (ann["answers"], ann["compared_answers"], ann["boxes"]) == (3, 2, 3)
    assert ann["empty_share"] == pytest.approx(1 / 3)
    # Cat against ann and bob: two objects, one found under another name; two boxes of three are theirs alone.
    assert (cat["recall"], cat["precision"]) == (0.5, pytest.approx(1 / 3))
    assert cat["box_accuracy"] == 1.0
    assert cat["category_accuracy"] == 0.0
    assert cat["f1"] == pytest.approx(2 * 1 / (2 + 3))
    # Ann's pairs: bob (2 of 2 + 2 boxes match twice), cat (none of 2 + 2; on b none of 0 + 1).
    assert ann["pairwise_f1"] == pytest.approx(2 * 2 / (4 + 4 + 0 + 1))


def test_a_worker_alone_is_not_judged():
    workers, report = workers_of(answer("a", "ann", PEN), answer("b", "ann"))
    (ann,) = workers.values()
    assert (ann["recall"], ann["precision"], ann["f1"], ann["pairwise_f1"]) == (None, None, None, None)
    assert report["careless_workers"] == []


def round_of_ten(careless):
    parts = []
    for image in range(10):
        parts += [answer(f"i{image}", worker, PEN, FAR, seconds=30) for worker in ("ann", "bob", "dan")]
        parts.append(careless(f"i{image}"))
    return parts


@pytest.mark.parametrize(
    ("careless", "reason"),
    [
        pytest.param(lambda image: answer(image, "cat", seconds=30), "misses", id="draws nothing"),
        pytest.param(
            lambda image: answer(image, "cat", PEN, STRAY, ("pen", 70.0, 0.0, 5.0, 5.0), seconds=30),
            "draws much that the others do not",
            id="draws anything",
        ),
        pytest.param(
            lambda image: answer(
                image, "cat", ("pen", 0.0, 0.0, 13.5, 13.5), ("pen", 50.0, 50.0, 13.5, 13.5), seconds=30
            ),
            "fit badly",
            id="draws loosely",
        ),
        pytest.param(lambda image: answer(image, "cat", PEN, FAR, seconds=3), "quarter", id="hurries"),
    ],
)
def test_careless_workers_are_named_with_the_reason(careless, reason):
    workers, report = workers_of(*round_of_ten(careless))
    assert report["careless_workers"] == [pseudonym("cat")]
    assert any(reason in text for text in workers[pseudonym("cat")]["careless"])


def test_few_answers_name_nobody():
    _, report = workers_of(*round_of_ten(lambda image: answer(image, "cat"))[:16])
    assert report["careless_workers"] == []
