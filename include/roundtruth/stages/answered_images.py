"""What the checks of a round ask of its answers, one job after the other: sizes drawn on, and the people."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import ANSWERS, table
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.project import Project
from roundtruth.quality.people import people_suites, time_per_box
from roundtruth.quality.suites import Suite
from roundtruth.rounds.collect import OBJECTS, read_job_table
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import PlannedJob
from roundtruth.stages.fused_answers import pseudonym_key
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json

_SIZES = pa.schema([OBJECTS.field(name) for name in ("source_ref", "width", "height")])
_TIMES = pa.schema([ANSWERS.field(name) for name in ("source_ref", "job", "worker", "box", "seconds")])


class _Agreement(msgspec.Struct, frozen=True):
    mean: float | None = None


class _PeopleReport(msgspec.Struct, frozen=True):
    """The part of consensus.json that is about people; its disputes, an entry an image, are passed over."""

    workers: list[dict[str, Any]] = []
    agreement: _Agreement = _Agreement()


def drawn_sizes(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    """The size of each image as Ground Truth wrote it: boxes drawn on another size would be misplaced."""
    found = [table([], _SIZES)]
    for job in jobs:
        sizes = read_job_table(storage, folder.job(job.name).objects, _SIZES, gold=job.gold)
        found.append(sizes.dropna(subset=["width"]))
    return pd.concat(found, ignore_index=True).drop_duplicates("source_ref", ignore_index=True)


def suites_of_people(
    storage: Storage, project: Project, folder: RoundFolder, jobs: tuple[PlannedJob, ...]
) -> tuple[Suite, ...]:
    """The checks on the round's workers, under their pseudonyms: Data Docs are shown to many.

    The answers are read a job at a time, see ``answer_times``.
    """
    times = answer_times(storage, project, folder, jobs)
    report = decode_json(storage.read(folder.consensus), _PeopleReport)
    return people_suites(times, msgspec.to_builtins(report), project.quality)


def answer_times(
    storage: Storage, project: Project, folder: RoundFolder, jobs: tuple[PlannedJob, ...]
) -> pd.DataFrame:
    """One row an answer of the round: ``worker`` (pseudonym, categorical) and ``seconds_per_box``.

    The answers of one job are in memory at a time. Of those before it two numbers each are kept, a dozen
    bytes whatever was drawn: 36 MB for three answers to each of a million images. Medians need them all.
    """
    key = pseudonym_key(storage, project)
    number_of: dict[str, int] = {}  # pseudonym -> its place
    workers, seconds = [np.zeros(0, np.int32)], [np.zeros(0)]
    for job in jobs:
        times = time_per_box(read_job_table(storage, folder.job(job.name).answers, _TIMES, gold=job.gold))
        place, found = pd.factorize(times["worker"])
        names = [pseudonym(worker, key) for worker in found]
        numbers = [number_of.setdefault(name, len(number_of)) for name in names]
        workers.append(np.array(numbers, np.int32)[place])
        seconds.append(times["seconds_per_box"].to_numpy(float, na_value=np.nan))
    codes = pd.Categorical.from_codes(np.concatenate(workers), categories=pd.Index(list(number_of)))
    worker = codes.reorder_categories(sorted(number_of))
    return pd.DataFrame({"worker": worker, "seconds_per_box": np.concatenate(seconds)})
