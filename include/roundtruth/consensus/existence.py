"""Which groups of boxes are objects: a probability a group, from who drew it and who did not.

Dawid–Skene over "drew it or not", with three things that the plain model lacks and real answers need: an
object's difficulty (a latent effect as in Rasch's model, hard or easy, and covariates such as size and
crowding, the same for all workers), so that objects many overlook are not thrown away; false boxes that
several workers draw at the same distracting place; and groups that nobody drew, of which the data hold none
(the expected number of each kind, Dawid–Skene conditional on having been seen).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from roundtruth.consensus.grouped_boxes import Opinions, sums
from roundtruth.consensus.matching import Bools, Floats

# Latent points and their shares, in units of the spread. Two are as good as five (measured), and faster.
_DIFFICULTY = ((-1.0, 0.5), (1.0, 0.5))  # a hard or an easy object
_DISTRACTION = ((-1.0, 0.5), (1.0, 0.5))  # a false place attracts little or much

# Log odds before anything was seen. A usual worker draws .88 of the objects and .08 of the false places; both
# are weak (five workers' worth), but keep a round of ten images on the ground.
_USUAL_DRAWS, _USUAL_FALSE = 2.0, -2.5
_POOL_WORKERS = 5.0
# Variance of log odds between workers before any was seen, weighing as so many workers: a pool that is alike
# must not be told apart by chance, which with two answers an image throws good boxes away.
_BETWEEN_WORKERS, _BETWEEN_WEIGHT = 1.0, 5.0
_MORE_REAL = 0.0  # log odds of object against false place
_SPREAD, _SPREAD_WEIGHT = 1.5, 20.0  # standard deviation of difficulty, and its weight in objects
_RIDGE = 20.0  # weight of "no effect" for each covariate, in objects
_LARGEST_STEP = 1.0  # of Newton's method, in log odds
# People err together (one distracting shadow, one hidden leg), more than any model here knows, so votes say
# less than independent ones would. Real answers are best predicted by .5 to .6 of the log odds, simulated
# independent ones by all of them.
_CORRELATED = 0.7
_LEAST_ITERATIONS, _ITERATIONS = 4, 30
# Where careless people outnumber the others, two explanations feed themselves: all draw false boxes, or most
# overlook everything. Two boxes in one place are no coincidence, so the search starts on that side.
_HEAD_START, _HEAD_START_ITERATIONS = 2.0, 3
_SETTLED = 3e-4  # mean change of a probability


@dataclass(frozen=True, kw_only=True, eq=False)
class ExistenceSkill:
    """How likely each worker draws an object and a false place, in log odds; one entry a worker.

    ``*_weight``: information behind each (the inverse of its variance), 0 for a worker never seen.
    """

    draws: Floats
    draws_weight: Floats
    false: Floats
    false_weight: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Existence:
    """``real``: probability that each group is an object, given its answers.

    ``judged``: whether somebody who drew it is known from earlier rounds.
    """

    real: Floats
    judged: Bools
    skill: ExistenceSkill


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """One of the two explanations of a group: an object, or a false place."""

    worker: Floats  # log odds of drawing it
    effect: Floats  # of the covariates
    spread: float
    usual: float  # log odds of the usual worker
    between: float  # variance of log odds between workers


@dataclass(frozen=True, kw_only=True, eq=False)
class _Likelihood:
    """Of each group under one side, a column a latent point: all opinions, and nobody drew it."""

    log: Floats
    unseen: Floats


def estimate_existence(
    opinions: Opinions, covariates: Floats, evidence: Floats, known: ExistenceSkill
) -> Existence:
    """Estimate which groups are objects, and how workers notice them.

    :param covariates: of each group, centred, shape (groups, any).
    :param evidence: log likelihood ratio for "object" of what else is known of each group (its categories).
    :param known: what earlier rounds say.
    """
    groups, width = covariates.shape
    workers = len(known.draws)
    real = _Side(
        worker=np.full(workers, _USUAL_DRAWS),
        effect=np.zeros(width),
        spread=_SPREAD,
        usual=_USUAL_DRAWS,
        between=_BETWEEN_WORKERS,
    )
    false = _Side(
        worker=np.full(workers, _USUAL_FALSE),
        effect=np.zeros(width),
        spread=1.0,
        usual=_USUAL_FALSE,
        between=_BETWEEN_WORKERS,
    )
    design = np.concatenate([np.ones((groups, 1)), covariates], axis=1)
    odds = np.zeros(width + 1)
    odds[0] = _MORE_REAL
    probability = np.zeros(groups)
    coincidence = _HEAD_START * (opinions.sum(opinions.drew) > 1)
    weights = (np.zeros(workers), np.zeros(workers))
    for iteration in range(_ITERATIONS):
        before = probability
        prior = _logistic(design @ odds)
        parts = (
            _likelihood(opinions, covariates, real, _DIFFICULTY),
            _likelihood(opinions, covariates, false, _DISTRACTION),
        )
        start = coincidence if iteration < _HEAD_START_ITERATIONS else 0.0
        shares, unseen = _explain(prior, parts, evidence + start)
        probability = shares[0].sum(axis=1)
        real, draws_weight = _improve(
            opinions, covariates, real, _DIFFICULTY, shares[0], unseen[0],
            (known.draws, known.draws_weight), fixed=False,
        )  # fmt: skip
        false, false_weight = _improve(
            opinions, covariates, false, _DISTRACTION, shares[1], unseen[1],
            (known.false, known.false_weight), fixed=True,
        )  # fmt: skip
        weights = (draws_weight + known.draws_weight, false_weight + known.false_weight)
        total = probability + unseen[0].sum(axis=1), shares[1].sum(axis=1) + unseen[1].sum(axis=1)
        odds = _improve_odds(design, odds, total, prior)
        if iteration > _LEAST_ITERATIONS and groups and float(np.abs(probability - before).mean()) < _SETTLED:
            break
    skill = ExistenceSkill(
        draws=real.worker, draws_weight=weights[0], false=false.worker, false_weight=weights[1]
    )
    judged = opinions.sum(opinions.drew * (known.draws_weight > 0)[opinions.worker]) > 0
    return Existence(real=_tempered(probability), judged=judged, skill=skill)


def _likelihood(
    opinions: Opinions, covariates: Floats, side: _Side, points: tuple[tuple[float, float], ...]
) -> _Likelihood:
    base = side.worker[opinions.worker] + (covariates @ side.effect)[opinions.group]
    drawn = opinions.sum(opinions.drew * base)
    votes = opinions.sum(opinions.drew)
    log, unseen = np.zeros((len(drawn), len(points))), np.zeros((len(drawn), len(points)))
    for column, (point, _) in enumerate(points):
        nobody = -opinions.sum(_softplus(base + side.spread * point))
        log[:, column] = drawn + votes * side.spread * point + nobody
        unseen[:, column] = np.exp(nobody)
    return _Likelihood(log=log, unseen=unseen)


def _explain(
    prior: Floats, parts: tuple[_Likelihood, _Likelihood], evidence: Floats
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The E-step: the share of each side and point in each group, and the unseen groups it stands for."""
    share_of = (prior[:, None] * _shares(_DIFFICULTY), (1 - prior)[:, None] * _shares(_DISTRACTION))
    logs = (parts[0].log + evidence[:, None], parts[1].log)
    top = np.maximum(logs[0].max(axis=1), logs[1].max(axis=1))[:, None]
    likely = [share * np.exp(log - top) for share, log in zip(share_of, logs, strict=True)]
    total = (likely[0].sum(axis=1) + likely[1].sum(axis=1))[:, None]
    seen = sum((share * (1 - part.unseen)).sum(axis=1) for share, part in zip(share_of, parts, strict=True))
    seen = np.maximum(seen, 1e-9)[:, None]
    unseen = [share * part.unseen / seen for share, part in zip(share_of, parts, strict=True)]
    return (likely[0] / total, likely[1] / total), (unseen[0], unseen[1])


