"""Our estimates against other people's code: crowd-kit's Dawid–Skene, krippendorff's alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from roundtruth.consensus import dawid_skene as ours
from roundtruth.consensus.alpha import krippendorff_alpha
from roundtruth.consensus.job_answers import read_job_answers
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.storage import ObjectUri, Storage
from tests.real_data import REAL, needs_real

crowdkit = pytest.importorskip("crowdkit.aggregation", reason="crowd-kit is an oracle of the tests only")
krippendorff = pytest.importorskip("krippendorff", reason="krippendorff is an oracle of the tests only")

# crowd-kit 1.4.2 was written for pandas 2.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")


def crowd(
    seed: int, *, items: int = 60, workers: int = 6, categories: int = 3, share: float = 0.7
) -> tuple[Any, Any, Any]:
    """Answers of workers of different skill, some missing, every item answered at least once."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, categories, items)
    skill = rng.uniform(0.45, 0.95, workers)
    asked = rng.random((items, workers)) < share
    asked[np.arange(items), rng.integers(0, workers, items)] = True
    item, worker = np.nonzero(asked)
    right = rng.random(len(item)) < skill[worker]
    given_ = np.where(right, truth[item], rng.integers(0, categories, len(item)))
    # Every category occurs, so that both number them alike.
    given_[:categories] = np.arange(categories)
    return item, worker, given_


def by_crowdkit(
    item: Any, worker: Any, category: Any, *, steps: int, model: Any = crowdkit.DawidSkene
) -> Any:
    """crowd-kit's probabilities after so many steps, shape (items, categories).

    It starts from the shares of votes, as we do, and knows no prior. Its own rule for stopping (a gain of the
    evidence bound below ``tol``) is switched off: EM may creep for a while and then move on.
    """
    answers = pd.DataFrame({"task": item, "worker": worker, "label": category})
    found = model(n_iter=steps, tol=-1).fit_predict_proba(answers)
    return found.sort_index()[sorted(found.columns)].to_numpy()


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("categories", [2, 3, 5])
def test_dawid_skene_is_crowdkits_step_by_step(
    seed: int, categories: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, worker, category = crowd(seed, categories=categories)
    shape = (int(item.max()) + 1, int(worker.max()) + 1, categories)
    monkeypatch.setattr(ours, "_ENOUGH", 0.0)
    monkeypatch.setattr(ours, "_ROUNDS", 15)
    found = ours.dawid_skene(item, worker, category, shape)
    np.testing.assert_allclose(found.probability, by_crowdkit(item, worker, category, steps=15), atol=1e-6)


class EveryLabel(crowdkit.DawidSkene):  # type: ignore[misc]  # an untyped package
    """crowd-kit with one change: a worker's confusions cover all labels, not only those the worker ever gave.

    Where a worker has no answer about a category, the paper's estimate is 0 / 0. crowd-kit then takes the
    labels that the worker gave somewhere as equally likely, we take all of them. With few answers a worker
    this matters, with many it does not.
    """

    @staticmethod
    def _m_step(data: pd.DataFrame, probas: pd.DataFrame, *_: Any) -> pd.DataFrame:
        counts = data.join(probas, on="task").drop(columns="task").groupby(["worker", "label"]).sum()
        everything = pd.MultiIndex.from_product(counts.index.levels, names=["worker", "label"])
        counts = counts.reindex(everything, fill_value=0.0).clip(lower=1e-10)
        return counts / counts.groupby("worker").transform("sum")


@needs_real
@pytest.mark.real
def test_dawid_skene_is_crowdkits_on_real_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = REAL / "bird-classes-5-workers"
    answers = read_job_answers(JobFolder(Storage(), ObjectUri.parse(str(folder)))).answers
    item, images = pd.factorize(answers["source_ref"], sort=True)
    worker, workers = pd.factorize(answers["worker"], sort=True)
    category, names = pd.factorize(answers["category"], sort=True)
    monkeypatch.setattr(ours, "_ENOUGH", 0.0)
    monkeypatch.setattr(ours, "_ROUNDS", 15)
    found = ours.dawid_skene(item, worker, category, (len(images), len(workers), len(names)))
    theirs = by_crowdkit(item, worker, category, steps=15, model=EveryLabel)
    np.testing.assert_allclose(found.probability, theirs, atol=1e-3)
    assert (found.probability.argmax(axis=1) == theirs.argmax(axis=1)).all()
    # Without the change: the same label for all but one or two of 302 images.
    as_it_is = by_crowdkit(item, worker, category, steps=15)
    assert (found.probability.argmax(axis=1) == as_it_is.argmax(axis=1)).sum() >= len(images) - 2


def by_krippendorff(table: Any) -> float:
    """Nominal alpha of a table (observers, units) of values, NaN where an observer did not say."""
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))


@settings(max_examples=40, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(2, 6), st.integers(1, 12)), elements=st.integers(-1, 3)))
def test_alpha_is_krippendorffs(table: Any) -> None:
    observer, unit = np.nonzero(table >= 0)
    found = krippendorff_alpha(unit, table[observer, unit])
    paired = (table >= 0).sum(axis=0) >= 2
    values = np.unique(table[:, paired][table[:, paired] >= 0])
    if not paired.any():
        assert found is None
    elif len(values) == 1:
        assert found == 1.0, "their package refuses a single value"
    else:
        theirs = by_krippendorff(np.where(table >= 0, table, np.nan))
        assert found == pytest.approx(theirs, abs=1e-9)
