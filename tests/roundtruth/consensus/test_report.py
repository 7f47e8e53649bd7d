"""What consensus.json says of a round, phrase by phrase of what was asked of it."""

from __future__ import annotations

import json

import pytest

from roundtruth.consensus.gold import gold_counts, gold_report
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.consensus.report import encode_report, in_order, report_with_gold
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import answer, answers

PEN = ("pen", 0.0, 0.0, 100.0, 100.0)
INK = ("ink", 300.0, 0.0, 100.0, 100.0)
AS_PEN = ("pen", 300.0, 0.0, 100.0, 100.0)
NIB = ("nib", 300.0, 0.0, 100.0, 100.0)
LOOSE = ("pen", 0.0, 0.0, 100.0, 75.0)
STRAY = ("pen", 600.0, 600.0, 50.0, 50.0)
ANN, BOB, CAT, EVE = (pseudonym(name) for name in ("ann", "bob", "cat", "eve"))


def made_round(method="majority", **settings):
    """Eight images with a pen and ink by three people; eve draws elsewhere, in a second, or nothing."""
    parts = []
    for number in range(8):
        parts += [answer(f"i{number}", name, PEN, INK, seconds=12.0) for name in ("ann", "bob")]
        parts.append(answer(f"i{number}", "cat", LOOSE, AS_PEN, seconds=20.0))
        parts.append(answer(f"i{number}", "eve", *([STRAY] if number % 2 else []), seconds=1.0))
    return measure_consensus(answers(*parts), Consensus(method=method, **settings))


@pytest.fixture(scope="module", params=["majority", "fused"])
def report(request):
    return json.loads(encode_report(made_round(request.param).report))


def test_krippendorffs_alpha_over_matched_objects(report):
    assert 0 < report["agreement"]["krippendorff_alpha"] < 1


def test_mean_pairwise_iou_and_f1_of_the_round(report):
    # Of each image's matched pairs: the pen 1, .75, .75, the ink 1, 1, 1.
    assert report["agreement"]["pairwise_iou"] == pytest.approx(5.5 / 6)
    # Of those six, four of one category. Boxes: six with three others each, and half a stray one.
    assert report["agreement"]["pairwise_f1"] == pytest.approx(2 * 4 / (6 * 3 + 0.5 * 3))


def test_mean_pairwise_iou_and_f1_by_class(report):
    by_class = {entry["category"]: entry for entry in report["agreement"]["by_category"]}
    assert list(by_class) == ["ink", "pen"]
    assert by_class["pen"]["pairwise_iou"] == pytest.approx(2.5 / 3)
    assert by_class["ink"]["pairwise_iou"] == pytest.approx(1)
    assert by_class["ink"]["pairwise_f1"] == pytest.approx(2 * 1 / (2 * 3))
    assert (by_class["ink"]["boxes"], by_class["pen"]["boxes"]) == (16, 36)


def test_pairwise_iou_and_f1_by_worker(report):
    workers = {entry["worker"]: entry for entry in report["workers"]}
    assert set(workers) == {ANN, BOB, CAT, EVE}
    # ann with bob: pen 1, ink 1; with cat: pen .75, ink (named a pen) 1.
    assert workers[ANN]["pairwise_iou"] == pytest.approx(3.75 / 4)
    assert workers[CAT]["pairwise_iou"] == pytest.approx(3.5 / 4)
    assert workers[EVE]["pairwise_iou"] is None
    assert workers[ANN]["pairwise_f1"] == workers[BOB]["pairwise_f1"] > workers[CAT]["pairwise_f1"] > 0
    assert workers[EVE]["pairwise_f1"] == 0


def test_a_confusion_matrix(report):
    counts = {(cell["consensus"], cell["worker"]): cell["count"] for cell in report["agreement"]["confusion"]}
    assert counts == {
        ("pen", "pen"): 24,
        ("pen", None): 8,
        ("ink", "ink"): 16,
        ("ink", "pen"): 8,
        ("ink", None): 8,
        (None, "pen"): 4,
    }


@pytest.mark.parametrize(
    ("measure", "ann", "cat", "eve"),
    [
        pytest.param("recall", 1, 1, 0, id="recall"),
        pytest.param("precision", 1, 1, 0, id="precision"),
        pytest.param("box_accuracy", 0.9375, 0.875, None, id="box accuracy"),
        pytest.param("category_accuracy", 1, 0.5, None, id="categories"),
        pytest.param("median_seconds", 12, 20, 1, id="speed"),
        pytest.param("seconds_percentiles", [12] * 5, [20] * 5, [1] * 5, id="spread of speed"),
        pytest.param("empty_share", 0, 0, 0.5, id="share of empty answers"),
        pytest.param("answers", 8, 8, 8, id="answers"),
    ],
)
def test_each_worker(report, measure, ann, cat, eve):
    workers = {entry["worker"]: entry[measure] for entry in report["workers"]}
    if measure in ("box_accuracy", "category_accuracy"):
        # ann's ink stands against one named ink and one named pen: neither is what most of the others say.
        assert workers[EVE] is eve
        assert workers[CAT] <= workers[ANN]
    else:
        assert (workers[ANN], workers[CAT], workers[EVE]) == (ann, cat, eve)


