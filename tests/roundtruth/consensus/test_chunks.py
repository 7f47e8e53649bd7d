"""Which workers count for a category when jobs ask for different, overlapping lists."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from roundtruth.consensus.chunks import chunks_of_rows
from roundtruth.consensus.measure import measure_consensus
from roundtruth.errors import ConsensusError
from roundtruth.project import Consensus
from tests.roundtruth.consensus.answer_tables import answer, answers, found

PEN = ("pen", 20.0, 20.0, 60.0, 40.0)
CAP = ("cap", 200.0, 200.0, 60.0, 40.0)


@pytest.mark.parametrize(
    ("asked", "rows", "chunks", "several"),
    [
        pytest.param(
            {"j1": ["pen"], "j2": ["pen"]}, [("j1", "pen"), ("j2", "pen"), ("j2", None)], [0, 0, 0], {},
            id="the same list",
        ),
        pytest.param(
            {"j1": ["pen", "cap"], "j2": ["ink"]}, [("j1", "cap"), ("j2", "ink"), ("j2", None)],
            [0, 1, 1], {}, id="lists apart",
        ),
        pytest.param(
            {"j1": ["pen", "cap"], "j2": ["pen"]},
            [("j1", "cap"), ("j1", "pen"), ("j2", "pen"), ("j2", "cap")],
            [0, 1, 1, 1], {0: (0, 1)}, id="one list holds the other",
        ),
        pytest.param(
            {"j1": ["a", "b"], "j2": ["b", "c"]}, [("j1", "a"), ("j1", "b"), ("j2", "b"), ("j2", "c")],
            [0, 1, 1, 2], {0: (0, 1), 1: (1, 2)}, id="a chain",
        ),
        pytest.param(
            {"j1": ["pen"], "j2": ["ink"], "j3": ["ink", "pen"]},
            [("j1", "pen"), ("j2", "ink"), ("j3", "pen"), ("j3", "ink"), ("j3", None)],
            [0, 1, 0, 1, 0], {2: (0, 1)}, id="joined by a third job",
        ),
        pytest.param(None, [("j1", "a"), ("j2", None)], [0, 0], {}, id="not known"),
    ],
)  # fmt: skip
def test_chunks(asked, rows, chunks, several):
    jobs = sorted(asked or {"j1", "j2"})
    job = np.array([jobs.index(name) for name, _ in rows])
    categories = pd.Series([category for _, category in rows], dtype="str")
    found_chunks, found_several = chunks_of_rows(job, jobs, categories, asked)
    assert (found_chunks.tolist(), found_several) == (chunks, several)


def test_a_job_without_categories_is_told():
    with pytest.raises(ConsensusError, match="Jobs without categories: j2"):
        chunks_of_rows(np.array([0]), ["j1", "j2"], pd.Series(["pen"]), {"j1": ["pen"]})


@pytest.mark.parametrize("method", ["majority", "median", "fused"])
def test_only_workers_who_were_asked_for_a_category_count_for_it(method):
    parts = [
        part
        for image in "abcdef"
        for part in (
            *(answer(image, worker, PEN, CAP, job="j1") for worker in ("ann", "bob")),
            *(answer(image, worker, PEN, job="j2") for worker in ("cat", "dan", "eve", "fay", "gus")),
        )
    ]
    by_job = {"j1": ["pen", "cap"], "j2": ["pen"]}
    result = measure_consensus(answers(*parts), Consensus(method=method), categories_by_job=by_job)
    assert sorted(found(result)) == sorted(
        entry for image in "abcdef" for entry in ((image, "cap", 2, 2), (image, "pen", 7, 7))
    )
    assert result.images["answers"].tolist() == [7] * 6
    assert not result.images["disputed"].any()


def test_who_was_asked_and_drew_none_of_a_category_counts_against_it():
    parts = [
        answer("a", "ann", PEN, CAP, job="j1"),
        answer("a", "bob", PEN, job="j1"),
        answer("a", "cat", job="j1"),
        answer("a", "dan", PEN, job="j2"),
    ]
    by_job = {"j1": ["pen", "cap"], "j2": ["pen"]}
    result = measure_consensus(answers(*parts), Consensus(method="majority"), categories_by_job=by_job)
    assert found(result) == [("a", "pen", 3, 4)]
    assert result.report["counts"]["repeated_answers"] == 0
    (disputed,) = result.report["disputed_images"]
    assert disputed["source_ref"] == "a"
