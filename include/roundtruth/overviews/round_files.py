"""What lies in a round's folder so far, read for a page: a round that runs, or failed half-way, has less."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from roundtruth.arrow_memory import arrow_file
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
    recorded: RoundFolder | None = None  # the results as round.json names them

    def results(self, name: str) -> tuple[tuple[ObjectUri, bool], ...]:
        """Where a result lies, the best place first, and whether it stays there as it is for good.

        As it was recorded, while another attempt or a rebuild makes it again; before a round is recorded, or
        where an earlier roundtruth did it, only its folder has it.
        """
        places = ((self.recorded, True), (self.folder, False))
        return tuple((one.uri / name, stays) for one, stays in places if one is not None)


def read_round(cache: EtagCache, folder: RoundFolder) -> RoundFiles | None:
    """Read what is there of a round; None before it is planned.

    :raises RoundError: when plan.json, or what an attempt or a relabel pass added to it, cannot be read.
    :raises StorageError: when S3 refuses.
    """
    try:
        return _read_round(cache, folder)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RoundError(
            f"An attempt or a relabel pass of round {folder.key!r} cannot be read: {error}; restore its file "
            "from the bucket's versions."
        ) from error


def _read_round(cache: EtagCache, folder: RoundFolder) -> RoundFiles | None:
    plan, (found, problem), attempt = side_by_side(
        cache,
        lambda: cache.read(folder.plan, decode_plan, kind="plan"),
        lambda: _unless_broken(cache, ((folder.record, False),), _record_and_digest),
        lambda: current_attempt(cache.storage, folder).attempt,
    )
    if plan is None:
        return None
    record, recorded = (found[0], folder.recorded(found[1])) if found else (None, None)
    plan = of_attempt(plan, attempt)
    files = RoundFiles(
        folder=folder,
        plan=plan,
        jobs=(),
        record=record,
        recorded=recorded,
        labeled_again=record is not None and plan.attempt > record.attempt,
    )
    jobs, (verdict, why), (report, also) = side_by_side(
        cache,
        lambda: round_jobs(cache.storage, folder, plan),
        lambda: _unless_broken(cache, files.results(folder.quality.name), Verdict.from_json),
        lambda: _unless_broken(cache, files.results(folder.consensus.name), decode_report),
    )
    problems = tuple(filter(None, (problem, why, also)))
    return replace(files, jobs=jobs, verdict=verdict, report=report, problems=problems)


def side_by_side(cache: EtagCache, *readings: Callable[[], Any]) -> tuple[Any, ...]:
    """The results of several readings at once: one waits for S3 as long as the slowest does, not as all do.

    :raises RoundtruthError: what the first of them that fails raises.
    """
    return tuple(cache.storage.run_many(lambda reading: reading(), readings))


def decode_plan(data: bytes) -> RoundPlan:
    """Read a plan.json as it was written first, see ``planned.of_attempt``.

    :raises RoundError: when the bytes are none.
    """
    try:
        return decode_json(data, RoundPlan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
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
            file = arrow_file(data)
            there = set(pq.read_schema(file).names)
            wanted = [name for name in columns if name in there]
            repeated = [name for name in REPEATED if name in wanted]
            return pq.ParquetFile(file, read_dictionary=repeated).read(wanted).combine_chunks()
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


def result_table(cache: EtagCache, files: RoundFiles, name: str, columns: tuple[str, ...]) -> pa.Table | None:
    """As ``read_table``, of a result of the round by its file's name, from the best place that has it.

    :raises RoundError: when it is no Parquet file.
    """
    tables = (read_table(cache, uri, columns, immutable=immutable) for uri, immutable in files.results(name))
    return next((table for table in tables if table is not None), None)


def _record_and_digest(data: bytes) -> tuple[RoundRecord, str]:
    return decode_record(data), hashlib.sha256(data).hexdigest()


def _unless_broken(
    cache: EtagCache, places: tuple[tuple[ObjectUri, bool], ...], decode: Callable[[bytes], Found]
) -> tuple[Found | None, str]:
    """What the first file that is there holds, and why it cannot be read: a page shows what can be.

    :raises StorageError: when S3 refuses.
    """
    try:
        found = (cache.read(uri, decode, kind="file", immutable=stays) for uri, stays in places)
        return next((one for one in found if one is not None), None), ""
    except StorageError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RoundtruthError) as error:
        return None, f"{places[-1][0].name} cannot be read: {error}"
