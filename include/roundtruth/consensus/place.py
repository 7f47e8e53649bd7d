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

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.grouped_boxes import GroupedBoxes
from roundtruth.consensus.matching import Floats
from roundtruth.consensus.parts import Keep, Totals

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
    """``places_of_parts`` of a round that is one part."""
    (places,) = places_of_parts([boxes], [real], known, iterations=iterations)
    return places


def places_of_parts(
    parts: Collection[GroupedBoxes],
    real: Collection[Floats],
    known: DrawingSkill,
    *,
    iterations: int = _ITERATIONS,
    keep: Keep = list,
) -> Collection[Places]:
    """Estimate the place of each group and the skill of each worker, who are the same in all parts.

    :param real: of each part, the probability that each group is an object, shape (groups,): false boxes
        teach nothing.
    :param known: what earlier rounds say; ``boxes`` 0 for a worker never seen.
    """
    found = keep(_first_found(boxes) for boxes in parts)
    growth = _growth(parts, found, real)
    totals = Totals()
    fixed = keep(
        _fixed(boxes, one.edges, chance, growth, totals)
        for boxes, one, chance in zip(parts, found, real, strict=True)
    )
    informative = totals["informative"] + known.boxes
    pool = float(totals["squares"] + 4 * _SMALLEST_SCATTER) / (4 * totals["weight"] + 4)
    told = known.boxes / (known.boxes + _FEW_BOXES)
    state = _State(
        variance=told * known.variance + (1 - told) * pool,
        outward=told[:, None] * known.outward,
        usual=np.zeros(4),
        spread=np.full(4, pool),
        pool=float(pool),
    )
    for iteration in range(iterations):
        totals = Totals()
        found = keep(
            _placed(boxes, one, before, state, totals)
            for boxes, one, before in zip(parts, fixed, found, strict=True)
        )
        state = _learn(totals, informative, state, known)
        change, edges = totals["change"], totals["edges"]
        if iteration > _LEAST_ITERATIONS and edges and change / edges < _SETTLED:
            break
    skill = DrawingSkill(variance=state.variance, outward=state.outward, boxes=informative)
    return keep(Places(edges=_ordered(one.edges), variance=one.certainty, skill=skill) for one in found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fixed:
    """Of each box of a part: how much it teaches, and the pixels that a worker's pixel is on its edges."""

    weight: Floats
    unit: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """Where the groups of a part are so far, and the variance of that: shape (groups, 4)."""

    edges: Floats
    certainty: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class _State:
    variance: Floats
    outward: Floats
    usual: Floats  # bias of the usual worker, an edge each
    spread: Floats  # variance of biases between workers, an edge each
    pool: float  # variance of the usual worker


def _first_found(boxes: GroupedBoxes) -> _Found:
    edges = boxes.median_edges()
    return _Found(edges=edges, certainty=np.zeros(edges.shape))


def _fixed(boxes: GroupedBoxes, edges: Floats, real: Floats, growth: float, totals: Totals) -> _Fixed:
    sides = np.maximum(edges[:, 2:] - edges[:, :2], 1.0)[:, [0, 1, 0, 1]]
    unit = ((sides / REFERENCE_SIDE) ** growth).take(boxes.group, axis=0)
    # A box alone agrees with itself whatever its worker does.
    weight = (real * (boxes.votes > 1))[boxes.group]
    slips = (boxes.edges - edges.take(boxes.group, axis=0)) / unit
    totals.add(
        informative=boxes.sum_by_worker(weight * (1 - 1 / boxes.votes[boxes.group])),
        squares=(weight[:, None] * slips**2).sum(),
        weight=weight.sum(),
    )
    return _Fixed(weight=weight, unit=unit)


def _placed(boxes: GroupedBoxes, fixed: _Fixed, before: _Found, state: _State, totals: Totals) -> _Found:
    """The E-step of a part; what it tells of the workers is added to the totals."""
    found = _Found(edges=np.empty_like(before.edges), certainty=np.empty_like(before.edges))
    for piece, rows, groups in boxes.pieces():
        one = _placed_piece(
            piece,
            _Fixed(weight=fixed.weight[rows], unit=fixed.unit[rows]),
            _Found(edges=before.edges[groups], certainty=before.certainty[groups]),
            state,
            totals,
        )
        found.edges[groups], found.certainty[groups] = one.edges, one.certainty
    return found


def _placed_piece(
    boxes: GroupedBoxes, fixed: _Fixed, before: _Found, state: _State, totals: Totals
) -> _Found:
    """Rows are taken by ``take``, since an array in brackets takes rows of four ten times as slowly."""
    group, squared = boxes.group, fixed.unit**2
    scatter = state.variance[boxes.worker][:, None] * squared + _SMALLEST_SCATTER**2
    bias = state.outward.take(boxes.worker, axis=0)
    outward = bias * fixed.unit
    slips = (boxes.edges - before.edges.take(group, axis=0)) * OUTWARDS - outward
    trust = (_TAILS + 1) / (_TAILS + (slips**2 + before.certainty.take(group, axis=0)) / scatter)
    precision = trust / scatter
    total = boxes.sum(precision)
    edges = boxes.sum(precision * (boxes.edges - OUTWARDS * outward)) / total
    certainty = 1 / total
    errors = (boxes.edges - edges.take(group, axis=0)) * OUTWARDS / fixed.unit
    doubt = certainty.take(group, axis=0) / squared
    weighty = trust * fixed.weight[:, None]
    totals.add(
        change=float(np.abs(edges - before.edges).sum()),
        edges=edges.size,
        trusted=boxes.sum_by_worker(weighty),
        told=boxes.sum_by_worker(weighty * errors),
        squares=boxes.sum_by_worker(weighty * ((errors - bias) ** 2 + doubt)).sum(axis=1),
        seen=boxes.sum_by_worker(fixed.weight),
    )
    return _Found(edges=edges, certainty=certainty)


def _learn(totals: Totals, informative: Floats, state: _State, known: DrawingSkill) -> _State:
    """The M-step: biases, their zero, and scatters, each pulled towards the pool."""
    pull = state.variance[:, None] / state.spread
    trusted = totals["trusted"] + known.boxes[:, None]
    told = totals["told"] + known.boxes[:, None] * known.outward
    outward = (told + state.usual * pull) / (trusted + pull)
    reliance = informative / (informative + _FEW_BOXES)
    workers = float(reliance.sum())
    share = 0.5 - (0.5 - _TIGHT_SHARE) * workers / (workers + _WORKERS_TO_TELL_TIGHT)
    outward = outward - _quantiles(outward, reliance, share)
    usual = _quantiles(outward, reliance, 0.5)
    between = (outward - usual) ** 2 + state.variance[:, None] / (trusted + pull)
    spread = ((reliance[:, None] * between).sum(axis=0) + 2 * _USUAL_BIAS * state.pool) / (workers + 2)
    squares = _squares_around(outward, totals, state) + 4 * known.boxes * known.variance
    seen = totals["seen"] + known.boxes
    pool = (float(squares.sum()) + 4 * state.pool) / (4 * float(seen.sum()) + 4)
    pull_boxes = _alike(squares, seen, informative, reliance, pool)
    variance = (squares + 4 * pull_boxes * pool) / (4 * (seen + pull_boxes))
    return _State(variance=np.maximum(variance, 1e-4), outward=outward, usual=usual, spread=spread, pool=pool)


def _squares_around(outward: Floats, totals: Totals, state: _State) -> Floats:
    """Each worker's squared slips around his new bias, from those around the old: saves a pass over boxes."""
    moved = outward - state.outward
    slipped = totals["told"] - state.outward * totals["trusted"]
    around: Floats = totals["squares"] + (moved * (moved * totals["trusted"] - 2 * slipped)).sum(axis=1)
    return np.maximum(around, 0)


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


def _growth(parts: Collection[GroupedBoxes], found: Collection[_Found], real: Collection[Floats]) -> float:
    """The power of an object's side that slips grow with, 0–1: the slope between their logs."""
    totals = Totals()
    for boxes, one, chance in zip(parts, found, real, strict=True):
        size, _, weight = _sizes_and_slips(boxes, one.edges, chance)
        totals.add(weight=float(weight.sum()), size=float((weight * size).sum()))
    if not totals["weight"]:
        return 0.5
    mean = totals["size"] / totals["weight"]
    for boxes, one, chance in zip(parts, found, real, strict=True):
        size, slip, weight = _sizes_and_slips(boxes, one.edges, chance)
        size = size - mean
        totals.add(slope=float((weight * size * slip).sum()), spread=float((weight * size**2).sum()))
    # Half a power before anything was seen, weighing as 30 boxes of the usual spread of sizes.
    power = (totals["slope"] + 0.5 * 10) / (totals["spread"] + 10)
    return float(np.clip(power, 0, 1))


def _sizes_and_slips(boxes: GroupedBoxes, edges: Floats, real: Floats) -> tuple[Floats, Floats, Floats]:
    """Of each box of a group of three or more: log of the object's side, log of the slip, weight."""
    chosen = np.flatnonzero((boxes.votes > 2)[boxes.group])
    group = boxes.group[chosen]
    sides = np.maximum(edges[:, 2:] - edges[:, :2], 1.0)
    size = np.log(np.sqrt(sides[:, 0] * sides[:, 1]))[group]
    apart = np.abs(boxes.edges.take(chosen, axis=0) - edges.take(group, axis=0))
    slip = np.log((apart[:, 0] + apart[:, 1] + apart[:, 2] + apart[:, 3]) / 4 + 0.5)
    return size, slip, real[group]


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
