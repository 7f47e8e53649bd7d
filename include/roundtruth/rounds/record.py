"""round.json: the round is done, what it holds and what it brought; written last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from roundtruth.errors import RoundError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import RoundPlan
from roundtruth.storage import ObjectUri, Storage


class RecordedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A labeling job of a recorded round, and where Ground Truth wrote its output."""

    name: str
    arn: str
    label_attribute: str
    categories: tuple[
        str, ...
    ]  # as the job wrote them, without those that were retired when this was recorded
    output_uri: str
    relabel_pass: int
    images: int
    workers: int
    labels_from: str = "answers"  # consolidated: Ground Truth's own boxes stand, there are no answers; both
    attempts: tuple[str, ...] = ()  # the jobs it became, oldest first, where the first one was not the last


class RoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a round brought: images by status, digests of its files, its jobs and their price."""

    project: str
    round: str
    roundtruth: str  # version of the code that recorded it
    images: int
    counts: dict[str, int]  # status -> images; they add up to images
    boxes: int
    answers: int  # answers of workers, over all images and jobs, without those about gold images
    spent_usd: float
    jobs: tuple[RecordedJob, ...]
    files: dict[str, str]  # name in the round's folder -> sha256
    gold_answers: int = 0
    imported: bool = False  # its jobs were over before: none was created, nothing was paid for this round
    imported_from: tuple[str, ...] = ()  # output folders or manifests of these jobs
    attempt: int = 1  # which attempt at the round brought the labels; spent_usd counts the earlier ones too
    why: str = ""  # the reason that was given when the round was started by hand
    renamed_categories: dict[str, str] = {}  # as a job wrote it -> as the project names it, where they differ


def record_round(storage: Storage, folder: RoundFolder, record: RoundRecord) -> bool:
    """Write round.json; tells whether this call changed anything.

    The record and the answers are first copied to where they stay for good, see RoundFolder.recorded. A
    round that is recorded again from the same answers gives the same bytes and changes nothing; after new
    answers (a rebuild of the round) the record is replaced, unless another run replaced it meanwhile.

    :raises RoundError: when the counts do not add up, or another run recorded the round at the same time.
    """
    if sum(record.counts.values()) != record.images:
        raise RoundError(
            f"Round {record.round!r} of project {record.project!r} planned {record.images} images but "
            f"accounts for {sum(record.counts.values())} ({record.counts}); run check_quality again."
        )
    content = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
    existing = storage.read_if_there(folder.record)
    if existing is None or existing.data != content:
        _keep(storage, folder, content)
    if existing is None:
        written = storage.write_if_absent(folder.record, content)
    elif existing.data == content:
        return False
    else:
        written = storage.write_if_unchanged(folder.record, content, existing.etag)
    if not written and storage.read(folder.record) != content:
        raise RoundError(
            f"Round {record.round!r} of project {record.project!r} was recorded by another run at the same "
            "time; run this task again to compare."
        )
    return written


def _keep(storage: Storage, folder: RoundFolder, content: bytes) -> None:
    """Now, not when the record is replaced: then its answers are already others."""
    kept = folder.recorded(hashlib.sha256(content).hexdigest())
    answers = storage.read_if_there(folder.answers)
    if answers is not None:
        storage.write_if_absent(kept.answers, answers.data)
    storage.write_if_absent(kept.record, content)


def read_record(storage: Storage, folder: RoundFolder) -> RoundRecord | None:
    """The record of a round, or None while it runs."""
    content = storage.read_if_there(folder.record)
    return decode_record(content.data) if content else None


def decode_record(content: bytes) -> RoundRecord:
    """Read a round.json."""
    return msgspec.json.decode(content, type=RoundRecord)


def finished_jobs(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> frozenset[str]:
    """The names of all jobs of a recorded round, with those of their attempts.

    None before it is recorded, nor while a newer attempt at the round is under way.
    """
    content = storage.read_if_there(folder.record)
    if content is None:
        return frozenset()
    jobs = msgspec.json.decode(content.data, type=RoundRecord).jobs
    names = frozenset(name for job in jobs for name in (job.name, *job.attempts))
    return names if all(job.name in names for job in plan.jobs) else frozenset()


def file_digests(storage: Storage, files: Mapping[str, ObjectUri]) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {name: hashlib.sha256(storage.read(uri)).hexdigest() for name, uri in sorted(files.items())}
