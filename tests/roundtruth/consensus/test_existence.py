"""Which groups are objects."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus.existence import ExistenceSkill, estimate_existence
from roundtruth.consensus.grouped_boxes import Opinions


def nothing_known(workers: int) -> ExistenceSkill:
    zeros = np.zeros(workers)
    return ExistenceSkill(draws=zeros, draws_weight=zeros, false=zeros, false_weight=zeros)


def opinions_of(drew: np.ndarray) -> Opinions:
    """A row a group, a column a worker."""
    groups, workers = drew.shape
    return Opinions(
        group=np.repeat(np.arange(groups), workers),
        worker=np.tile(np.arange(workers), groups),
        drew=drew.astype(np.float64).ravel(),
        starts=np.arange(groups) * workers,
    )


def estimate(drew, covariates=None, known=None):
    covariates = np.zeros((len(drew), 1)) if covariates is None else covariates
    return estimate_existence(
        opinions_of(drew), covariates, np.zeros(len(drew)), known or nothing_known(drew.shape[1])
    )


def test_more_votes_are_likelier():
    drew = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    real = estimate(drew).real
    assert (np.diff(real) > 0).all()
    assert real[0] < 0.5 < real[2]


def made(seed: int, recall, false, objects=600, places=400):
    rng = np.random.default_rng(seed)
    real = np.r_[np.ones(objects, bool), np.zeros(places, bool)]
    chance = np.where(real[:, None], recall(objects + places), false)
    drew = rng.random((objects + places, np.shape(chance)[1])) < chance
    seen = drew.any(axis=1)
    return drew[seen], real[seen], seen


def test_careless_and_inventive_workers_are_found():
    recall = np.array([0.95, 0.95, 0.95, 0.4, 0.95])
    false = np.array([0.03, 0.03, 0.03, 0.03, 0.4])
    drew, real, _ = made(1, lambda n: np.tile(recall, (n, 1)), false)
    result = estimate(drew)
    skill = result.skill
    assert skill.draws.argmin() == 3
    assert skill.false.argmax() == 4
    assert ((result.real > 0.5) == real).mean() > 0.97


def test_hard_objects_of_a_kind_that_everybody_misses_are_kept():
    rng = np.random.default_rng(3)
    small = rng.random(1000) < 0.3
    recall = np.where(small, 0.45, 0.97)
    drew, real, seen = made(4, lambda n: np.tile(recall[:, None], (1, 5)), np.full(5, 0.04))
    covariates = np.where(small, 1.0, -0.43)[:, None][seen]
    with_size = estimate(drew, covariates).real > 0.5
    hard = real & small[seen]
    majority = drew.sum(axis=1) >= 3
    assert (with_size == real).mean() > (majority == real).mean()
    assert with_size[hard].mean() > majority[hard].mean() + 0.1


def test_what_is_known_decides_a_tie():
    drew = np.array([[1, 0], [0, 1]])
    known = ExistenceSkill(
        draws=np.array([3.0, -1.0]),
        draws_weight=np.full(2, 100.0),
        false=np.array([-4.0, 1.0]),
        false_weight=np.full(2, 100.0),
    )
    real = estimate(drew, known=known).real
    assert real[0] > 0.8
    assert real[1] < 0.2


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_no_groups(workers):
    result = estimate(np.zeros((0, workers)))
    assert result.real.shape == (0,)
