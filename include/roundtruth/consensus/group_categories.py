"""Which category each group of boxes is, and what its workers' choices say about its being an object.

Dawid–Skene with a confusion that is shaped for little data: each worker has a share of right categories, and
which wrong one is taken instead is common to the pool (people confuse pencil with pen, not with washer). Only
categories that somebody chose are considered, so cost does not grow with the number of categories.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.grouped_boxes import GroupedBoxes, sums
from roundtruth.consensus.matching import Bools, Floats, Ints

_USUALLY_RIGHT = 0.9
_POOL_BOXES = 6.0  # boxes that the pool weighs against a worker's own
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
    """``category`` of each group (ties: first by name) with its ``probability``.

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
        accuracy = (right + pool * _POOL_BOXES) / (answered + _POOL_BOXES)
        frequency = _frequency(boxes, choices, share, real)
        log = _log_likelihood(boxes, choices, accuracy, frequency, told)
        best = np.full(boxes.groups, -np.inf)
        np.maximum.at(best, choices.group, log)
        likelihood = np.exp(log - best[choices.group])
        total = sums(choices.group, likelihood, boxes.groups)
        before, share = share, likelihood / total[choices.group]
        if len(share) and float(np.abs(share - before).max()) < _SETTLED:
            break
    order = np.lexsort((choices.category, -share, choices.group))
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
    return _Choices(group=group, category=category, votes=votes, box=box, candidate=candidate, same=same)


def _frequency(boxes: GroupedBoxes, choices: _Choices, share: Floats, real: Floats) -> Floats:
    counts = sums(choices.category, share * real[choices.group], boxes.categories) + 0.5
    result: Floats = counts / counts.sum()
    return result


def _log_likelihood(
    boxes: GroupedBoxes, choices: _Choices, accuracy: Floats, frequency: Floats, told: Floats
) -> Floats:
    """Of each candidate, its prior included."""
    wrong = ~choices.same
    width = boxes.categories
    truth, given = choices.category[choices.candidate[wrong]], boxes.category[choices.box[wrong]]
    # Before anything was seen, a wrong category is taken as often as it occurs.
    pairs, of_pair = np.unique(truth * width + given, return_inverse=True)
    seen = sums(of_pair, told[wrong], len(pairs)) + 0.5 * frequency[pairs % max(width, 1)]
    of_truth = sums(truth, told[wrong], width) + 0.5 * (1 - frequency)
    instead = np.maximum(seen[of_pair] / np.maximum(of_truth[truth], _SMALLEST), _SMALLEST)
    share = accuracy[boxes.worker[choices.box]]
    log = np.log(np.maximum(share, _SMALLEST))
    log[wrong] = np.log(np.maximum(1 - share[wrong], _SMALLEST)) + np.log(instead)
    return np.log(frequency[choices.category]) + sums(choices.candidate, log, len(choices.group))
