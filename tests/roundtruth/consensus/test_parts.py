"""A round measured part by part comes to the same as measured at once, with one part in memory."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roundtruth.consensus.measure import ConsensusResult, PartAnswers, measure_consensus, measure_parts
from roundtruth.consensus.parts import Spill, Totals
from roundtruth.consensus.report import encode_report
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import PLACE, answer, answers

CATEGORIES = ("bolt", "nut", "pen")
JOBS = 3


def tables(seed: int = 1, images: int = 45) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers of three jobs over other images each, the last with a second job over a third of them."""
    chance = np.random.default_rng(seed)
    rows, theirs = [], []
    for number in range(images):
        # Not in order: the images of a part lie between those of the others.
        job, image = f"job-{number % JOBS}", f"s3://b/{chance.integers(10**6):06d}-{number}.jpg"
        truth = chance.uniform(40, 300, (chance.integers(1, 6), 4))
        named = chance.integers(0, len(CATEGORIES), len(truth))
        again = [("again", 2)] if job == "job-2" and number % 9 == 2 else []
        for name, workers in [(job, 3), *again]:
            for worker in chance.choice(8, workers, replace=False):
                seen = chance.random(len(truth)) < 0.85
                slips = chance.normal(0, 2 + worker, (len(truth), 4))
                wrong = chance.random(len(truth)) < 0.1
                boxes = [
                    (CATEGORIES[(kind + off) % len(CATEGORIES)], *map(float, place))
                    for kind, off, place in zip(named[seen], wrong[seen], (truth + slips)[seen], strict=True)
                ]
                seconds = float(chance.integers(5, 60))
                rows.append(answer(image, f"w{worker}", *boxes, job=name, seconds=seconds))
        theirs += [
            {
                "source_ref": image,
                "job": job,
                "category": CATEGORIES[kind],
                **dict(zip(PLACE, place, strict=True)),
            }
            for kind, place in zip(named, truth + chance.normal(0, 3, truth.shape), strict=True)
        ]
    return answers(*rows), pd.DataFrame(theirs)


def by_parts(
    given: pd.DataFrame, theirs: pd.DataFrame, method: str, folder: Path
) -> tuple[ConsensusResult, ConsensusResult]:
    settings = Consensus(method=method)
    asked = dict.fromkeys(("job-0", "job-1", "job-2", "again"), CATEGORIES)
    whole = measure_consensus(given, settings, consolidated=theirs, categories_by_job=asked)
    parts = [
        PartAnswers(
            answers=partial(lambda jobs: given[given["job"].isin(jobs)], jobs),
            consolidated=partial(lambda jobs: theirs[theirs["job"].isin(jobs)], jobs),
        )
        for jobs in (["job-0"], ["job-1"], ["job-2", "again"])
    ]
    found = measure_parts(parts, settings, categories_by_job=asked, keep=Spill(folder).keep)
    labels = pd.concat(found.labels).sort_values("source_ref", kind="stable", ignore_index=True)
    report = {**found.report}
    return whole, ConsensusResult(labels=labels, images=found.images, report=report, skills=found.skills)


@pytest.mark.parametrize("method", ["fused", "majority", "median", "ground-truth"])
def test_parts_come_to_the_same_as_all_answers_at_once(method: str, tmp_path: Path) -> None:
    whole, parts = by_parts(*tables(), method, tmp_path)
    assert len(whole.labels) > 60
    # Sums over parts are added in another order than sums over all: that is all that may differ.
    pd.testing.assert_frame_equal(parts.labels, whole.labels, rtol=0, atol=1e-9)
    pd.testing.assert_frame_equal(parts.images, whole.images, rtol=0, atol=1e-12)
    assert whole.report["disputed_images"]
    assert encode_report(parts.report) == encode_report(whole.report)
    assert list(parts.skills.workers) == list(whole.skills.workers)
    for name, skill in parts.skills.workers.items():
        assert skill.draws == pytest.approx(whole.skills.workers[name].draws, abs=1e-9)
        assert skill.variance == pytest.approx(whole.skills.workers[name].variance, rel=1e-9)


def test_the_report_is_read_from_its_files_as_often_as_it_is_written(tmp_path: Path) -> None:
    _, parts = by_parts(*tables(), "fused", tmp_path)
    assert encode_report(parts.report) == encode_report(parts.report)
    refs = [entry["source_ref"] for entry in parts.report["disputed_images"]]
    assert refs == sorted(refs)


class Large:
    """What a part may hold: counted while it is alive."""

    alive = 0

    def __init__(self, number: int) -> None:
        self.values = np.arange(number, number + 1000)
        Large.alive += 1
        weakref.finalize(self, self._gone)

    @staticmethod
    def _gone() -> None:
        Large.alive -= 1


def test_a_spill_holds_one_value_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    most = []

    def made(number: int) -> Large:
        most.append(Large.alive)
        return Large(number)

    kept = Spill(tmp_path).keep(made(number) for number in range(5))
    assert max(most) == 0, "each was let go before the next was made"
    assert len(kept) == len(list(tmp_path.iterdir())) == 5
    for _ in range(2):
        assert [int(one.values[0]) for one in kept] == list(range(5))
    values = next(iter(kept)).values
    assert not values.flags.writeable
    assert values.base is not None, "a view of the file, no copy"
    del kept
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    assert values.sum() == np.arange(1000).sum(), "what is still looked at stays readable"


def test_totals_of_one_part_are_its_values() -> None:
    totals = Totals()
    totals.add(share=0.1, counts=np.array([0.1, 0.2]))
    assert (totals["share"], totals["counts"].tolist()) == (0.1, [0.1, 0.2])
    totals.add(share=0.2, counts=np.array([1.0, 1.0]))
    assert totals["counts"].tolist() == [1.1, 1.2]
