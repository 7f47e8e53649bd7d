"""What lies in a round's folder so far, read for a page: a round that runs, or failed half-way, has less."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from roundtruth.errors import RoundError, RoundtruthError, StorageError
from roundtruth.overviews.consensus_report import ConsensusReport, decode_report
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.quality.verdict import Verdict
from roundtruth.rounds.attempts import current_attempt
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import PlannedJob, RoundPlan, of_attempt
from roundtruth.rounds.record import RoundRecord, decode_record
from roundtruth.rounds.relabel import round_jobs
from roundtruth.storage import ObjectUri
from roundtruth.typed_json import decode_json

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class RoundFiles:
    """The small files of a round; None where a step has not written its own yet.

    ``problems`` says of files that are there and cannot be read, one sentence each.
    """

    folder: RoundFolder
    plan: RoundPlan
    jobs: tuple[PlannedJob, ...]  # of the newest attempt: the first ones, then those of its relabel passes
    record: RoundRecord | None = None
    verdict: Verdict | None = None
    report: ConsensusReport | None = None
    problems: tuple[str, ...] = ()
    labeled_again: bool = field(default=False)  # a newer attempt than the recorded one is under way


def read_round(cache: EtagCache, folder: RoundFolder) -> RoundFiles | None:
    """Read what is there of a round; None before it is planned.

    :raises RoundError: when plan.json cannot be read.
    :raises StorageError: when S3 refuses.
    """
    plan = cache.read(folder.plan, decode_plan, kind="plan")
    if plan is None:
        return None
    files: list[tuple[ObjectUri, Callable[[bytes], Any]]] = [
        (folder.record, decode_record),
        (folder.quality, Verdict.from_json),
        (folder.consensus, decode_report),
    ]
    found = list(cache.storage.run_many(lambda one: _unless_broken(cache, *one), files))
    (record, verdict, report), problems = zip(*found, strict=True)
    plan = of_attempt(plan, current_attempt(cache.storage, folder).attempt)
    return RoundFiles(
        folder=folder,
        plan=plan,
        jobs=round_jobs(cache.storage, folder, plan),
        record=record,
        verdict=verdict,
        report=report,
        problems=tuple(filter(None, problems)),
        labeled_again=record is not None and plan.attempt > record.attempt,
    )


def decode_plan(data: bytes) -> RoundPlan:
    """Read a plan.json as it was written first, see ``planned.of_attempt``.

    :raises RoundError: when the bytes are none.
    """
    try:
        return decode_json(data, RoundPlan)
    except msgspec.DecodeError as error:
        raise RoundError(
            f"plan.json is not a plan: {error}; restore it from the bucket's versions."
        ) from error


def read_table(
    cache: EtagCache, uri: ObjectUri, columns: tuple[str, ...], *, immutable: bool = False
) -> pa.Table | None:
    """Some columns of a Parquet file, texts that repeat as dictionaries; None when it is not there.

    Columns that a file of an earlier roundtruth lacks are left out.

    :raises RoundError: when it is no Parquet file.
    """

    def decode(data: bytes) -> pa.Table:
        try:
            there = set(pq.read_schema(io.BytesIO(data)).names)
            wanted = [name for name in columns if name in there]
            repeated = [name for name in REPEATED if name in wanted]
            return pq.ParquetFile(io.BytesIO(data), read_dictionary=repeated).read(wanted).combine_chunks()
        except pa.ArrowInvalid as error:
            raise RoundError(f"{uri} is not a Parquet file: {error}; run the step that writes it.") from error

    return cache.read(
        uri,
        decode,
        kind="table:" + ",".join(columns),
        immutable=immutable,
        weigh=lambda table, _: table.nbytes,
    )


REPEATED = ("source_ref", "job", "worker", "category", "ground_truth_category", "status", "reason")


def _unless_broken(
    cache: EtagCache, uri: ObjectUri, decode: Callable[[bytes], Found]
) -> tuple[Found | None, str]:
    """What a file holds, and why it cannot be read: a page shows what can, and says what cannot.

    :raises StorageError: when S3 refuses.
    """
    try:
        return cache.read(uri, decode, kind="file"), ""
    except StorageError:
        raise
    except (msgspec.DecodeError, RoundtruthError) as error:
        return None, f"{uri.name} cannot be read: {error}"