def _improve(
    opinions: Opinions,
    covariates: Floats,
    side: _Side,
    points: tuple[tuple[float, float], ...],
    share: Floats,
    unseen: Floats,
    known: tuple[Floats, Floats],
    *,
    fixed: bool,
) -> tuple[_Side, Floats]:
    """The M-step of one side: a step of Newton's method for each worker, the covariates and the spread.

    :param known: log odds of each worker from earlier rounds, and their weight.
    :param fixed: leave covariates and spread as they are.
    :return: the side, and how much this round says of each worker.
    """
    base = side.worker[opinions.worker] + (covariates @ side.effect)[opinions.group]
    residual: Floats = share.sum(axis=1)[opinions.group] * opinions.drew
    # The spread learns from all opinions at once: what is drawn more at easy points, and less at hard ones.
    spread_gradient, spread_curvature = (
        float(((share @ _places(points)) * opinions.sum(opinions.drew)).sum()),
        0.0,
    )
    curvature = np.zeros(len(base))
    total = share + unseen
    for column, (point, _) in enumerate(points):
        drawn = _logistic(base + side.spread * point)
        expected = total[:, column][opinions.group] * drawn
        bend = expected * (1 - drawn)
        residual -= expected
        curvature += bend
        spread_gradient -= float(expected.sum()) * point
        spread_curvature += float(bend.sum()) * point**2
    workers = len(side.worker)
    told = sums(opinions.worker, curvature, workers)
    # For what is carried over: with nobody beside him a worker cannot be judged.
    others = 1 - 1 / np.diff(np.r_[opinions.starts, len(base)])
    carried = sums(opinions.worker, curvature * others[opinions.group], workers)
    pull = 1 / side.between
    gradient = sums(opinions.worker, residual, workers)
    gradient += pull * (side.usual - side.worker) + known[1] * (known[0] - side.worker)
    worker = side.worker + _step(gradient / (told + pull + known[1]))
    prior = _USUAL_FALSE if fixed else _USUAL_DRAWS
    usual = float((pull * worker.sum() + prior * _POOL_WORKERS) / (pull * workers + _POOL_WORKERS))
    apart = float(((worker - usual) ** 2 + 1 / (told + pull + known[1])).sum())
    between = (apart + _BETWEEN_WEIGHT * _BETWEEN_WORKERS) / (workers + _BETWEEN_WEIGHT)
    if fixed:
        return replace(side, worker=worker, usual=usual, between=between), carried
    by_group, bend_by_group = opinions.sum(residual), opinions.sum(curvature)
    slope = covariates.T @ by_group - _RIDGE * side.effect
    bend_matrix = (covariates * bend_by_group[:, None]).T @ covariates + _RIDGE * np.eye(covariates.shape[1])
    spread_gradient -= _SPREAD_WEIGHT * (side.spread - _SPREAD)
    spread = side.spread + _step(spread_gradient / (spread_curvature + _SPREAD_WEIGHT)) / 3
    return (
        _Side(
            worker=worker,
            effect=side.effect + _step(np.linalg.solve(bend_matrix, slope)) / 2,
            spread=float(np.clip(spread, 0.3, 3.0)),
            usual=usual,
            between=between,
        ),
        carried,
    )


