"""Where an object is, and how each worker draws: scatter and outward bias of edges, estimated together.

EM with heavy tails (Student's t by its scale mixture: Lange, Little and Taylor, Robust Statistical Modeling
Using the t Distribution, 1989). An edge of a box is the true edge, plus the worker's bias outwards, plus a
slip; both grow with a power of the object's side that is estimated from the round. Workers with few boxes are
pulled towards the pool as strongly as the pool is alike (empirical Bayes).

Nobody can tell a bias that all share from the answers alone. People draw around an object rather than into
it, so errors that repeat point outwards, and the tightest drawers are nearest to the truth: zero bias is set
at the lower quartile of the workers' biases, not at their mean. In a pool that is alike both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.grouped_boxes import GroupedBoxes
from roundtruth.consensus.matching import Floats

REFERENCE_SIDE = 100.0  # pixels: scatter and bias of workers are given for an object of this size
OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])  # left and top grow outwards when they get smaller

_TAILS = 4.0  # degrees of freedom: slips of the mouse are not rare
_SMALLEST_SCATTER = 1.0  # pixel: a browser rounds to whole ones
_TIGHT_SHARE = 0.25  # of the workers draw inside of zero bias
# Tightness of a few workers is chance: with so many workers the quantile stands half way to the median.
_WORKERS_TO_TELL_TIGHT = 4.0
_FEW_BOXES = 4.0  # boxes at which a worker counts half in what is said of the pool
_LEAST_WEIGHT, _MOST_WEIGHT = 2.0, 50.0  # boxes that the pool weighs against a worker's own
_USUAL_SPREAD = 0.125  # of log variances between workers before any was seen, weighing as three workers
_USUAL_BIAS = 0.1  # variance of biases between workers over that of slips, weighing as two workers
_LEAST_ITERATIONS, _ITERATIONS = 4, 25
_SETTLED = 0.01  # mean change of an edge, pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawingSkill:
    """How each worker draws, in pixels on a side of ``REFERENCE_SIDE``; one entry a worker."""

    variance: Floats
    outward: Floats  # left, top, right, bottom: shape (workers, 4)
    boxes: Floats  # how many boxes that says, carried over ones included


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Where each group is: edges and the variance of each, in pixels, shape (groups, 4)."""

    edges: Floats
    variance: Floats
    skill: DrawingSkill


def estimate_places(
    boxes: GroupedBoxes, real: Floats, known: DrawingSkill, *, iterations: int = _ITERATIONS
) -> Places:
    """Estimate the place of each group and the skill of each worker.

    :param real: probability that each group is an object, shape (groups,): false boxes teach nothing.
    :param known: what earlier rounds say; ``boxes`` 0 for a worker never seen.
    """
    edges = median_edges(boxes)
    growth = _growth(boxes, edges, real)
    sides = np.maximum(edges[:, 2:] - edges[:, :2], 1.0)[:, [0, 1, 0, 1]]
    unit = (sides / REFERENCE_SIDE) ** growth  # of each group's edge; pixels of a worker times it are pixels
    unit_box = unit[boxes.group]
    # A box alone agrees with itself whatever its worker does.
    weight = (real * (boxes.votes > 1))[boxes.group]
    informative = boxes.sum_by_worker(weight * (1 - 1 / boxes.votes[boxes.group])) + known.boxes
    slips = (boxes.edges - edges[boxes.group]) / unit_box
    pool = float((weight[:, None] * slips**2).sum() + 4 * _SMALLEST_SCATTER) / (4 * weight.sum() + 4)
    told = known.boxes / (known.boxes + _FEW_BOXES)
    state = _State(
        variance=told * known.variance + (1 - told) * pool,
        outward=told[:, None] * known.outward,
        usual=np.zeros(4),
        spread=np.full(4, pool),
        pool=pool,
    )
    certainty = np.zeros(edges.shape)
    for iteration in range(iterations):
        scatter = state.variance[boxes.worker][:, None] * unit_box**2 + _SMALLEST_SCATTER**2
        outward = state.outward[boxes.worker] * unit_box
        slips = (boxes.edges - edges[boxes.group]) * OUTWARDS - outward
        trust = (_TAILS + 1) / (_TAILS + (slips**2 + certainty[boxes.group]) / scatter)
        precision = trust / scatter
        total = boxes.sum(precision)
        before, edges = edges, boxes.sum(precision * (boxes.edges - OUTWARDS * outward)) / total
        certainty = 1 / total
        errors = (boxes.edges - edges[boxes.group]) * OUTWARDS / unit_box
        doubt = certainty[boxes.group] / unit_box**2
        state = _learn(boxes, errors, doubt, trust * weight[:, None], informative, weight, state, known)
        if iteration > _LEAST_ITERATIONS and boxes.groups and float(np.abs(edges - before).mean()) < _SETTLED:
            break
    skill = DrawingSkill(
        variance=state.variance,
        outward=state.outward,
        boxes=informative,
    )
    return Places(edges=_ordered(edges), variance=certainty, skill=skill)


