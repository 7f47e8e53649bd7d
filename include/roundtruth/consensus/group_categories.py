"""Which category each group of boxes is, and what its workers' choices say about its being an object.

Dawid–Skene with a confusion matrix a worker that is shaped for little data, in two steps. The pool has a
confusion matrix (people confuse pencil with pen, not with washer). Each worker has a share of right
categories, drawn to the pool's as strongly as the pool is alike; the pool's matrix, with all its odds of
being right moved by his, is his before his own boxes of a category are many. Those then count against it, as
with a Dirichlet prior.

Only categories that somebody chose are considered, so cost does not grow with the number of categories.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.grouped_boxes import GroupedBoxes, sums
from roundtruth.consensus.matching import Bools, Floats, Ints

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
class _Choices:
    """Candidates: a group with a category that one of its boxes names. Pairs: a box with each candidate."""

    group: Ints
    category: Ints
    votes: Ints
    box: Ints
    candidate: Ints
    same: Bools
    cell: Ints  # of each pair: number of its worker, the candidate and the box's category
    row: Ints  # of each pair: number of its worker and the candidate


def choose_categories(boxes: GroupedBoxes, real: Floats, known: CategorySkill) -> GroupCategories:
    """Estimate the category of each group.

    :param real: probability that each group is an object: false boxes teach nothing about confusion.
    :param known: counts of earlier rounds.
    """
    choices = _candidates(boxes)
    share = choices.votes / boxes.votes[choices.group]
    # A box alone agrees with itself, whatever its worker knows.
    weight = (real * (boxes.votes > 1))[choices.group]
    right, answered = known.right, known.boxes
    best = total = np.zeros(boxes.groups)
    for _ in range(_ITERATIONS):
        told = (weight * share)[choices.candidate]
        workers = boxes.worker[choices.box]
        right = sums(workers, told * choices.same, boxes.workers) + known.right
        answered = sums(workers, told, boxes.workers) + known.boxes
        pool = (float(right.sum()) + _USUALLY_RIGHT * _POOL_BOXES) / (float(answered.sum()) + _POOL_BOXES)
        pull = _alike(right, answered, pool)
        accuracy = (right + pool * pull) / (answered + pull)
        frequency = _frequency(boxes, choices, share, real)
        better = _log_odds(accuracy) - _log_odds(np.array(pool))
        log = _log_likelihood(boxes, choices, better, frequency, told)
        best = np.full(boxes.groups, -np.inf)
        np.maximum.at(best, choices.group, log)
        likelihood = np.exp(log - best[choices.group])
        total = sums(choices.group, likelihood, boxes.groups)
        before, share = share, likelihood / total[choices.group]
        if len(share) and float(np.abs(share - before).max()) < _SETTLED:
            break
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
    anything = boxes.sum(np.log(_frequency(boxes, choices, share, real))[boxes.category])
    return GroupCategories(
        category=choices.category[chosen],
        probability=share[chosen],
        votes=choices.votes[chosen],
        runner_up_votes=runner_up,
        # A box alone says nothing either way.
        evidence=np.where(boxes.votes > 1, np.log(total) + best - anything, 0.0),
        skill=CategorySkill(right=right, boxes=answered),
    )


def _candidates(boxes: GroupedBoxes) -> _Choices:
    key, votes = np.unique(boxes.group * boxes.categories + boxes.category, return_counts=True)
    group, category = np.divmod(key, max(boxes.categories, 1))
    first = np.searchsorted(group, np.arange(boxes.groups))
    count = np.bincount(group, minlength=boxes.groups)
    of_box = count[boxes.group]
    box = np.repeat(np.arange(len(boxes.group)), of_box)
    place = np.arange(len(box)) - np.repeat(np.cumsum(of_box) - of_box, of_box)
    candidate = place + first[boxes.group[box]]
    same = category[candidate] == boxes.category[box]
    row = np.unique(boxes.worker[box] * boxes.categories + category[candidate], return_inverse=True)[1]
    cell = np.unique(row * boxes.categories + boxes.category[box], return_inverse=True)[1]
    return _Choices(
        group=group,
        category=category,
        votes=votes,
        box=box,
        candidate=candidate,
        same=same,
        cell=cell,
        row=row,
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


def _frequency(boxes: GroupedBoxes, choices: _Choices, share: Floats, real: Floats) -> Floats:
    counts = sums(choices.category, share * real[choices.group], boxes.categories) + 0.5
    result: Floats = counts / counts.sum()
    return result


def _log_likelihood(
    boxes: GroupedBoxes, choices: _Choices, better: Floats, frequency: Floats, told: Floats
) -> Floats:
    """Of each candidate, its prior included; confusions of the pool and of workers are renewed from ``told``.

    :param better: of each worker, how much likelier a right category is than for the pool, in log odds.
    """
    wrong = ~choices.same
    width = boxes.categories
    truth, given = choices.category[choices.candidate[wrong]], boxes.category[choices.box[wrong]]
    # Before anything was seen, a wrong category is taken as often as it occurs.
    pairs, of_pair = np.unique(truth * width + given, return_inverse=True)
    seen = sums(of_pair, told[wrong], len(pairs)) + 0.5 * frequency[pairs % max(width, 1)]
    of_truth = sums(truth, told[wrong], width) + 0.5 * (1 - frequency)
    instead = np.maximum(seen[of_pair] / np.maximum(of_truth[truth], _SMALLEST), _SMALLEST)
    named = choices.category[choices.candidate]
    hit, asked = sums(named, told * choices.same, width), sums(named, told, width)
    pool = (float(hit.sum()) + _USUALLY_RIGHT * _POOL_BOXES) / (float(asked.sum()) + _POOL_BOXES)
    of_pool = _log_odds((hit + pool * _POOL_BOXES) / (asked + _POOL_BOXES))
    usual = 1 / (1 + np.exp(-of_pool[named] - better[boxes.worker[choices.box]]))
    usual[wrong] = (1 - usual[wrong]) * instead
    own, of_row = (
        sums(number, told, int(number.max(initial=-1)) + 1) for number in (choices.cell, choices.row)
    )
    confusion = (own[choices.cell] + _ROW_BOXES * usual) / (of_row[choices.row] + _ROW_BOXES)
    log = np.log(np.maximum(confusion, _SMALLEST))
    return np.log(frequency[choices.category]) + sums(choices.candidate, log, len(choices.group))