def _improve_odds(design: Floats, odds: Floats, total: tuple[Floats, Floats], prior: Floats) -> Floats:
    """A step for the log odds of object against false place, which also depend on the covariates."""
    groups = total[0] + total[1]
    start = np.zeros(len(odds))
    start[0] = _MORE_REAL
    gradient = design.T @ (total[0] - groups * prior) - _RIDGE * (odds - start)
    bend = (design * (groups * prior * (1 - prior))[:, None]).T @ design + _RIDGE * np.eye(len(odds))
    result: Floats = odds + _step(np.linalg.solve(bend, gradient))
    return result


def _tempered(probability: Floats) -> Floats:
    held = np.clip(probability, 1e-12, 1 - 1e-12)
    return _logistic(_CORRELATED * (np.log(held) - np.log1p(-held)))


def _shares(points: tuple[tuple[float, float], ...]) -> Floats:
    return np.array([share for _, share in points])


def _places(points: tuple[tuple[float, float], ...]) -> Floats:
    return np.array([place for place, _ in points])


def _step(step: Any) -> Any:
    """A step of Newton's method, not too long; a number or an array."""
    return np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)


def _softplus(values: Floats) -> Floats:
    result: Floats = np.log1p(np.exp(np.minimum(values, 30.0)))
    return result


def _logistic(values: Floats) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(values, -30.0, 30.0)))
    return result
