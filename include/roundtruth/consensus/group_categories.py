"""Which category each group of boxes is, and what its workers' choices say about its being an object.

Dawid–Skene with a confusion matrix a worker that is shaped for little data, in two steps. The pool has a
confusion matrix (people confuse pencil with pen, not with washer). Each worker has a share of right
categories, drawn to the pool's as strongly as the pool is alike; the pool's matrix, with all its odds of
being right moved by his, is his before his own boxes of a category are many. Those then count against it, as
with a Dirichlet prior.

Only categories that somebody chose are considered, so cost does not grow with the number of categories.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.category_choices import Choices, choices_of_parts
from roundtruth.consensus.grouped_boxes import GroupedBoxes, sums
from roundtruth.consensus.matching import Floats, Ints
from roundtruth.consensus.parts import Keep, Totals

_USUALLY_RIGHT = 0.9
_POOL_BOXES = 6.0  # that the pool weighs against a worker's own, before it is known how alike workers are
_POOL_BOXES_WEIGHT = 30.0  # boxes at which what was seen counts half in how alike workers are
_LEAST_POOL_BOXES, _MOST_POOL_BOXES = 4.0, 200.0
_ROW_BOXES = 20.0  # boxes of one true category that the prior weighs in a worker's row of the confusion
_NEARLY_TIED = 0.1  # less than this between two probabilities says nothing: then votes count, then the name
_ITERATIONS = 15
_SETTLED = 1e-4
_SMALLEST = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class CategorySkill:
    """Expected right and all categories of each worker, as counts of boxes."""

    right: Floats
    boxes: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupCategories:
    """``category`` of each group (near ties: most votes, then first by name) with its ``probability``.

    ``votes`` and ``runner_up_votes``: boxes that name it, and that name the most frequent other one.
    ``evidence``: log likelihood ratio of the choices under "an object" against "anything goes".
    """

    category: Ints
    probability: Floats
    votes: Ints
    runner_up_votes: Ints
    evidence: Floats
    skill: CategorySkill


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """Of a part: the share of each candidate in its group, and the log likelihood of each group."""

    share: Floats
    log: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class _Habits:
    """What is taken of workers and their pool in one iteration."""

    skill: CategorySkill
    better: Floats  # of each worker: how much likelier a right category is than for the pool, in log odds
    frequency: Floats  # of each category
    of_pool: Floats  # of each category: log odds that the pool names it rightly
    instead: Floats  # of each wrong choice: its share in the wrong ones of its true category
    own: Floats  # of each cell, boxes
    of_row: Floats  # of each row, boxes


def choose_categories(boxes: GroupedBoxes, real: Floats, known: CategorySkill) -> GroupCategories:
    """``categories_of_parts`` of a round that is one part."""
    (categories,) = categories_of_parts([boxes], choices_of_parts([boxes]), [real], known)
    return categories


def categories_of_parts(
    parts: Collection[GroupedBoxes],
    choices: Collection[Choices],
    real: Collection[Floats],
    known: CategorySkill,
    *,
    keep: Keep = list,
) -> Collection[GroupCategories]:
    """Estimate the category of each group; workers and what they confuse are the same in all parts.

    :param choices: of ``choices_of_parts``.
    :param real: of each part, the probability that each group is an object: false boxes teach nothing about
        confusion.
    :param known: counts of earlier rounds.
    """
    totals = Totals()
    found = keep(
        _first_found(boxes, one, chance, totals)
        for boxes, one, chance in zip(parts, choices, real, strict=True)
    )
    for _ in range(_ITERATIONS):
        habits = _learn(totals, known)
        totals = Totals()
        found = keep(
            _likely(boxes, one, chance, before, habits, totals)
            for boxes, one, chance, before in zip(parts, choices, real, found, strict=True)
        )
        if totals["candidates"] and totals["change"] < _SETTLED:
            break
    frequency = _frequency(totals)
    return keep(
        _chosen(boxes, one, last, frequency, habits.skill)
        for boxes, one, last in zip(parts, choices, found, strict=True)
    )


def _chosen(
    boxes: GroupedBoxes, choices: Choices, found: _Found, frequency: Floats, skill: CategorySkill
) -> GroupCategories:
    share = found.share
    most = np.zeros(boxes.groups)
    np.maximum.at(most, choices.group, share)
    behind = share < most[choices.group] - _NEARLY_TIED
    order = np.lexsort((choices.category, -choices.votes, behind, choices.group))
    first = np.searchsorted(choices.group[order], np.arange(boxes.groups))
    chosen = order[first]
    others = choices.votes.copy()
    others[chosen] = 0
    runner_up = np.zeros(boxes.groups, np.int64)
    np.maximum.at(runner_up, choices.group, others)
    anything = boxes.sum(np.log(frequency)[boxes.category])
    return GroupCategories(
        category=choices.category[chosen],
        probability=share[chosen],
        votes=choices.votes[chosen],
        runner_up_votes=runner_up,
        # A box alone says nothing either way.
        evidence=np.where(boxes.votes > 1, found.log - anything, 0.0),
        skill=skill,
    )


def _first_found(boxes: GroupedBoxes, choices: Choices, real: Floats, totals: Totals) -> _Found:
    found = _Found(share=choices.votes / boxes.votes[choices.group], log=np.zeros(boxes.groups))
    _tell(boxes, choices, found.share, real, totals)
    return found


def _likely(
    boxes: GroupedBoxes, choices: Choices, real: Floats, before: _Found, habits: _Habits, totals: Totals
) -> _Found:
    """The E-step of a part; what it tells of the workers is added to the totals."""
    log = _log_likelihood(boxes, choices, habits)
    best = np.full(boxes.groups, -np.inf)
    np.maximum.at(best, choices.group, log)
    likelihood = np.exp(log - best[choices.group])
    total = sums(choices.group, likelihood, boxes.groups)
    share = likelihood / total[choices.group]
    totals.reach(change=float(np.abs(share - before.share).max(initial=0.0)))
    _tell(boxes, choices, share, real, totals)
    return _Found(share=share, log=np.log(total) + best)


def _tell(boxes: GroupedBoxes, choices: Choices, share: Floats, real: Floats, totals: Totals) -> None:
    # A box alone agrees with itself, whatever its worker knows.
    weight = (real * (boxes.votes > 1))[choices.group]
    told = (weight * share)[choices.candidate]
    hit = told * choices.same
    workers, width = boxes.worker[choices.box], boxes.categories
    named = choices.category[choices.candidate]
    wrong = ~choices.same
    totals.add(
        candidates=len(share),
        right=sums(workers, hit, boxes.workers),
        answered=sums(workers, told, boxes.workers),
        counts=sums(choices.category, share * real[choices.group], width),
        hit=sums(named, hit, width),
        asked=sums(named, told, width),
        instead=sums(choices.wrong, told[wrong], len(choices.wrong_keys)),
        of_truth=sums(named[wrong], told[wrong], width),
        own=sums(choices.cell, told, len(choices.cell_keys)),
        of_row=sums(choices.row, told, len(choices.row_keys)),
    )
    totals.hold(wrong_keys=choices.wrong_keys)


def _learn(totals: Totals, known: CategorySkill) -> _Habits:
    """The M-step: how often workers are right, and what the pool and each of them names instead."""
    right, answered = totals["right"] + known.right, totals["answered"] + known.boxes
    pool = (float(right.sum()) + _USUALLY_RIGHT * _POOL_BOXES) / (float(answered.sum()) + _POOL_BOXES)
    pull = _alike(right, answered, pool)
    accuracy = (right + pool * pull) / (answered + pull)
    frequency = _frequency(totals)
    hit, asked = totals["hit"], totals["asked"]
    usual = (float(hit.sum()) + _USUALLY_RIGHT * _POOL_BOXES) / (float(asked.sum()) + _POOL_BOXES)
    # Before anything was seen, a wrong category is taken as often as it occurs.
    truth, given = np.divmod(totals["wrong_keys"], max(len(frequency), 1))
    seen = totals["instead"] + 0.5 * frequency[given]
    of_truth = totals["of_truth"] + 0.5 * (1 - frequency)
    return _Habits(
        skill=CategorySkill(right=right, boxes=answered),
        better=_log_odds(accuracy) - _log_odds(np.array(pool)),
        frequency=frequency,
        of_pool=_log_odds((hit + usual * _POOL_BOXES) / (asked + _POOL_BOXES)),
        instead=np.maximum(seen / np.maximum(of_truth[truth], _SMALLEST), _SMALLEST),
        own=totals["own"],
        of_row=totals["of_row"],
    )


def _alike(right: Floats, answered: Floats, pool: float) -> float:
    """How many boxes the pool weighs against a worker's own: many where workers err alike.

    The moment estimate of a beta-binomial's correlation within workers, with a prior (Kleinman, Proportions
    with Extraneous Variance, 1973).
    """
    known = answered > 0
    boxes, workers = float(answered.sum()), float(known.sum())
    share = right[known] / answered[known]
    spread = float((answered[known] * (share - pool) ** 2).sum()) / max(pool * (1 - pool), _SMALLEST)
    usual = _POOL_BOXES_WEIGHT / (_POOL_BOXES + 1)
    within = (spread - max(workers - 1, 0.0) + usual) / (max(boxes - workers, 0.0) + _POOL_BOXES_WEIGHT)
    return float(np.clip(1 / max(within, 1e-6) - 1, _LEAST_POOL_BOXES, _MOST_POOL_BOXES))


def _log_odds(share: Floats) -> Floats:
    held = np.clip(share, 1e-6, 1 - 1e-6)
    result: Floats = np.log(held) - np.log1p(-held)
    return result


def _frequency(totals: Totals) -> Floats:
    counts = totals["counts"] + 0.5
    result: Floats = counts / counts.sum()
    return result


def _log_likelihood(boxes: GroupedBoxes, choices: Choices, habits: _Habits) -> Floats:
    """Of each candidate, its prior included."""
    named = choices.category[choices.candidate]
    usual = 1 / (1 + np.exp(-habits.of_pool[named] - habits.better[boxes.worker[choices.box]]))
    wrong = ~choices.same
    usual[wrong] = (1 - usual[wrong]) * habits.instead[choices.wrong]
    confusion = (habits.own[choices.cell] + _ROW_BOXES * usual) / (habits.of_row[choices.row] + _ROW_BOXES)
    log = np.log(np.maximum(confusion, _SMALLEST))
    return np.log(habits.frequency[choices.category]) + sums(choices.candidate, log, len(choices.group))