def median_edges(boxes: GroupedBoxes) -> Floats:
    """The median of each edge of each group, shape (groups, 4)."""
    result = np.zeros((boxes.groups, 4))
    starts = np.cumsum(boxes.votes) - boxes.votes
    low, high = starts + (boxes.votes - 1) // 2, starts + boxes.votes // 2
    for edge in range(4):
        ordered = boxes.edges[np.lexsort((boxes.edges[:, edge], boxes.group)), edge]
        result[:, edge] = (ordered[low] + ordered[high]) / 2
    return result


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    variance: Floats
    outward: Floats
    usual: Floats  # bias of the usual worker, an edge each
    spread: Floats  # variance of biases between workers, an edge each
    pool: float  # variance of the usual worker


def _learn(
    boxes: GroupedBoxes,
    errors: Floats,
    doubt: Floats,
    trust: Floats,
    informative: Floats,
    weight: Floats,
    state: _State,
    known: DrawingSkill,
) -> _State:
    """The M-step: biases, their zero, and scatters, each pulled towards the pool."""
    pull = state.variance[:, None] / state.spread
    trusted = boxes.sum_by_worker(trust) + known.boxes[:, None]
    told = boxes.sum_by_worker(trust * errors) + known.boxes[:, None] * known.outward
    outward = (told + state.usual * pull) / (trusted + pull)
    reliance = informative / (informative + _FEW_BOXES)
    workers = float(reliance.sum())
    share = 0.5 - (0.5 - _TIGHT_SHARE) * workers / (workers + _WORKERS_TO_TELL_TIGHT)
    outward = outward - _quantiles(outward, reliance, share)
    usual = _quantiles(outward, reliance, 0.5)
    between = (outward - usual) ** 2 + state.variance[:, None] / (trusted + pull)
    spread = ((reliance[:, None] * between).sum(axis=0) + 2 * _USUAL_BIAS * state.pool) / (workers + 2)
    slips = errors - outward[boxes.worker]
    squares = boxes.sum_by_worker((trust * (slips**2 + doubt)).sum(axis=1)) + 4 * known.boxes * known.variance
    seen = boxes.sum_by_worker(weight) + known.boxes
    pool = (float(squares.sum()) + 4 * state.pool) / (4 * float(seen.sum()) + 4)
    pull_boxes = _alike(squares, seen, informative, reliance, pool)
    variance = (squares + 4 * pull_boxes * pool) / (4 * (seen + pull_boxes))
    return _State(variance=np.maximum(variance, 1e-4), outward=outward, usual=usual, spread=spread, pool=pool)


def _alike(squares: Floats, seen: Floats, informative: Floats, reliance: Floats, pool: float) -> float:
    """How many boxes the pool weighs against a worker's own: many where workers scatter alike.

    The variance of the log of a variance from n values is about 2 / n; what workers differ beyond that is
    real.
    """
    logs = np.log((squares + 2 * pool) / (4 * seen + 2) / pool)
    middle = float((reliance * logs).sum() / max(float(reliance.sum()), 1e-9))
    beyond = (logs - middle) ** 2 - 4 / (4 * informative + 2)
    spread = (float((reliance * beyond).sum()) + 3 * _USUAL_SPREAD) / (float(reliance.sum()) + 3)
    return float(np.clip(0.5 / max(spread, 1e-3), _LEAST_WEIGHT, _MOST_WEIGHT))


def _growth(boxes: GroupedBoxes, edges: Floats, real: Floats) -> float:
    """The power of an object's side that slips grow with, 0–1: the slope between their logs."""
    chosen = np.flatnonzero((boxes.votes > 2)[boxes.group])
    group = boxes.group[chosen]
    sides = np.maximum(edges[:, 2:] - edges[:, :2], 1.0)
    size = np.log(np.sqrt(sides.prod(axis=1)))[group]
    slip = np.log(np.abs(boxes.edges[chosen] - edges[group]).mean(axis=1) + 0.5)
    weight = real[group]
    total = float(weight.sum())
    if not total:
        return 0.5
    size = size - float((weight * size).sum()) / total
    # Half a power before anything was seen, weighing as 30 boxes of the usual spread of sizes.
    power = (float((weight * size * slip).sum()) + 0.5 * 10) / (float((weight * size**2).sum()) + 10)
    return float(np.clip(power, 0, 1))


def _quantiles(values: Floats, weight: Floats, share: float) -> Floats:
    """The weighted quantile of each column."""
    result = np.zeros(values.shape[1])
    if not weight.sum():
        return result
    for column in range(values.shape[1]):
        order = np.argsort(values[:, column], kind="stable")
        below = np.cumsum(weight[order]) - weight[order] / 2
        result[column] = np.interp(share * weight.sum(), below, values[order, column])
    return result


def _ordered(edges: Floats) -> Floats:
    """A box drawn by one loose worker may turn inside out when his bias is taken off; one pixel stays."""
    middle = (edges[:, :2] + edges[:, 2:]) / 2
    half = np.maximum((edges[:, 2:] - edges[:, :2]) / 2, 0.5)
    return np.concatenate([middle - half, middle + half], axis=1)