def test_who_looks_careless_is_named_by_pseudonym_with_the_reasons(report):
    assert report["careless_workers"] == [EVE]
    reasons = {entry["worker"]: entry["careless"] for entry in report["workers"]}
    assert (reasons[ANN], reasons[BOB]) == ([], [])
    assert "misses much of what the others draw" in reasons[EVE]
    assert "works in less than a quarter of the usual time" in reasons[EVE]


THREE = ("ann", "bob", "cat")


@pytest.mark.parametrize(
    ("boxes", "reason", "drawn", "not_drawn"),
    [
        pytest.param([[PEN], [PEN], []], "missing", {ANN, BOB}, [CAT], id="missing"),
        pytest.param([[STRAY], [], []], "extra", {ANN}, [BOB, CAT], id="extra"),
        pytest.param([[AS_PEN], [INK], [NIB]], "label mismatch", {ANN, BOB, CAT}, [], id="label mismatch"),
        pytest.param(
            [[PEN], [("pen", 0.0, 0.0, 100.0, 60.0)], [("pen", 0.0, 40.0, 100.0, 60.0)]],
            "low overlap",
            {ANN, BOB, CAT},
            [],
            id="low overlap",
        ),
    ],
)
@pytest.mark.parametrize("method", ["majority", "fused"])
def test_disputed_images_with_the_reason_and_the_answers_that_caused_it(
    method, boxes, reason, drawn, not_drawn
):
    table = answers(*(answer("i", name, *own) for name, own in zip(THREE, boxes, strict=True)))
    settings = Consensus(method=method, min_agreement=0.9, min_iou=0.1, max_doubt=0.01)
    (image,) = measure_consensus(table, settings).report["disputed_images"]
    assert image["source_ref"] == "i"
    found = [one for one in image["objects"] if reason in one["reasons"]]
    assert found
    assert {one["worker"] for part in found for one in part["drawn"]} == drawn
    assert found[0]["not_drawn_by"] == sorted(not_drawn)
    assert {"box", "category", "left", "top", "width", "height"} < set(found[0]["drawn"][0])


def test_the_report_holds_its_parameters():
    settings = Consensus(method="median", min_iou=0.3, min_agreement=0.6, relabel_passes=2)
    parameters = measure_consensus(answers(answer("i", "ann", PEN)), settings).report["parameters"]
    for name, value in settings.model_dump(mode="json").items():
        assert parameters[name] == value
    careless = parameters["careless"]
    assert careless["enough_answers"] == 5
    assert set(careless["below_median"]) == {"recall", "precision", "box_accuracy"}


def test_gold_images_score_workers_against_truth():
    """Where all the others are careless too, only gold names somebody."""
    gold = [f"g{n}" for n in range(8)]
    table = answers(
        *(answer(image, name, PEN) for image in gold for name in ("ann", "bob")),
        *(answer(image, "cat", STRAY) for image in gold),
    )
    truth = measure_consensus(
        answers(*(answer(i, "t", PEN) for i in gold)), Consensus(method="majority")
    ).labels
    scored = gold_report(gold_counts(table, truth, gold, {"job-1": ["pen"]}), len(gold))
    plain = measure_consensus(answers(answer("i", "ann", PEN)), Consensus()).report
    report = json.loads(encode_report(report_with_gold(plain, scored)))
    assert plain["careless_workers"] == []
    assert report["careless_workers"] == [CAT]
    workers = {entry["worker"]: entry for entry in report["gold"]["workers"]}
    assert (workers[ANN]["recall"], workers[ANN]["mean_iou"], workers[CAT]["recall"]) == (1, 1, 0)
    assert report["gold"]["parameters"] == {"iou": 0.5, "careless_below": 0.6, "enough_images": 3}


@pytest.mark.parametrize("parts", [1, 2], ids=["one part", "two parts, read as they are written"])
def test_the_file_is_indented_json_of_ten_digits(parts):
    entries = [
        {"source_ref": name, "number": value, "of": [], "in": [{"a": {}}, [1.5, None]]}
        for name, value in [('s3://b/\n\u2028\x7f\x1f"한😀.jpg', -0.0), ("s3://b/z", 1e-05), ("s3://c", 1e17)]
    ]
    listed = in_order([[entries], [[]]][:parts])
    report = {
        "share": 1 / 3,
        "none": {},
        "all": {"listed": listed, "tuple": (1, 2)},
        "empty": in_order([[]] * parts),
    }
    plain = {**report, "share": 0.3333333333, "all": {"listed": entries, "tuple": (1, 2)}, "empty": []}
    assert encode_report(report).decode() == json.dumps(plain, ensure_ascii=False, indent=1) + "\n"
