"""Dawid–Skene: the likely category of each item, and how each worker confuses categories.

Dawid and Skene, Maximum Likelihood Estimation of Observer Error-Rates Using the EM Algorithm (1979), started
from the shares of votes. A prior pulls workers with few answers towards what the whole pool does, which keeps
one unlucky answer from making a worker a liar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roundtruth.consensus.group_categories import CategorySkill
from roundtruth.consensus.matching import Floats, Ints

_SMALLEST = 1e-10  # a share of zero would rule a category out for ever
_ENOUGH = 1e-6  # largest change of a probability at which the estimate has settled
_ROUNDS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemCategories:
    """Probabilities of Dawid–Skene.

    ``probability``: shape (items, categories), rows add up to 1. ``confusion``: shape (workers, true
    category, given category), rows add up to 1. ``share``: of each category among the items.
    """

    probability: Floats
    confusion: Floats
    share: Floats


def dawid_skene(
    item: Ints,
    worker: Ints,
    category: Ints,
    shape: tuple[int, int, int],
    *,
    prior: float = 0.0,
    known: CategorySkill | None = None,
) -> ItemCategories:
    """Estimate categories of items from answers, one entry each, every item answered at least once.

    :param shape: how many items, workers and categories there are.
    :param prior: how many answers the pool's habits weigh in each row of a worker's confusion.
    :param known: right and all answers of each worker in earlier rounds.
    """
    items, workers, categories = shape
    probability = np.zeros((items, categories))
    confusion = np.full((workers, categories, categories), 1 / max(categories, 1))
    share = np.full(categories, 1 / max(categories, 1))
    if not items:
        return ItemCategories(probability=probability, confusion=confusion, share=share)
    np.add.at(probability, (item, category), 1.0)
    probability /= probability.sum(axis=1, keepdims=True)
    for _ in range(_ROUNDS):
        share = probability.mean(axis=0)
        carried = _carried(known, share) if known else 0.0
        confusion = _confusion(probability, item, worker, category, (workers, categories), prior, carried)
        renewed = _probability(confusion, share, item, worker, category, items)
        change = float(np.abs(renewed - probability).max())
        probability = renewed
        if change < _ENOUGH:
            break
    return ItemCategories(probability=probability, confusion=confusion, share=share)


def _confusion(
    probability: Floats,
    item: Ints,
    worker: Ints,
    category: Ints,
    shape: tuple[int, int],
    prior: float,
    carried: Floats | float,
) -> Floats:
    workers, categories = shape
    given = np.zeros((workers, categories, categories))  # worker, given, true: adds whole rows at once
    np.add.at(given, (worker, category), probability[item])
    counts = given.transpose(0, 2, 1)
    if prior:
        pool = counts.sum(axis=0) + np.eye(categories) + 1 / categories
        counts = counts + prior * pool / pool.sum(axis=1, keepdims=True)
    counts = np.maximum(counts + carried, _SMALLEST)
    result: Floats = counts / counts.sum(axis=2, keepdims=True)
    return result


def _carried(known: CategorySkill, share: Floats) -> Floats:
    """Answers of earlier rounds, spread over categories as they occur; wrong ones over the others alike."""
    categories = len(share)
    accuracy = np.divide(known.right, known.boxes, out=np.zeros(len(known.boxes)), where=known.boxes > 0)
    wrong = (1 - accuracy) / max(categories - 1, 1)
    same = np.eye(categories)
    rows = accuracy[:, None, None] * same + wrong[:, None, None] * (1 - same)
    result: Floats = known.boxes[:, None, None] * share[:, None] * rows
    return result


def _probability(
    confusion: Floats, share: Floats, item: Ints, worker: Ints, category: Ints, items: int
) -> Floats:
    likelihood = np.tile(np.log(np.maximum(share, _SMALLEST)), (items, 1))
    np.add.at(likelihood, item, np.log(confusion[worker, :, category]))
    likelihood -= likelihood.max(axis=1, keepdims=True)
    probability = np.exp(likelihood)
    result: Floats = probability / probability.sum(axis=1, keepdims=True)
    return result
