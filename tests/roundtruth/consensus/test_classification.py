"""Consensus of chosen categories."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, LABELS, table, to_parquet
from roundtruth.consensus.classification import measure_classes
from roundtruth.consensus.job_answers import read_job_answers
from roundtruth.consensus.report import encode_report
from roundtruth.errors import ConsensusError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.project import Consensus
from roundtruth.storage import ObjectUri, Storage
from tests.real_data import REAL, needs_real
from tests.roundtruth.consensus.answer_tables import shuffled

MAJORITY = Consensus(method="majority", min_agreement=0.7)


def chosen(*rows: tuple[str, str, tuple[str, ...]]) -> pd.DataFrame:
    """(image, worker, categories) as the answers table has it."""
    return table(
        [
            {"source_ref": image, "job": "job-1", "worker": worker, "box": place, "category": category}
            for image, worker, categories in rows
            for place, category in (enumerate(categories) if categories else [(-1, None)])
        ],
        ANSWERS,
    )


@pytest.mark.parametrize(
    ("votes", "multi_label", "expected", "reason"),
    [
        pytest.param("a a b", False, [("a", 2 / 3)], "low agreement", id="majority"),
        pytest.param("a a a", False, [("a", 1.0)], "", id="all the same"),
        pytest.param("b a", False, [("a", 0.5)], "tied, low agreement", id="tie: first by name"),
        pytest.param(
            "a a b c d", False, [("a", 0.4)], "no majority, low agreement", id="most votes, no majority"
        ),
        pytest.param("b", False, [("b", 1.0)], "", id="one worker"),
        pytest.param("a+b a+b a", True, [("a", 1.0), ("b", 2 / 3)], "low agreement", id="several categories"),
        pytest.param("a+b -", True, [], "tied, low agreement", id="half is no majority"),
        pytest.param("- - -", True, [], "", id="nothing fits: all agree"),
    ],
)
def test_majority(votes, multi_label, expected, reason):
    rows = [
        ("x", f"w{n}", tuple(part for part in vote.split("+") if part != "-"))
        for n, vote in enumerate(votes.split())
    ]
    result = measure_classes(chosen(*rows), MAJORITY, multi_label=multi_label)
    assert list(zip(result.labels["category"], result.labels["score"], strict=True)) == [
        (category, pytest.approx(score)) for category, score in expected
    ]
    assert result.images["reason"].tolist() == [reason]
    assert result.images["disputed"].tolist() == [bool(reason)]
    assert result.labels["left"].isna().all()
    to_parquet(result.labels, LABELS)


def test_workers_are_compared_with_the_others():
    rows = [(f"i{n}", worker, ("a",)) for n in range(4) for worker in ("ann", "bob")]
    rows += [(f"i{n}", "cat", ("b",)) for n in range(4)]
    workers = measure_classes(chosen(*rows), MAJORITY, multi_label=False).report["workers"]
    # Ann's others (bob: a, cat: b) are tied and judge nobody; cat's others agree on another category.
    assert sorted(
        (w["compared_answers"], w["agrees_with_others"]) for w in workers if w["compared_answers"]
    ) == [(4, 0.0)]


def test_ground_truth_keeps_its_choice_with_our_votes():
    consolidated = pd.DataFrame({"source_ref": ["x", "y"], "category": ["b", "z"], "job": "job-1"})
    rows = [("x", "ann", ("a",)), ("x", "bob", ("a",)), ("x", "cat", ("b",)), ("y", "ann", ("a",))]
    result = measure_classes(
        chosen(*rows), Consensus(method="ground-truth"), multi_label=False, consolidated=consolidated
    )
    assert result.labels[["category", "votes", "answers"]].to_numpy().tolist() == [["b", 1, 3], ["z", 0, 1]]


def test_skilled_workers_outvote_careless_ones_in_the_report():
    rows = []
    for n in range(12):
        right, wrong = ("a", "b") if n % 2 else ("b", "a")
        rows += [(f"i{n:02}", "ann", (right,)), (f"i{n:02}", "bob", (right,)), (f"i{n:02}", "cat", (right,))]
        rows += [(f"i{n:02}", "eve", (wrong,)), (f"i{n:02}", "fay", ("a",))]
    rows += [("x", "ann", ("b",)), ("x", "eve", ("a",)), ("x", "fay", ("a",))]
    result = measure_classes(chosen(*rows), MAJORITY, multi_label=False)
    (other,) = result.report["dawid_skene"]["differs_from_majority"]
    assert (other["source_ref"], other["majority"], other["likeliest"]) == ("x", "a", "b")
    assert other["probability"] > 0.8


@pytest.mark.parametrize("method", ["median", "ground-truth"])
def test_methods_that_do_not_fit(method):
    with pytest.raises(ConsensusError, match=method):
        measure_classes(chosen(("x", "ann", ("a",))), Consensus(method=method), multi_label=False)


@needs_real
@pytest.mark.real
def test_real_bird_classes():
    folder = REAL / "bird-classes-5-workers"
    job = read_job_answers(JobFolder(Storage(), ObjectUri.parse(str(folder))))
    assert (job.is_classification, job.is_multi_label, job.problems) == (True, False, ())
    truth = {one["ImageId"]: one["Label"] for one in json.loads((folder / "true_labels.json").read_text())}
    accuracy = {}
    for method in ("majority", "ground-truth"):
        result = measure_classes(
            job.answers, Consensus(method=method), multi_label=False, consolidated=job.consolidated
        )
        ids = result.labels["source_ref"].str.extract(r"([^/]+)\.jpg$")[0]
        accuracy[method] = np.mean(ids.map(truth) == result.labels["category"])
        assert len(result.labels) == 302
    assert accuracy == {
        "majority": pytest.approx(0.9007, abs=5e-4),
        "ground-truth": pytest.approx(0.9007, abs=5e-4),
    }
    again = measure_classes(shuffled(job.answers, 3), MAJORITY, multi_label=False)
    first = measure_classes(job.answers, MAJORITY, multi_label=False)
    assert encode_report(again.report) == encode_report(first.report)
    pd.testing.assert_frame_equal(again.labels, first.labels, check_exact=True)


FUSED = Consensus(method="fused")


@needs_real
@pytest.mark.real
def test_real_bird_classes_fused():
    folder = REAL / "bird-classes-5-workers"
    job = read_job_answers(JobFolder(Storage(), ObjectUri.parse(str(folder))))
    truth = {one["ImageId"]: one["Label"] for one in json.loads((folder / "true_labels.json").read_text())}
    result = measure_classes(job.answers, FUSED, multi_label=False)
    ids = result.labels["source_ref"].str.extract(r"([^/]+)\.jpg$")[0]
    assert np.mean(ids.map(truth) == result.labels["category"]) >= 0.9
    again = measure_classes(shuffled(job.answers, 3), FUSED, multi_label=False)
    pd.testing.assert_frame_equal(again.labels, result.labels, check_exact=True)


def test_fused_weighs_workers_by_skill():
    rng = np.random.default_rng(8)
    truth = rng.choice(list("abcd"), 200)
    rows = []
    for number, name in enumerate(truth.tolist()):
        rows += [(f"i{number:03}", f"good{n}", (name if rng.random() < 0.95 else "a",)) for n in range(2)]
        rows += [(f"i{number:03}", f"poor{n}", (str(rng.choice(list("abcd"))),)) for n in range(3)]
    right = {}
    for method in (FUSED, MAJORITY):
        labels = measure_classes(chosen(*rows), method, multi_label=False).labels
        right[method.method] = (labels["category"].to_numpy() == truth).mean()
    assert right["fused"] > 0.95
    assert right["fused"] > right["majority"] + 0.05


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        pytest.param("a+b a+b a", ["a", "b"], id="several categories"),
        pytest.param("- - -", [], id="nothing fits"),
        pytest.param("a", ["a"], id="one worker"),
    ],
)
def test_fused_with_several_categories(votes, expected):
    rows = [
        (f"{image}", f"w{n}", tuple(part for part in vote.split("+") if part != "-"))
        for image in range(5)
        for n, vote in enumerate(votes.split())
    ]
    result = measure_classes(chosen(*rows), FUSED, multi_label=True)
    assert result.labels["category"].tolist() == expected * 5
    assert result.labels["score"].between(0, 1).all()


def test_skills_of_categories_are_carried_over():
    rows = [(f"i{n:02}", worker, ("ab"[n % 2],)) for n in range(40) for worker in ("ann", "bob", "cat")]
    rows += [(f"i{n:02}", "liar", ("ba"[n % 2],)) for n in range(40)]
    skills = measure_classes(chosen(*rows), FUSED, multi_label=False).skills
    tie = chosen(("x", "ann", ("b",)), ("x", "liar", ("a",)), ("y", "bob", ("a",)), ("y", "cat", ("a",)))
    known = measure_classes(tie, FUSED, multi_label=False, skills=skills).labels
    assert known["category"].tolist() == ["b", "a"]
    assert known["score"].iloc[0] > 0.8
    assert skills == measure_classes(tie, MAJORITY, multi_label=False, skills=skills).skills
