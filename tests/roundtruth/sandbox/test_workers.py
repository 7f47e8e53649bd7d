"""Simulated workers: who they are, and that they err as much as their kind says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.sandbox.truth import TrueBox, Truth
from roundtruth.sandbox.workers import (
    AVERAGE,
    EXACT,
    GOOD,
    LOOSE,
    NONSENSE,
    POOR,
    SPAM,
    Worker,
    draw,
    worker_pool,
    working_seconds,
)

LABELS = ("pencil", "pen", "marker")
IMAGE = Truth(
    width=1000,
    height=800,
    objects=tuple(
        TrueBox(label=LABELS[n % 2], left=100 + 200 * n, top=100 + 150 * n, width=180, height=140)
        for n in range(4)
    ),
)


def worker(skill):
    return Worker(number=0, code="0" * 16, subject="s", skill=skill)


def answers(skill, count=400):
    return [draw(worker(skill), IMAGE, LABELS, seed, seed + 10_000) for seed in range(count)]


def near(box):
    """The true box whose middle is within the drawn box's reach, by index; None for a false box."""
    for index, true in enumerate(IMAGE.objects):
        away = abs(box.left + box.width / 2 - true.left - true.width / 2) / true.width
        away += abs(box.top + box.height / 2 - true.top - true.height / 2) / true.height
        if away < 0.4:
            return index
    return None


@pytest.mark.parametrize(
    ("pool", "kinds"),
    [
        ("good", {"good": 20}),
        ("mixed", {"good": 7, "average": 8, "poor": 3, "loose": 2}),
        ("bad", {"good": 4, "average": 6, "poor": 5, "loose": 2, "spam": 3}),
        ("replay", {"exact": 20}),
    ],
)
def test_pools(pool, kinds):
    people = worker_pool(pool, seed=3)
    assert Counter(one.skill.kind for one in people) == kinds
    assert people == worker_pool(pool, seed=3)
    assert {one.code for one in people}.isdisjoint(one.code for one in worker_pool(pool, seed=4))
    assert len({one.code for one in people}) == len({one.subject for one in people}) == 20


def test_workers_of_nonsense_keep_their_names():
    assert [one.code for one in worker_pool("good", 1, nonsense=2)] == [
        one.code for one in worker_pool("good", 1)
    ]
    assert Counter(one.skill.kind for one in worker_pool("good", 1, nonsense=2)) == {
        "good": 18,
        "nonsense": 2,
    }


@pytest.mark.parametrize("skill", [GOOD, AVERAGE, POOR, LOOSE], ids=lambda skill: skill.kind)
def test_workers_err_as_their_kind(skill):
    found = [(near(box), box) for answer in answers(skill) for box in answer.boxes]
    true = [(IMAGE.objects[index], box) for index, box in found if index is not None]
    assert 1 - len(true) / 1600 == pytest.approx(skill.missed, abs=0.05)
    false = sum(index is None for index, _ in found) / 400
    assert false == pytest.approx(skill.false_boxes, rel=0.35)
    wrong = np.mean([one.label != box.label for one, box in true])
    assert wrong == pytest.approx(skill.confused, abs=0.03)
    slips = np.array([(box.left - one.left) / one.width for one, box in true])
    assert np.median(slips) == pytest.approx(-skill.outward, abs=0.01)
    # The middle half of Student's t with 4 degrees, scaled to a standard deviation of `edge`.
    middle = np.subtract(*np.percentile(slips, [75, 25])) / 2
    assert middle == pytest.approx(skill.edge * 0.741 / np.sqrt(2), rel=0.35)


def test_hard_objects_are_hard_for_everybody():
    missed = np.zeros((200, 4, 2))
    for image in range(200):
        for person in range(2):
            answer = draw(worker(POOR), IMAGE, LABELS, 7 * image + person, image)
            seen = {near(box) for box in answer.boxes}
            missed[image, :, person] = [index not in seen for index in range(4)]
    both = missed.reshape(-1, 2)
    assert np.corrcoef(both.T)[0, 1] > 0.05


def test_small_objects_are_missed_more_often():
    small = Truth(
        width=2000, height=2000, objects=(TrueBox(label="pen", left=900, top=900, width=60, height=60),)
    )
    seen = sum(bool(draw(worker(POOR), small, ("pen",), n, n + 1_000_000).boxes) for n in range(400))
    large = Truth(
        width=200, height=200, objects=(TrueBox(label="pen", left=50, top=50, width=90, height=90),)
    )
    assert seen < sum(bool(draw(worker(POOR), large, ("pen",), n, n + 1_000_000).boxes) for n in range(400))


def test_exact_workers_draw_what_is_recorded():
    assert draw(worker(EXACT), IMAGE, LABELS, 1, 1).boxes == IMAGE.objects
    only_pens = draw(worker(EXACT), IMAGE, ("pen",), 1, 1).boxes
    assert [box.label for box in only_pens] == ["pen", "pen"]


def test_spammers_see_nothing_real():
    boxes = [box for answer in answers(SPAM) for box in answer.boxes]
    assert len(boxes) / 400 == pytest.approx(SPAM.false_boxes, rel=0.2)


def test_nonsense_is_null_empty_everything_or_thirty():
    given = Counter(None if one.boxes is None else len(one.boxes) for one in answers(NONSENSE))
    assert set(given) == {None, 1, 30}


@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.sampled_from([GOOD, POOR, LOOSE, SPAM]),
    st.integers(0, 2**63),
)
def test_boxes_are_whole_pixels_inside_of_the_image(width, height, skill, seed):
    true = TrueBox(label="pen", left=0, top=0, width=max(1, width // 2), height=height)
    image = Truth(width=width, height=height, objects=(true,))
    for box in draw(worker(skill), image, ("pencil", "pen"), seed, seed).boxes:
        assert all(isinstance(side, int) for side in (box.left, box.top, box.width, box.height))
        assert box.left >= 0
        assert box.top >= 0
        assert box.width >= 1
        assert box.height >= 1
        assert box.left + box.width <= width
        assert box.top + box.height <= height


def test_more_boxes_take_longer_and_spammers_are_quick():
    def mean(skill, boxes):
        return np.mean([working_seconds(worker(skill), boxes, seed) for seed in range(200)])

    assert mean(GOOD, 0) < mean(GOOD, 1) < mean(GOOD, 6)
    assert mean(SPAM, 3) < mean(POOR, 3) < mean(GOOD, 3)
