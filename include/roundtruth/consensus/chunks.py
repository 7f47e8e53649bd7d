"""Chunks of categories: those that the same jobs asked for, and so the same workers could draw.

Counting a worker for a category that nobody asked of them would outvote those who were asked: with one job
over pens and caps and another over pens alone, a cap is drawn by two of the two workers of the first job, not
by two of all seven.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.consensus.matching import Ints
from roundtruth.errors import ConsensusError


def chunks_of_rows(
    job: Ints,
    jobs: Sequence[str],
    categories: pd.Series[Any],
    categories_by_job: Mapping[str, Sequence[str]] | None,
) -> tuple[Ints, dict[int, tuple[int, ...]]]:
    """The chunk of each row by its job and category, and for each job that has several chunks all of them.

    A row without a category, or with one that its job did not ask for, is in the first chunk of its job.

    :param job: number of each row's job in ``jobs``.
    :param categories_by_job: what each job asked for; without it all jobs asked for the same.
    :raises ConsensusError: when the categories of a job are unknown.
    """
    if categories_by_job is None or not jobs:
        return np.zeros(len(job), np.int64), {}
    unknown = [name for name in jobs if not categories_by_job.get(name)]
    if unknown:
        raise ConsensusError(f"Jobs without categories: {', '.join(unknown)}; name what each job asked for.")
    askers: dict[str, tuple[int, ...]] = {}
    for number, name in enumerate(jobs):
        for category in dict.fromkeys(categories_by_job[name]):
            askers[category] = (*askers.get(category, ()), number)
    numbered = {asked_by: chunk for chunk, asked_by in enumerate(sorted(set(askers.values())))}
    of_job = {
        number: tuple(chunk for asked_by, chunk in numbered.items() if number in asked_by)
        for number in range(len(jobs))
    }
    codes, names = pd.factorize(categories)
    # The last column is for rows without a category (code -1).
    chunk_of = np.array([[of_job[number][0]] * (len(names) + 1) for number in range(len(jobs))], np.int64)
    for code, name in enumerate(names):
        for number in askers.get(str(name), ()):
            chunk_of[number, code] = numbered[askers[str(name)]]
    return chunk_of[job, codes], {number: chunks for number, chunks in of_job.items() if len(chunks) > 1}


def with_empty_answers(
    answers: pd.DataFrame, job: Ints, chunk: Ints, several: Mapping[int, tuple[int, ...]]
) -> tuple[pd.DataFrame, Ints]:
    """The answers with a row for each chunk that a worker was asked for, and the chunk of each row.

    Who was asked for pens and caps and drew a pen has answered about caps as well: there is none. The added
    rows are as those of an empty answer (box -1), with its time.
    """
    parts, chunks = [answers], [chunk]
    given = ["source_ref", "worker"] + [name for name in ("submitted",) if name in answers]
    for number, own in sorted(several.items()):
        rows = answers[job == number].drop_duplicates(given)
        nothing = pd.Series([None] * len(rows), index=rows.index, dtype=rows["category"].dtype)
        empty = rows.assign(box=-1, category=nothing)
        parts += [empty] * len(own)
        chunks += [np.full(len(empty), one, np.int64) for one in own]
    if len(parts) == 1:
        return answers, chunk
    return pd.concat(parts, ignore_index=True), np.concatenate(chunks)
