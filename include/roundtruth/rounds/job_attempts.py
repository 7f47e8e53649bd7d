"""Which labeling jobs one planned job became: a job that failed or was stopped goes on under another name."""

from __future__ import annotations

import msgspec

from roundtruth.rounds.folder import JobInputs
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json


class JobAttempts(msgspec.Struct, frozen=True, kw_only=True):
    """The labeling jobs of one planned job, oldest first, and whether the last one was completed."""

    names: tuple[str, ...]
    completed: bool = True  # False: a person took what a failed or stopped job left


def write_attempts(storage: Storage, inputs: JobInputs, job: str, attempts: JobAttempts) -> None:
    """Write down the attempts at a job, for a round whose tables are made again when no task can tell them.

    Where the planned job was completed, as nearly all are, there is nothing to write.
    """
    if attempts != JobAttempts(names=(job,)) or storage.head(inputs.attempts):
        storage.write(inputs.attempts, msgspec.json.encode(attempts))


def read_attempts(storage: Storage, inputs: JobInputs, job: str) -> JobAttempts:
    """The attempts that were written down; mostly it is the planned job alone."""
    content = storage.read_if_there(inputs.attempts)
    return decode_json(content.data, JobAttempts) if content else JobAttempts(names=(job,))
