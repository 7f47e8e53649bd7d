"""round.json: the round is done, what it holds and what it brought; written last."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from roundtruth.errors import RoundChangedError, RoundError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import RoundPlan
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

_AT_ONCE = 32 * 2**20  # bytes


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

    The files that the record names are first copied to where they stay for good, see RoundFolder.recorded:
    writing round.json is the one step that makes them count, and whoever reads the round before it reads what
    was recorded before. A round that is recorded again from the same answers gives the same bytes and changes
    nothing; after new answers (a rebuild of the round) the record is replaced, unless another run replaced it
    meanwhile.

    :raises RoundError: when the counts do not add up.
    :raises RoundChangedError: when another run made a file of the record again, or recorded something else at
        the same time.
    """
    if sum(record.counts.values()) != record.images:
        raise RoundError(
            f"Round {record.round!r} of project {record.project!r} planned {record.images} images but "
            f"accounts for {sum(record.counts.values())} ({record.counts}); run check_quality again."
        )
    content = msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"
    existing = storage.read_if_there(folder.record)
    _keep(storage, folder, record, content)
    if existing is None:
        written = storage.write_if_absent(folder.record, content)
    elif existing.data == content:
        return False
    else:
        written = storage.write_if_unchanged(folder.record, content, existing.etag)
    if not written and storage.read(folder.record) != content:
        raise RoundChangedError(
            f"Round {record.round!r} of project {record.project!r} was recorded by another run at the same "
            "time; run this task again to compare."
        )
    return written


def keep_recorded(storage: Storage, folder: RoundFolder) -> None:
    """Copy the files of a recorded round to where they stay, before any of them is made again.

    Only a round that an earlier roundtruth recorded needs it: ``record_round`` copies them first.
    """
    content = storage.read_if_there(folder.record)
    if content is None:
        return
    kept = folder.recorded(hashlib.sha256(content.data).hexdigest())
    for name, digest in decode_record(content.data).files.items():
        source, target = folder.uri / name, kept.uri / name
        if storage.head(target) is not None or storage.head(source) is None:
            continue
        if _sha256(storage, source) == digest:  # else it was made again already: nothing is left to keep
            storage.copy(source, target)


def read_recorded(storage: Storage, folder: RoundFolder, name: str, *, digest: str | None = None) -> bytes:
    """A file of a recorded round as it was recorded, whatever a rebuild has made of it since.

    :param digest: SHA-256 of the round.json that counts; without it, of the one that is there.
    :raises StorageError: when there is no such file.
    """
    if digest is None:
        digest = hashlib.sha256(storage.read(folder.record)).hexdigest()
    kept = storage.read_if_there(folder.recorded(digest).uri / name)
    # A round that an earlier roundtruth recorded has no such copies.
    return kept.data if kept else storage.read(folder.uri / name)


def _keep(storage: Storage, folder: RoundFolder, record: RoundRecord, content: bytes) -> None:
    """Now, not when the record is replaced: then its files are already others."""
    kept = folder.recorded(hashlib.sha256(content).hexdigest())
    for name, digest in sorted(record.files.items()):
        target = kept.uri / name
        if storage.head(target) is None or _sha256(storage, target) != digest:
            storage.copy(folder.uri / name, target)
            if _sha256(storage, target) != digest:
                raise RoundChangedError(
                    f"{folder.uri / name} was made again while round {record.round!r} of project "
                    f"{record.project!r} was recorded, by another run; run check_quality and this task again."
                )
    if "answers.parquet" not in record.files and storage.head(folder.answers) is not None:
        storage.copy(folder.answers, kept.answers)
    storage.write_if_absent(kept.record, content)


def read_record(storage: Storage, folder: RoundFolder) -> RoundRecord | None:
    """The record of a round, or None while it runs."""
    content = storage.read_if_there(folder.record)
    return decode_record(content.data) if content else None


def decode_record(content: bytes) -> RoundRecord:
    """Read a round.json."""
    return decode_json(content, RoundRecord)


def finished_jobs(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> frozenset[str]:
    """The names of all jobs of a recorded round, with those of their attempts.

    None before it is recorded, nor while a newer attempt at the round is under way.
    """
    content = storage.read_if_there(folder.record)
    if content is None:
        return frozenset()
    jobs = decode_json(content.data, RoundRecord).jobs
    names = frozenset(name for job in jobs for name in (job.name, *job.attempts))
    return names if all(job.name in names for job in plan.jobs) else frozenset()


def file_digests(storage: Storage, files: Mapping[str, ObjectUri]) -> dict[str, str]:
    """SHA-256 of each file, by name."""
    return {name: _sha256(storage, uri) for name, uri in sorted(files.items())}


def _sha256(storage: Storage, uri: ObjectUri) -> str:
    """The digest of a file that may be large, read a piece at a time."""
    found = storage.head(uri)
    if found is None or found.size <= _AT_ONCE:
        return hashlib.sha256(storage.read(uri)).hexdigest()
    digest = hashlib.sha256()
    for start in range(0, found.size, _AT_ONCE):
        digest.update(storage.read_range(uri, start, _AT_ONCE))
    return digest.hexdigest()
