"""Labels, images and report that come from answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.annotations import ANSWERS, LABELS, table, to_parquet
from roundtruth.consensus.evaluation import detection_scores
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.report import encode_report
from roundtruth.errors import ConsensusError
from roundtruth.project import Consensus
from tests.real_data import needs_real
from tests.roundtruth.consensus.answer_tables import PLACE, answer, answers, found, pedestrians, shuffled

MAJORITY = Consensus(method="majority", min_agreement=0.7)
MEDIAN = Consensus(method="median")
GROUND_TRUTH = Consensus(method="ground-truth")

PEN = ("pen", 0.0, 0.0, 10.0, 10.0)
INK = ("ink", 0.0, 0.0, 10.0, 10.0)
NEAR = ("pen", 1.0, 0.0, 10.0, 10.0)
FAR = ("pen", 50.0, 50.0, 10.0, 10.0)
FLAT = ("pen", 5.0, 5.0, 0.0, 10.0)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([], [], id="no answers at all"),
        pytest.param(
            [answer("a", "ann", PEN, FAR)], [("a", "pen", 1, 1), ("a", "pen", 1, 1)], id="one worker"
        ),
        pytest.param(
            [answer("a", "ann", PEN, PEN)], [("a", "pen", 1, 1)], id="one worker, the same box twice"
        ),
        pytest.param([answer("a", "ann", FLAT)], [], id="a box without area is no object"),
        pytest.param([answer("a", "ann"), answer("a", "bob")], [], id="all empty"),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", NEAR)], [("a", "pen", 2, 2)], id="both drew it"
        ),
        pytest.param([answer("a", "ann", PEN), answer("a", "bob")], [], id="half is no majority"),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", PEN), answer("a", "cat")],
            [("a", "pen", 2, 3)],
            id="an empty answer is a vote against",
        ),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", INK), answer("a", "cat", PEN)],
            [("a", "pen", 3, 3)],
            id="majority of categories",
        ),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", INK)],
            [("a", "ink", 2, 2)],
            id="a tie of categories: first by name",
        ),
        pytest.param(
            [answer("a", "ann", PEN, PEN), answer("a", "bob", PEN, PEN), answer("a", "cat", PEN)],
            [("a", "pen", 3, 3)],
            id="duplicates of several workers are one object",
        ),
    ],
)
def test_majority(parts, expected):
    assert found(measure_consensus(answers(*parts), MAJORITY)) == expected


@pytest.mark.parametrize(("consensus", "left"), [(MAJORITY, 2.0), (MEDIAN, 1.0)], ids=["mean", "median"])
def test_place(consensus, left):
    boxes = [("pen", x, 0.0, 20.0, 10.0) for x in (0.0, 1.0, 5.0)]
    result = measure_consensus(
        answers(*(answer("a", f"w{n}", box) for n, box in enumerate(boxes))), consensus
    )
    assert result.labels[PLACE].to_numpy().tolist() == [[left, 0.0, 20.0, 10.0]]


def test_jobs_over_other_categories_have_their_own_denominators():
    table_ = answers(
        *(answer("a", worker, PEN, job="job-1") for worker in ("ann", "bob", "cat")),
        *(answer("a", worker, INK, job="job-2") for worker in ("dan", "eve")),
        *(answer("a", worker, job="job-2") for worker in ("ann",)),
    )
    result = measure_consensus(table_, MAJORITY, categories_by_job={"job-1": ["pen"], "job-2": ["ink"]})
    assert found(result) == [("a", "pen", 3, 3), ("a", "ink", 2, 3)]
    assert result.labels["job"].tolist() == ["job-1", "job-2"]
    assert result.images["answers"].tolist() == [5]


def test_a_relabel_job_is_pooled_with_its_base_job():
    table_ = answers(
        answer("a", "ann", PEN, job="job-1"),
        answer("a", "bob", job="job-1"),
        answer("a", "cat", PEN, job="job-1-r1"),
        answer("a", "ann", FAR, job="job-1-r1", submitted="2026-02-01T00:00:00Z"),
    )
    by_job = {"job-1": ["pen"], "job-1-r1": ["pen"]}
    result = measure_consensus(table_, MAJORITY, categories_by_job=by_job)
    assert found(result) == [("a", "pen", 2, 3)]
    assert result.labels["job"].tolist() == ["job-1"]
    assert result.report["counts"]["repeated_answers"] == 1


@pytest.mark.parametrize(
    ("parts", "agreement", "disputed", "reason"),
    [
        pytest.param([answer("a", "ann", PEN)], None, False, "", id="one answer agrees with nobody"),
        pytest.param([answer("a", "ann"), answer("a", "bob")], 1.0, False, "", id="negative"),
        pytest.param([answer("a", "ann", PEN), answer("a", "bob", PEN)], 1.0, False, "", id="same box"),
        pytest.param([answer("a", "ann", PEN), answer("a", "bob")], 0.0, True, "1 tied", id="tied"),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", INK)], 0.0, True, "1 label mismatch", id="categories"
        ),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", ("pen", 2.0, 0.0, 10.0, 10.0))],
            8 / 12,
            True,
            "1 low overlap",
            id="loose",
        ),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob", PEN), answer("a", "cat")],
            1 / 3,
            True,
            "1 missing",
            id="missing",
        ),
        pytest.param(
            [answer("a", "ann", PEN), answer("a", "bob"), answer("a", "cat")],
            1 / 3,
            True,
            "1 extra",
            id="extra",
        ),
        pytest.param(
            [answer("a", "ann", PEN, FAR), answer("a", "bob", PEN, FAR), answer("a", "cat", PEN)],
            (1 + 2 / 3 + 2 / 3) / 3,
            False,
            "",
            id="soft F1 over pairs of workers",
        ),
    ],
)
def test_images(parts, agreement, disputed, reason):
    images = measure_consensus(answers(*parts), MAJORITY).images
    assert images["agreement"].tolist() == (
        pytest.approx([agreement]) if agreement is not None else pytest.approx([np.nan], nan_ok=True)
    )
    assert (images["disputed"].tolist(), images["reason"].tolist()) == ([disputed], [reason])


def test_the_report_names_who_drew_what_by_pseudonym_only():
    ids = ["private.us-east-1.ann", "private.us-east-1.bob", "private.us-east-1.cat"]
    result = measure_consensus(
        answers(answer("a", ids[0], PEN, seconds=10.0), answer("a", ids[1], PEN), answer("a", ids[2])),
        MAJORITY,
    )
    text = encode_report(result.report).decode()
    assert not any(worker in text for worker in ids)
    (image,) = result.report["disputed_images"]
    (item,) = image["objects"]
    assert (item["reasons"], item["votes"], item["answers"]) == (["missing"], 2, 3)
    assert len(item["drawn"]) == 2
    assert len(item["not_drawn_by"]) == 1
    assert result.report["parameters"]["min_iou"] == MAJORITY.min_iou


def test_agreement_of_the_round():
    report = measure_consensus(
        answers(
            answer("a", "ann", PEN, FAR),
            answer("a", "bob", PEN),
            answer("a", "cat", INK),
            answer("b", "ann", PEN),
        ),
        MAJORITY,
    ).report["agreement"]
    # Pairs of boxes of one category: ann-bob on the pen. Boxes with others on their image: 4, 2 others each.
    assert report["pairwise_f1"] == pytest.approx(2 * 1 / (4 * 2))
    assert report["pairwise_iou"] == pytest.approx(1.0)
    by_category = {entry["category"]: entry for entry in report["by_category"]}
    assert by_category["pen"]["pairwise_f1"] == pytest.approx(2 / (3 * 2))
    assert by_category["ink"]["pairwise_f1"] == 0
    counts = {(entry["consensus"], entry["worker"]): entry["count"] for entry in report["confusion"]}
    assert counts == {("pen", "pen"): 3, ("pen", "ink"): 1, (None, "pen"): 1}
    # Units {pen, pen, ink}, {pen, absent, absent} and b's single opinion, which is left out:
    # observed 2 * (2 + 2) / 2 = 4, expected (36 - (9 + 1 + 4)) / 5 = 4.4.
    assert report["krippendorff_alpha"] == pytest.approx(1 - 4 / 4.4)


def test_ground_truth_keeps_its_boxes_and_takes_our_votes():
    consolidated = pd.DataFrame(
        {
            "source_ref": ["a", "a", "unanswered", "a"],
            "category": ["pen", "pen", "pen", "pen"],
            "left": [0.5, 200.0, 1.0, 0.0],
            "top": [0.0, 0.0, 1.0, 0.0],
            "width": 10.0,
            "height": 10.0,
            "job": ["job-1", "job-1", "job-1", "job-1-r1"],
        }
    )
    table_ = answers(answer("a", "ann", PEN), answer("a", "bob", NEAR), answer("a", "cat", FAR))
    result = measure_consensus(table_, GROUND_TRUTH, consolidated=consolidated)
    rows = result.labels[["source_ref", "left", "votes", "answers"]].itertuples(index=False, name=None)
    assert list(rows) == [("a", 0.5, 2, 3), ("a", 200.0, 0, 3), ("unanswered", 1.0, 0, 0)]
    assert result.labels["score"].tolist() == pytest.approx([2 / 3, 0, 0])
    comparison = result.report["ground_truth"]
    assert comparison["boxes_of_relabel_jobs"] == 1
    assert (comparison["also_ours"], comparison["without_majority"], comparison["only_ours"]) == (1, 2, 0)
    # The box at 0.5 stands beside our majority; an image that nobody answered is not ours to explain.
    assert [(one["source_ref"], one["left"]) for one in comparison["only_ground_truth"]] == [("a", 200.0)]
    # The same table beside a majority is compared, and changes no label.
    ours = measure_consensus(table_, MAJORITY, consolidated=consolidated)
    assert found(ours) == [("a", "pen", 2, 3)]
    assert ours.report["ground_truth"] == comparison


def test_ground_truth_needs_its_boxes():
    with pytest.raises(ConsensusError, match="needs the consolidated boxes"):
        measure_consensus(answers(answer("a", "ann", PEN)), GROUND_TRUTH)


coordinate = st.integers(0, 8)
drawn_box = st.tuples(
    st.sampled_from(["pen", "ink"]),
    coordinate.map(float),
    coordinate.map(float),
    st.integers(0, 5).map(float),
    st.integers(0, 5).map(float),
)
rounds = st.dictionaries(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["w1", "w2", "w3", "w4"]), st.sampled_from(["j1", "j2"])
    ),
    st.lists(drawn_box, max_size=5),
    min_size=1,
    max_size=14,
)


@given(
    drawn=rounds, method=st.sampled_from([MAJORITY, MEDIAN]), chunked=st.booleans(), seed=st.integers(0, 99)
)
@settings(deadline=None, max_examples=60)
def test_laws(drawn, method, chunked, seed):
    table_ = answers(
        *(answer(image, worker, *boxes, job=job) for (image, worker, job), boxes in drawn.items())
    )
    by_job = {"j1": ["pen"], "j2": ["ink"]} if chunked else None
    result = measure_consensus(table_, method, categories_by_job=by_job)
    again = measure_consensus(shuffled(table_, seed), method, categories_by_job=by_job)
    assert encode_report(result.report) == encode_report(again.report)
    pd.testing.assert_frame_equal(result.labels, again.labels, check_exact=True)
    pd.testing.assert_frame_equal(result.images, again.images, check_exact=True)

    labels, images = result.labels, result.images
    assert labels["score"].between(0, 1).all()
    assert (labels["votes"] * 2 > labels["answers"]).all()
    assert (labels[["width", "height"]] > 0).all().all()
    assert images["agreement"].dropna().between(0, 1).all()
    assert set(images["source_ref"]) == {image for image, _, _ in drawn}
    assert (images["reason"].ne("") == images["disputed"]).all()
    counts = result.report["counts"]
    assert counts["answers"] + counts["repeated_answers"] == len(drawn)
    assert to_parquet(labels, LABELS) == to_parquet(again.labels, LABELS)


def test_empty_tables_give_empty_results():
    result = measure_consensus(table([], ANSWERS), MAJORITY)
    assert (len(result.labels), len(result.images)) == (0, 0)
    assert encode_report(result.report).endswith(b"}\n")


@needs_real
@pytest.mark.real
@pytest.mark.parametrize(
    ("method", "floor"), [("majority", (0.945, 0.76)), ("median", (0.945, 0.78))], ids=["majority", "median"]
)
def test_real_pedestrians_by_seven_workers(method, floor):
    table_, truth, images = pedestrians()
    result = measure_consensus(table_, Consensus(method=method, min_iou=0.4))
    half, three_quarters = (
        detection_scores(result.labels, truth, iou, images=images).f1 for iou in (0.5, 0.75)
    )
    assert half >= floor[0]
    assert three_quarters >= floor[1]
    counts = result.report["counts"]
    assert (counts["images"], counts["answers"], counts["workers"]) == (727, 7 * 727, 43)
    assert counts["zero_area_boxes"] == 17
    assert len(result.report["careless_workers"]) < 10
