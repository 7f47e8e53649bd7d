"""Attempts of a round: its images labeled over again by new jobs, because a run asked for it."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from roundtruth.errors import RoundError, StorageError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.names import JOB_NAME_LIMIT
from roundtruth.rounds.turns import Wish
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

_SUFFIX = re.compile(r"-a([0-9]+)$")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a round, the first being 1, and the run that asked for it.

    The numbers rise and may leave some out: ``attempt`` also counts the attempts at single jobs that failed.
    """

    attempt: int
    run: str
    why: str = ""
    joined: tuple[str, ...] = ()  # runs that asked for the same while it was under way


def current_attempt(storage: Storage, folder: RoundFolder) -> Attempt:
    """The newest attempt of a round."""
    return _attempts(storage, folder)[-1]


def earlier_attempts(storage: Storage, folder: RoundFolder, before: int) -> tuple[Attempt, ...]:
    """All attempts before one, by its number; the first one first."""
    return tuple(one for one in _attempts(storage, folder) if one.attempt < before)


def attempt_of_run(storage: Storage, folder: RoundFolder, run: str) -> Attempt | None:
    """The attempt that a run opened or joined; None when it has none yet."""
    own = [one for one in _attempts(storage, folder) if run in (one.run, *one.joined)]
    return own[-1] if own else None


def wanted_attempt(
    storage: Storage, folder: RoundFolder, *, run: str, why: str = "", recorded_names: Collection[str]
) -> Wish | None:
    """The new attempt that a run which labels anew wants to open; None when it has one, or joins the last.

    A run that is cleared and runs again keeps its own attempt, also when others came after it, and a second
    run that comes while an attempt is under way joins it: people are never paid twice for one wish.

    :param run: the id of the Dag run that asks.
    :param recorded_names: the names of all jobs in round.json when it holds the newest attempt; else none.
    """
    if not recorded_names or attempt_of_run(storage, folder, run) is not None:
        return None
    attempts = _attempts(storage, folder)
    taken = max(_attempt_of(name) for name in recorded_names)
    made = Attempt(attempt=max(attempts[-1].attempt, taken) + 1, run=run, why=why)
    content = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
    return Wish(uri=_uri(folder, len(attempts) + 1), data=content)


def join_attempt(storage: Storage, folder: RoundFolder, run: str) -> Attempt:
    """The attempt that a run belongs to, its own or the newest, written down: cleared, it wants no other.

    :raises StorageError: when many runs join at the same moment.
    """
    return attempt_of_run(storage, folder, run) or _join(storage, folder, run)


def attempt_name(job_name: str, attempt: int) -> str:
    """The name of a job in an attempt: ``pens-2026-11-16-1``, in the second one ``pens-2026-11-16-1-a2``.

    :raises RoundError: when it is longer than Ground Truth allows.
    """
    name = job_name if attempt == 1 else f"{job_name}-a{attempt}"
    if len(name) > JOB_NAME_LIMIT:
        raise RoundError(
            f"Job name {name!r} has {len(name)} characters, at most {JOB_NAME_LIMIT} are allowed: "
            "a round with so long a key cannot be labeled again; label its images in a round of another key."
        )
    return name


def _join(storage: Storage, folder: RoundFolder, run: str) -> Attempt:
    for _ in range(5):
        attempts = _attempts(storage, folder)
        newest, uri = attempts[-1], _uri(folder, len(attempts))
        if run in (newest.run, *newest.joined):
            return newest
        joined = msgspec.structs.replace(newest, joined=(*newest.joined, run))
        content = msgspec.json.format(msgspec.json.encode(joined), indent=2) + b"\n"
        before = storage.read_if_there(uri)
        if before is None and storage.write_if_absent(uri, content):
            return joined
        if (
            before is not None
            and decode_json(before.data, Attempt) == newest
            and storage.write_if_unchanged(uri, content, before.etag)
        ):
            return joined
    raise StorageError(
        f"{uri} was changed by others five times in a row: many runs at once ask for round {folder.key!r} to "
        "be labeled again; run plan_round again."
    )


def _attempts(storage: Storage, folder: RoundFolder) -> tuple[Attempt, ...]:
    first = storage.read_if_there(_uri(folder, 1))
    attempts = [decode_json(first.data, Attempt) if first else Attempt(attempt=1, run="")]
    while (content := storage.read_if_there(_uri(folder, len(attempts) + 1))) is not None:
        attempts.append(decode_json(content.data, Attempt))
    return tuple(attempts)


def _uri(folder: RoundFolder, count: int) -> ObjectUri:
    """Where attempts are written down, by their order; the first one only when a run joined it."""
    return folder.uri / f"attempt-{count}.json"


def _attempt_of(job_name: str) -> int:
    number = _SUFFIX.search(job_name)
    return int(number[1]) if number else 1
