"""Dawid–Skene against a plain reading of the paper, and on answers whose outcome is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from roundtruth.consensus.dawid_skene import dawid_skene


def by_the_paper(
    answers: list[tuple[int, int, int]], items: int, workers: int, categories: int
) -> list[list[float]]:
    """Equations 2.3 to 2.5 of Dawid and Skene (1979), written out with loops, until nothing changes."""
    votes = [
        [sum(a == (i, w, c) for a in answers for w in range(workers)) for c in range(categories)]
        for i in range(items)
    ]
    t = [[v / sum(row) for v in row] for row in votes]
    for _ in range(500):
        share = [sum(t[i][j] for i in range(items)) / items for j in range(categories)]
        pi = [[[1e-10] * categories for _ in range(categories)] for _ in range(workers)]
        for w in range(workers):
            for j in range(categories):
                given = [sum(t[i][j] for i, v, c in answers if v == w and c == k) for k in range(categories)]
                given = [max(g, 1e-10) for g in given]
                pi[w][j] = [g / sum(given) for g in given]
        for i in range(items):
            score = [
                max(share[j], 1e-10) * math.prod(pi[w][j][c] for k, w, c in answers if k == i)
                for j in range(categories)
            ]
            t[i] = [s / sum(score) for s in score]
    return t


def test_equal_to_the_paper():
    rng = np.random.default_rng(11)
    truth = rng.integers(0, 3, 20)
    skill = (0.95, 0.8, 0.6, 0.5)
    answers = [
        (i, w, int(truth[i]) if rng.random() < skill[w] else int(rng.integers(0, 3)))
        for i in range(20)
        for w in range(4)
    ]
    item, worker, category = np.array(answers).T
    found = dawid_skene(item, worker, category, (20, 4, 3))
    np.testing.assert_allclose(found.probability, by_the_paper(answers, 20, 4, 3), atol=1e-4)


def with_a_liar() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Three right workers and one who always names the next category; the last item has him and one other."""
    item, worker = np.repeat(np.arange(30), 4), np.tile(np.arange(4), 30)
    truth = np.arange(30) % 3
    category = np.where(worker == 3, (truth[item] + 1) % 3, truth[item])
    kept = (item != 29) | (worker >= 2)
    return item[kept], worker[kept], category[kept], truth


@pytest.mark.parametrize("prior", [0.0, 3.0], ids=["without a prior", "with the pool's habits"])
def test_a_consistent_liar_is_understood(prior):
    item, worker, category, truth = with_a_liar()
    found = dawid_skene(item, worker, category, (30, 4, 3), prior=prior)
    assert found.probability.argmax(axis=1).tolist() == truth.tolist()
    assert found.confusion[3, 0].argmax() == 1
    assert found.confusion[0].diagonal().min() > 0.8
    np.testing.assert_allclose(found.probability.sum(axis=1), 1)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)


def test_a_prior_keeps_a_worker_with_one_answer_near_the_pool():
    item, worker, category, _ = with_a_liar()
    item, worker, category = np.r_[item, 0], np.r_[worker, 4], np.r_[category, 1]
    bare = dawid_skene(item, worker, category, (30, 5, 3)).confusion[4, 0]
    pooled = dawid_skene(item, worker, category, (30, 5, 3), prior=3).confusion[4, 0]
    assert bare[1] > 0.99
    assert pooled.argmax() == 0


def test_the_order_of_answers_does_not_matter():
    item, worker, category, _ = with_a_liar()
    order = np.random.default_rng(5).permutation(len(item))
    first = dawid_skene(item, worker, category, (30, 4, 3), prior=1).probability
    again = dawid_skene(item[order], worker[order], category[order], (30, 4, 3), prior=1).probability
    np.testing.assert_allclose(first, again, atol=1e-9)


def test_no_items():
    nothing = np.zeros(0, np.int64)
    assert dawid_skene(nothing, nothing, nothing, (0, 0, 0)).probability.shape == (0, 0)


@pytest.mark.filterwarnings("ignore")  # of pandas, for what crowd-kit still does
def test_equal_to_crowd_kit():
    crowdkit = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is an oracle, not a dependency")
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(5)
    items, workers, categories = 120, 6, 3
    truth = rng.integers(0, categories, items)
    item = np.repeat(np.arange(items), 5)
    worker = np.concatenate([rng.permutation(workers)[:5] for _ in range(items)])
    right = rng.random(len(item)) < np.linspace(0.5, 0.95, workers)[worker]
    category = np.where(right, truth[item], rng.integers(0, categories, len(item)))
    ours = dawid_skene(item, worker, category, (items, workers, categories))
    theirs = crowdkit.DawidSkene(n_iter=100, tol=0).fit(
        pd.DataFrame({"task": item, "worker": worker, "label": category})
    )
    probability = theirs.probas_.reindex(columns=range(categories)).sort_index().to_numpy()
    np.testing.assert_allclose(ours.probability, probability, atol=1e-3)
