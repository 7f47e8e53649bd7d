"""How workers notice: who draws what under one explanation of a group, an object or a false place.

A worker's log odds, plus what the covariates do for everybody, plus a latent point (Rasch's model).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from roundtruth.consensus.grouped_boxes import Opinions, sums
from roundtruth.consensus.matching import Floats
from roundtruth.consensus.parts import Totals

# Log odds before anything was seen are weak (so many workers' worth), but keep a round of ten images on the
# ground.
_POOL_WORKERS = 5.0
# Variance of log odds between workers before any was seen, weighing as so many workers: a pool that is alike
# must not be told apart by chance, which with two answers an image throws good boxes away.
_BETWEEN_WORKERS, _BETWEEN_WEIGHT = 1.0, 5.0
_SPREAD, _SPREAD_WEIGHT = 1.5, 20.0  # standard deviation of difficulty, and its weight in objects
RIDGE = 20.0  # weight of "no effect" for each covariate, in objects
_LARGEST_STEP = 1.0  # of Newton's method, in log odds


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One of the two explanations of a group, as it is before anything was seen."""

    name: str
    usual: float  # log odds that the usual worker draws it
    spread: float
    # Latent points and their shares, in units of the spread. Two are as good as five (measured), and faster.
    points: tuple[tuple[float, float], ...]
    fixed: bool  # leave covariates and spread as they are

    @property
    def shares(self) -> Floats:
        """The shares of the latent points."""
        return np.array([share for _, share in self.points])


# A usual worker draws .88 of the objects and .08 of the false places. An object is hard or easy; a false
# place attracts little or much.
OBJECT = Explanation(name="object", usual=2.0, spread=_SPREAD, points=((-1.0, 0.5), (1.0, 0.5)), fixed=False)
FALSE_PLACE = Explanation(
    name="false_place", usual=-2.5, spread=1.0, points=((-1.0, 0.5), (1.0, 0.5)), fixed=True
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """What is taken of workers under one explanation."""

    worker: Floats  # log odds of drawing it
    effect: Floats  # of the covariates
    spread: float
    usual: float  # log odds of the usual worker
    between: float  # variance of log odds between workers


@dataclass(frozen=True, kw_only=True, eq=False)
class Likelihood:
    """Of each group under one side, a column a latent point: all opinions, and nobody drew it."""

    log: Floats
    unseen: Floats


def usual_side(explanation: Explanation, workers: int, covariates: int) -> Side:
    """What is taken of workers before anything was seen."""
    return Side(
        worker=np.full(workers, explanation.usual),
        effect=np.zeros(covariates),
        spread=explanation.spread,
        usual=explanation.usual,
        between=_BETWEEN_WORKERS,
    )


def likelihood(explanation: Explanation, opinions: Opinions, covariates: Floats, side: Side) -> Likelihood:
    """How likely the opinions on each group are."""
    points = explanation.points
    base = side.worker[opinions.worker] + (covariates @ side.effect)[opinions.group]
    drawn = opinions.sum(opinions.drew * base)
    votes = opinions.sum(opinions.drew)
    log, unseen = np.zeros((len(drawn), len(points))), np.zeros((len(drawn), len(points)))
    for column, (point, _) in enumerate(points):
        nobody = -opinions.sum(_softplus(base + side.spread * point))
        log[:, column] = drawn + votes * side.spread * point + nobody
        unseen[:, column] = np.exp(nobody)
    return Likelihood(log=log, unseen=unseen)


def tell(
    explanation: Explanation,
    opinions: Opinions,
    covariates: Floats,
    side: Side,
    share: Floats,
    unseen: Floats,
    totals: Totals,
) -> None:
    """Add to the totals what a part says for a step of Newton's method, see ``improved_side``.

    :param share: of the side and each latent point in each group; ``unseen``: groups it stands for that
        nobody drew.
    """
    base = side.worker[opinions.worker] + (covariates @ side.effect)[opinions.group]
    residual: Floats = share.sum(axis=1)[opinions.group] * opinions.drew
    # The spread learns from all opinions at once: what is drawn more at easy points, and less at hard ones.
    places = np.array([place for place, _ in explanation.points])
    spread_gradient, spread_curvature = float(((share @ places) * opinions.sum(opinions.drew)).sum()), 0.0
    curvature = np.zeros(len(base))
    total = share + unseen
    for column, (point, _) in enumerate(explanation.points):
        drawn = logistic(base + side.spread * point)
        expected = total[:, column][opinions.group] * drawn
        bend = expected * (1 - drawn)
        residual -= expected
        curvature += bend
        spread_gradient -= float(expected.sum()) * point
        spread_curvature += float(bend.sum()) * point**2
    workers = len(side.worker)
    # For what is carried over: with nobody beside him a worker cannot be judged.
    others = 1 - 1 / np.diff(np.r_[opinions.starts, len(base)])
    told: dict[str, Any] = {
        "gradient": sums(opinions.worker, residual, workers),
        "told": sums(opinions.worker, curvature, workers),
        "carried": sums(opinions.worker, curvature * others[opinions.group], workers),
    }
    if not explanation.fixed:
        bend_by_group = opinions.sum(curvature)
        told |= {
            "slope": covariates.T @ opinions.sum(residual),
            "bend": (covariates * bend_by_group[:, None]).T @ covariates,
            "spread_gradient": spread_gradient,
            "spread_curvature": spread_curvature,
        }
    totals.add(**{f"{explanation.name}_{name}": value for name, value in told.items()})


def improved_side(explanation: Explanation, side: Side, totals: Totals, known: tuple[Floats, Floats]) -> Side:
    """The M-step of one side: a step of Newton's method for each worker, the covariates and the spread.

    :param known: log odds of each worker from earlier rounds, and their weight.
    """

    def all_parts(name: str) -> Any:
        return totals[f"{explanation.name}_{name}"]

    pull = 1 / side.between
    gradient = all_parts("gradient") + (
        pull * (side.usual - side.worker) + known[1] * (known[0] - side.worker)
    )
    information = all_parts("told") + pull + known[1]
    worker = side.worker + newton_step(gradient / information)
    workers = len(worker)
    usual = float(
        (pull * worker.sum() + explanation.usual * _POOL_WORKERS) / (pull * workers + _POOL_WORKERS)
    )
    apart = float(((worker - usual) ** 2 + 1 / information).sum())
    between = (apart + _BETWEEN_WEIGHT * _BETWEEN_WORKERS) / (workers + _BETWEEN_WEIGHT)
    if explanation.fixed:
        return replace(side, worker=worker, usual=usual, between=between)
    slope = all_parts("slope") - RIDGE * side.effect
    bend = all_parts("bend") + RIDGE * np.eye(len(side.effect))
    spread_gradient = all_parts("spread_gradient") - _SPREAD_WEIGHT * (side.spread - _SPREAD)
    spread = side.spread + newton_step(spread_gradient / (all_parts("spread_curvature") + _SPREAD_WEIGHT)) / 3
    return Side(
        worker=worker,
        effect=side.effect + newton_step(np.linalg.solve(bend, slope)) / 2,
        spread=float(np.clip(spread, 0.3, 3.0)),
        usual=usual,
        between=between,
    )


def newton_step(step: Any) -> Any:
    """A step of Newton's method, not too long; a number or an array."""
    return np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)


def logistic(values: Floats) -> Floats:
    """The probability of log odds."""
    result: Floats = 1 / (1 + np.exp(-np.clip(values, -30.0, 30.0)))
    return result


def _softplus(values: Floats) -> Floats:
    result: Floats = np.log1p(np.exp(np.minimum(values, 30.0)))
    return result
