"""Gold images as a prior of the round that they stand in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.simulated_workers import simulate
from roundtruth.annotations import LABELS, table
from roundtruth.consensus.evaluation import detection_scores
from roundtruth.consensus.gold import GoldCounts, gold_counts
from roundtruth.consensus.gold_skills import with_gold
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.consensus.worker_skills import (
    DECAY,
    WorkerSkill,
    WorkerSkills,
    category_skill,
    drawing_skill,
    existence_skill,
)
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import answer, answers

TRUE = ("pen", 100.0, 100.0, 80.0, 60.0)
ELSEWHERE = ("pen", 400.0, 300.0, 80.0, 60.0)
FUSED = Consensus(method="fused")
RIGHT = GoldCounts(answers=10, objects=20, boxes=20, found=20, right_categories=20, iou=18.0, squares=0.2)
EMPTY = GoldCounts(answers=10, objects=20)


def test_who_fails_gold_counts_less_in_the_same_round():
    """Two people, one word against the other: only gold tells whose boxes are objects."""
    gold, images = [f"gold{n}" for n in range(8)], [f"i{n}" for n in range(8)]
    given = answers(
        *(answer(image, "honest", TRUE) for image in [*gold, *images]),
        *(answer(image, "careless", ELSEWHERE) for image in [*gold, *images]),
    )
    rows = [
        {"source_ref": image, "category": "pen", "left": 100, "top": 100, "width": 80, "height": 60}
        for image in gold
    ]
    counts = gold_counts(given, table(rows, LABELS), gold, {"job-1": ["pen"]})
    ours = given[~given["source_ref"].isin(gold)]
    without = measure_consensus(ours, FUSED).labels
    assert without["left"].nunique() == 2, "nobody can tell"
    scores = without.groupby("left")["score"].mean()
    assert scores[100] == pytest.approx(scores[400])
    labels = measure_consensus(ours, FUSED, skills=with_gold(WorkerSkills(), counts)).labels
    assert labels["left"].tolist() == pytest.approx([100.0] * len(images))
    assert labels["source_ref"].tolist() == images


@pytest.mark.parametrize(
    ("counts", "lower", "higher"),
    [
        pytest.param(EMPTY, 0.0, 0.2, id="draws nothing"),
        pytest.param(RIGHT, 0.9, 1.0, id="finds everything"),
        pytest.param(GoldCounts(answers=1, objects=1), 0.4, 0.7, id="one object says little"),
        pytest.param(GoldCounts(answers=4), 0.5, 0.5, id="images without objects: a stranger"),
    ],
)
def test_recall(counts, lower, higher):
    skill = existence_skill(with_gold(WorkerSkills(), {"w": counts}), ["w"])
    assert lower <= 1 / (1 + np.exp(-skill.draws[0])) <= higher
    assert (skill.draws_weight[0] > 0) == (counts.objects > 0)


def test_false_boxes_are_compared_with_the_others_and_weigh_little():
    """An expert may leave out what is tiny: where all draw it, nobody is the worse for it."""
    alike = {name: GoldCounts(answers=10, boxes=10, false_boxes=10) for name in "abc"}
    skill = existence_skill(with_gold(WorkerSkills(), alike), list("abc"))
    assert skill.false.tolist() == pytest.approx([-2.5] * 3)
    assert skill.false_weight.tolist() == pytest.approx([2.5] * 3), "a quarter of a box each"
    spam = with_gold(WorkerSkills(), {**alike, "s": GoldCounts(answers=10, boxes=90, false_boxes=90)})
    assert existence_skill(spam, ["s"]).false[0] > existence_skill(spam, ["a"]).false[0] + 1


def test_place_and_categories():
    counts = GoldCounts(
        answers=5, objects=10, boxes=10, found=10, right_categories=4, outward=(1.0, 0, 0, -0.5), squares=0.4
    )
    skills = with_gold(WorkerSkills(), {"w": counts})
    drawing, categories = drawing_skill(skills, ["w"]), category_skill(skills, ["w"])
    assert (categories.right[0], categories.boxes[0]) == pytest.approx((4, 10))
    assert drawing.outward[0].tolist() == pytest.approx([10, 0, 0, -5])
    assert drawing.boxes[0] == pytest.approx(10)
    # Mean square .01 of the side, less that of the biases: (.1² + .05²) / 4.
    assert drawing.variance[0] == pytest.approx((0.01 - 0.0125 / 4) * 100**2)


def test_what_was_known_before_counts_on_and_fades_as_ever():
    before = WorkerSkill(
        draws=1.0, draws_weight=10, right_categories=5, categories=10, variance=4, boxes=10, rounds=3
    )
    stranger = WorkerSkill(draws=2.0, draws_weight=3)
    skills = with_gold(WorkerSkills(workers={"w": before, "other": stranger}), {"w": RIGHT})
    assert skills.workers["other"] == stranger
    assert skills.workers["w"].rounds == 3
    draws = existence_skill(skills, ["w"])
    recall = (20 + 0.88 * 2) / 22
    weight = 20 * recall * (1 - recall)
    assert draws.draws_weight[0] == pytest.approx(10 * DECAY + weight)
    expected = (10 * DECAY * 1.0 + weight * np.log(recall / (1 - recall))) / (10 * DECAY + weight)
    assert draws.draws[0] == pytest.approx(expected)
    assert category_skill(skills, ["w"]).boxes[0] == pytest.approx(10 * DECAY + 20)


def test_nothing_without_gold():
    known = WorkerSkills(workers={"b": WorkerSkill(draws=1.0), "a": WorkerSkill()})
    assert with_gold(known, {}).workers == known.workers
    nobody = with_gold(WorkerSkills(), {"w": GoldCounts()}).workers["w"]
    assert (nobody.draws_weight, nobody.false_weight, nobody.categories, nobody.boxes) == (0, 0, 0, 0)


def test_gold_helps_a_small_round_of_a_bad_pool():
    """Measured over six seeds of 40 images: .871 / .353 without gold, .881 / .409 with 20 gold images."""
    gained = []
    for seed in range(3):
        made = simulate("bad", images=60, workers=3, seed=seed)
        gold, rest = made.images[:20], made.images[20:]
        jobs = dict.fromkeys(made.answers["job"].unique(), sorted(set(made.truth["category"])))
        skills = with_gold(WorkerSkills(), gold_counts(made.answers, made.truth, gold, jobs))
        ours = made.answers[~made.answers["source_ref"].isin(gold)]
        truth = made.truth[~made.truth["source_ref"].isin(gold)]
        with_, without = (
            [detection_scores(_labels(ours, known), truth, iou, images=rest).f1 for iou in (0.5, 0.9)]
            for known in (skills, WorkerSkills())
        )
        gained.append(np.subtract(with_, without))
    half, nine_tenths = np.mean(gained, axis=0)
    assert half > -0.005
    assert nine_tenths > 0.02


def _labels(given: pd.DataFrame, skills: WorkerSkills) -> pd.DataFrame:
    return measure_consensus(given, FUSED, skills=skills).labels


def test_skills_stand_by_pseudonym():
    counts = gold_counts(
        answers(answer("a", "private.w")), table([], LABELS), ["a"], {"job-1": ["pen"]}, pseudonym_key=b"k"
    )
    assert list(with_gold(WorkerSkills(), counts).workers) == [pseudonym("private.w", b"k")]
