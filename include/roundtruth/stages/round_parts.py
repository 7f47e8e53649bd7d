"""The parts of a round that can be measured one after the other: each some jobs about the same images."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from roundtruth.annotations import ANSWERS, LABELED, LABELS, NEGATIVE, table
from roundtruth.consensus.measure import PartAnswers
from roundtruth.rounds.collect import OBJECTS, read_job_table
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import PlannedJob
from roundtruth.storage import Storage

# What the consensus needs of answers.
_ANSWERS = pa.schema([field for field in ANSWERS if field.name not in {"image_width", "image_height"}])
_OBJECTS = pa.schema([OBJECTS.field(name) for name in ("source_ref", "status", "answers")])


def jobs_in_parts(
    storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]
) -> list[tuple[PlannedJob, ...]]:
    """Jobs that brought something about the same images together, such as a first job and its relabel job.

    Jobs stay in their order, parts in the order of their first jobs. A round without jobs is one part.
    """
    images = [_images(storage, folder, job) for job in jobs]
    image = np.concatenate([np.zeros(0, np.uint64), *images])
    job = np.repeat(np.arange(len(jobs)), [len(one) for one in images])
    order = np.lexsort((job, image))
    same = np.flatnonzero(image[order][1:] == image[order][:-1])
    links = (job[order][same], job[order][same + 1])
    matrix = coo_matrix((np.ones(len(same), np.int8), links), shape=(len(jobs), len(jobs)))
    parts: dict[int, list[PlannedJob]] = {}
    if jobs:
        for number, one in zip(connected_components(matrix, directed=False)[1].tolist(), jobs, strict=True):
            parts.setdefault(number, []).append(one)
    return [tuple(part) for part in parts.values()] or [()]


def answers_in_parts(
    storage: Storage, folder: RoundFolder, parts: list[tuple[PlannedJob, ...]]
) -> list[PartAnswers]:
    """What reads the answers of each part, without those about gold images."""
    return [
        PartAnswers(
            answers=partial(_read_answers, storage, folder, part),
            consolidated=partial(_read_consolidated, storage, folder, part),
        )
        for part in parts
    ]


def _images(storage: Storage, folder: RoundFolder, job: PlannedJob) -> np.ndarray:
    """Numbers made of the names of the job's answered images; two with one number only join two parts."""
    objects = read_job_table(storage, folder.job(job.name).objects, _OBJECTS, gold=job.gold)
    brought = objects[(objects["answers"] > 0) | objects["status"].isin([LABELED, NEGATIVE])]
    return pd.util.hash_array(brought["source_ref"].to_numpy(object), categorize=False)


def _read_answers(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    uris = [(folder.job(job.name).answers, job.gold) for job in jobs]
    return _stacked([read_job_table(storage, uri, _ANSWERS, gold=gold) for uri, gold in uris], _ANSWERS)


def _read_consolidated(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    uris = [(folder.job(job.name).consolidated, job.gold) for job in jobs]
    return _stacked([read_job_table(storage, uri, LABELS, gold=gold) for uri, gold in uris], LABELS)


def _stacked(frames: list[pd.DataFrame], schema: pa.Schema) -> pd.DataFrame:
    return frames[0] if len(frames) == 1 else pd.concat([table([], schema), *frames], ignore_index=True)
