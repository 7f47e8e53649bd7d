"""The file of worker skills."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.simulated_workers import simulate
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.consensus.worker_skills import (
    DECAY,
    WorkerSkill,
    WorkerSkills,
    category_skill,
    decode_skills,
    drawing_skill,
    encode_skills,
    existence_skill,
)
from roundtruth.errors import ConsensusError
from roundtruth.project import Consensus

ANN = WorkerSkill(
    draws=2.5,
    draws_weight=10.0,
    false=-3.0,
    false_weight=4.0,
    right_categories=9.0,
    categories=10.0,
    variance=6.25,
    outward=(1.0, 2.0, 0.5, 0.0),
    boxes=20.0,
    rounds=3,
)


def test_round_trip():
    skills = WorkerSkills(workers={"worker-b": ANN, "worker-a": WorkerSkill()})
    data = encode_skills(skills)
    assert decode_skills(data, name="skills.json") == skills
    assert list(json.loads(data)["workers"]) == ["worker-a", "worker-b"]
    assert encode_skills(decode_skills(data, name="skills.json")) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "is not a skills file", id="empty"),
        pytest.param(b'{"version": 1, "workers": {"w": {"speed": 3}}}', "speed", id="unknown field"),
        pytest.param(b'{"version": 2, "workers": {}}', "has version 2", id="another version"),
    ],
)
def test_what_is_no_skills_file(data, message):
    with pytest.raises(ConsensusError, match=message):
        decode_skills(data, name="skills.json")


def test_old_evidence_fades_and_strangers_have_none():
    skills = WorkerSkills(workers={pseudonym("ann"): ANN})
    workers = [pseudonym("ann"), "stranger"]
    existence = existence_skill(skills, workers)
    assert existence.draws.tolist() == [2.5, 0.0]
    assert existence.draws_weight.tolist() == [10 * DECAY, 0.0]
    assert category_skill(skills, workers).boxes.tolist() == [10 * DECAY, 0.0]
    drawing = drawing_skill(skills, workers)
    assert drawing.outward.tolist() == [[1.0, 2.0, 0.5, 0.0], [0.0] * 4]
    assert drawing.boxes.tolist() == [20 * DECAY, 0.0]


def test_who_was_not_there_keeps_what_was_known():
    known = WorkerSkills(workers={"worker-gone": ANN})
    made = simulate("good", images=10, workers=3, seed=1)
    skills = measure_consensus(made.answers, Consensus(method="fused"), skills=known).skills
    assert skills.workers["worker-gone"] == ANN
    assert len(skills.workers) > 3
    assert not any("private" in name for name in skills.workers)


def test_skills_tell_the_workers_apart():
    made = simulate("mixed", images=400, workers=5, seed=1)
    skills = measure_consensus(made.answers, Consensus(method="fused")).skills.workers
    of = [skills[pseudonym(f"private.eu-west-1.{number:04d}")] for number in range(20)]
    good, average, poor, loose = of[:7], of[7:15], of[15:18], of[18:]
    for better, worse in ((good, average), (average, poor)):
        assert np.mean([w.draws for w in better]) > np.mean([w.draws for w in worse])
        assert np.mean([w.false for w in better]) < np.mean([w.false for w in worse])
        assert max(w.variance for w in better) < min(w.variance for w in worse) * 1.1
        accuracy = [[w.right_categories / w.categories for w in kind] for kind in (better, worse)]
        assert np.mean(accuracy[0]) > np.mean(accuracy[1])
    # Loose workers draw 8 % of the side outwards: 8 pixels on a side of 100.
    assert np.mean([w.outward for w in loose]) == pytest.approx(8, abs=1.5)
    assert np.mean([w.outward for w in good]) == pytest.approx(0, abs=0.7)
    # Two rounds say more than one.
    again = measure_consensus(
        made.answers, Consensus(method="fused"), skills=WorkerSkills(workers=skills)
    ).skills.workers
    assert all(again[name].boxes > skill.boxes for name, skill in skills.items())
