"""Every image of a round with what is known of it so far; its number is its 0-based place in the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roundtruth.annotations import DISPUTED, FAILED, STATUSES, UNLABELED, UNREADABLE
from roundtruth.arrow_columns import Ints, codes, floats, integers, places_in, strings
from roundtruth.errors import RoundError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.round_files import RoundFiles, decode_plan, read_table, result_table
from roundtruth.rounds.folder import RoundFolder

Table = Any  # pyarrow has no types

# Before the tables of a round are merged, an image may also be one of these.
WAITING = "waiting"  # no job has brought anything of it yet
ANSWERED = "answered"  # people answered, and nobody has merged that yet
ALL_STATUSES = (*STATUSES, WAITING, ANSWERED)

_PLANNED = (
    "source_ref",
    "etag",
    "bytes",
    "width",
    "height",
    "orientation",
    "unreadable",
    "carried_over",
    "part",
)
_FINAL = ("source_ref", "status", "reason", "answers", "agreement")
_RUNNING = {WAITING: 0, ANSWERED: 1, UNLABELED: 2, FAILED: 3}


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundImages:
    """The images of a round.

    ``planned``: source_ref, etag, bytes, width, height, orientation, unreadable, carried_over, part; the
    other arrays are parallel to it. ``final``: the statuses are those of images.parquet, after the checks.
    """

    planned: Table
    status: NDArray[Any]
    reason: NDArray[Any]
    answers: Ints
    agreement: NDArray[np.float64]  # 0–1, NaN where unknown
    final: bool

    def __len__(self) -> int:
        return len(self.status)

    def source_ref(self, number: int) -> str:
        """The S3 URI of an image, by its 0-based number in the plan."""
        ref: str = self.planned["source_ref"][number].as_py()
        return ref

    def numbers_of(self, source_refs: list[str]) -> list[int | None]:
        """The numbers of images by their URIs; None for what the round does not hold."""
        found = places_in(strings(source_refs), self.planned["source_ref"])
        return [None if number < 0 else number for number in found.tolist()]

    def counts(self) -> dict[str, int]:
        """Images of each status that occurs, in the order of ALL_STATUSES."""
        names, numbers = np.unique(self.status, return_counts=True)
        found = dict(zip(names.tolist(), numbers.tolist(), strict=True))
        return {status: found[status] for status in ALL_STATUSES if status in found}


def read_images(cache: EtagCache, files: RoundFiles) -> RoundImages:
    """The images of a planned round, from the best table that is there.

    :raises RoundError: when the plan's own table is gone.
    """
    folder = files.folder
    uri = folder.uri / files.plan.planned.file
    planned = read_table(cache, uri, _PLANNED, immutable=True)
    if planned is None:
        raise RoundError(
            f"{uri} is gone, the plan of round {folder.key!r} names it; restore it in the bucket."
        )
    final = result_table(cache, files, folder.images.name, _FINAL)
    table = final if final is not None else read_table(cache, folder.stage("merged-images.parquet"), _FINAL)
    if table is not None:
        return _merged(planned, table, final=final is not None)
    return _running(cache, files, planned)


def planned_image(cache: EtagCache, folder: RoundFolder, number: int) -> tuple[str, str] | None:
    """Source_ref and ETag of the image at a place of a round's plan; None where there is none.

    The short way, for who shows a single image: two requests at most.
    """
    plan = cache.read(folder.plan, decode_plan, kind="plan")
    if plan is None or not 0 <= number < plan.images:
        return None
    planned = read_table(cache, folder.uri / plan.planned.file, _PLANNED, immutable=True)
    if planned is None or number >= len(planned):
        return None
    return str(planned["source_ref"][number].as_py()), str(planned["etag"][number].as_py())


def _merged(planned: Table, table: Table, *, final: bool) -> RoundImages:
    rows = places_in(planned["source_ref"], table["source_ref"])
    return RoundImages(
        planned=planned,
        status=_texts(table, "status", WAITING)[rows],
        reason=_texts(table, "reason", "")[rows],
        answers=np.append(integers(table["answers"]), 0)[rows],
        agreement=np.append(floats(table["agreement"]), np.nan)[rows],
        final=final,
    )


def _running(cache: EtagCache, files: RoundFiles, planned: Table) -> RoundImages:
    """By the results of single jobs, and by the agreement where it has been measured."""
    rank, answers = _results_of_jobs(cache, files, planned)
    status = np.array(list(_RUNNING), object)[rank]
    reason = np.full(len(planned), "", object)
    agreement = np.full(len(planned), np.nan)
    measured = read_table(
        cache,
        files.folder.stage("agreement.parquet"),
        ("source_ref", "agreement", "disputed", "reason"),
    )
    if measured is not None:
        rows = places_in(planned["source_ref"], measured["source_ref"])
        agreement = np.append(floats(measured["agreement"]), np.nan)[rows]
        disputed = np.append(integers(measured["disputed"]) > 0, False)[rows] & (rank <= 1)
        status[disputed] = DISPUTED
        reason[disputed] = _texts(measured, "reason", "")[rows][disputed]
    unreadable = np.array(planned["unreadable"].to_pylist(), object)
    status[unreadable != ""] = UNREADABLE
    reason = np.where(unreadable != "", unreadable, reason)
    return RoundImages(
        planned=planned, status=status, reason=reason, answers=answers, agreement=agreement, final=False
    )


def _results_of_jobs(cache: EtagCache, files: RoundFiles, planned: Table) -> tuple[Ints, Ints]:
    """Of each image the place of its status in _RUNNING, and how many people answered."""
    rank, answers = np.zeros(len(planned), np.int64), np.zeros(len(planned), np.int64)
    for job in files.jobs:
        table = read_table(cache, files.folder.job(job.name).objects, ("source_ref", "status", "answers"))
        if table is None:
            continue
        places = places_in(table["source_ref"], planned["source_ref"])
        ours = places >= 0  # not the gold images
        of_status, names = codes(table["status"])
        found = np.array([_RUNNING.get(name, 1) for name in names], np.int64)[of_status[ours]]
        # Each first job asks for other categories, so all must answer; a relabel job takes none away.
        found = np.minimum(found, 1) if job.relabel_pass else found
        np.maximum.at(rank, places[ours], found)
        np.add.at(answers, places[ours], integers(table["answers"])[ours])
    return rank, answers


def _texts(table: Table, name: str, missing: str) -> NDArray[Any]:
    """With ``missing`` for nulls and, behind the last row, for -1."""
    numbers, texts = codes(table[name])
    found: NDArray[Any] = np.array([*texts, missing], object)[np.append(numbers, -1)]
    return found
