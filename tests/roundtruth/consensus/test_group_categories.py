"""Categories of groups of boxes."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus.group_categories import CategorySkill, choose_categories
from roundtruth.consensus.grouped_boxes import GroupedBoxes


def boxes_of(given: list[list[tuple[int, int]]], workers: int, categories: int) -> GroupedBoxes:
    """Of each group the (worker, category) of its boxes."""
    group = np.repeat(np.arange(len(given)), [len(boxes) for boxes in given])
    flat = [pair for boxes in given for pair in boxes]
    return GroupedBoxes(
        rows=np.arange(len(flat)),
        group=group,
        worker=np.array([worker for worker, _ in flat], np.int64),
        category=np.array([category for _, category in flat], np.int64),
        edges=np.zeros((len(flat), 4)),
        task=np.arange(len(given)),
        votes=np.bincount(group, minlength=len(given)),
        workers=workers,
        categories=categories,
    )


def nothing_known(workers: int) -> CategorySkill:
    return CategorySkill(right=np.zeros(workers), boxes=np.zeros(workers))


def test_votes_and_ties():
    boxes = boxes_of([[(0, 1), (1, 1), (2, 0)], [(0, 0), (1, 1)], [(0, 2)]], 3, 3)
    chosen = choose_categories(boxes, np.ones(3), nothing_known(3))
    assert chosen.category.tolist() == [1, chosen.category[1], 2]
    assert (chosen.votes.tolist(), chosen.runner_up_votes.tolist()) == ([2, 1, 1], [1, 1, 0])
    assert chosen.probability[0] > 0.8
    assert chosen.probability[2] == pytest.approx(1)
    assert chosen.evidence[2] == 0  # a box alone says nothing either way


def test_agreeing_choices_are_evidence_for_an_object():
    boxes = boxes_of(
        [[(0, 0), (1, 0), (2, 0)], [(0, 0), (1, 1), (2, 2)]] + [[(0, 1), (1, 1)], [(1, 2), (2, 2)]] * 5, 3, 3
    )
    evidence = choose_categories(boxes, np.ones(12), nothing_known(3)).evidence
    assert evidence[0] > 0 > evidence[1]


def test_two_poor_workers_do_not_outvote_a_good_one():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, 400)
    right = np.array([0.98, 0.98, 0.45, 0.45])
    given = []
    for category in truth.tolist():
        asked = rng.permutation(4)[:3].tolist()
        given.append(
            [(w, category if rng.random() < right[w] else int(rng.integers(0, 4))) for w in sorted(asked)]
        )
    boxes = boxes_of(given, 4, 4)
    chosen = choose_categories(boxes, np.ones(400), nothing_known(4))
    votes = np.zeros((400, 4))
    np.add.at(votes, (boxes.group, boxes.category), 1)
    assert (chosen.category == truth).mean() > (votes.argmax(axis=1) == truth).mean() + 0.03
    accuracy = chosen.skill.right / chosen.skill.boxes
    assert accuracy[:2].min() > accuracy[2:].max() + 0.2
    assert chosen.probability.mean() == pytest.approx((chosen.category == truth).mean(), abs=0.05)


def test_what_is_known_decides_a_tie():
    boxes = boxes_of([[(0, 0), (1, 1)]], 2, 2)
    known = CategorySkill(right=np.array([20.0, 99.0]), boxes=np.array([100.0, 100.0]))
    assert choose_categories(boxes, np.ones(1), known).category.tolist() == [1]


def test_each_worker_has_a_confusion_of_his_own():
    # Worker 0 calls every second 2 a 3 and is right otherwise; workers 1 to 3 err anywhere, now and then.
    rng = np.random.default_rng(4)
    given = []
    for truth in rng.integers(0, 4, 400).tolist():
        said = [truth if rng.random() > 0.12 else int(rng.integers(0, 4)) for _ in range(4)]
        said[0] = 3 if truth == 2 and rng.random() < 0.5 else truth
        given.append(list(enumerate(said)))
    boxes = boxes_of([*given, [(0, 3), (1, 2)], [(1, 2), (2, 3)]], 4, 4)
    chosen = choose_categories(boxes, np.ones(402), nothing_known(4))
    of_two = [
        chosen.probability[n] if chosen.category[n] == 2 else 1 - chosen.probability[n] for n in (400, 401)
    ]
    assert of_two[0] > 0.9
    assert of_two[0] > of_two[1] + 0.2


def test_with_few_boxes_a_worker_has_the_confusion_of_the_pool():
    # People take 1 for 0; a stranger (worker 3) is believed as one of them is.
    rng = np.random.default_rng(5)
    given = [
        [(worker, 1 if truth == 0 and rng.random() < 0.3 else truth) for worker in range(3)]
        for truth in rng.integers(0, 3, 300).tolist()
    ]
    boxes = boxes_of([*given, [(0, 0), (3, 1)], [(0, 0), (1, 1)]], 4, 3)
    chosen = choose_categories(boxes, np.ones(302), nothing_known(4))
    assert chosen.category[300] == chosen.category[301]
    assert chosen.probability[300] == pytest.approx(chosen.probability[301], abs=0.05)
