"""What a list shows of each recorded round, kept in one small object a project: rounds/summary.json.

Reading some files of each of 2,000 rounds takes minutes; this object is one request. The steps that record a
round and publish a version bring it up to date. It holds nothing that cannot be read from rounds and versions
again: without it, or behind it, pages make the missing entries themselves.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar

import msgspec

from roundtruth.annotations import DISPUTED, LABELED, NEGATIVE, QUARANTINED
from roundtruth.errors import RoundError
from roundtruth.overviews.first_versions import first_versions
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.names import round_order
from roundtruth.rounds.record import decode_record
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

log = logging.getLogger(__name__)

ATTEMPTS = 20  # others that may write it between our read and our write


class RoundSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A recorded round."""

    round: str
    sha256: str  # of its round.json
    images: int
    counts: dict[str, int]  # status -> images
    boxes: int
    answers: int
    spent_usd: float
    jobs: tuple[str, ...]  # the labeling jobs that brought the answers, the last attempt at each
    agreement: float | None = None  # 0–1, mean over the images that several people answered
    passed: bool | None = None  # whether the quality gate was open; None: no verdict is there
    warnings: int = 0  # checks that failed and stopped nothing
    imported: bool = False
    attempt: int = 1  # which attempt at the round brought these labels
    version: str = ""  # the first version of the dataset that holds these labels

    @property
    def labeled(self) -> int:
        """Images that people labeled: empty, disputed and quarantined ones too, as in a round's funnel."""
        return sum(self.counts.get(status, 0) for status in (LABELED, NEGATIVE, DISPUTED, QUARANTINED))

    @property
    def disputed(self) -> int:
        """Images on which people disagree to the last."""
        return self.counts.get(DISPUTED, 0)


class Summaries(msgspec.Struct, frozen=True, kw_only=True):
    """The content of summary.json; the oldest round first."""

    rounds: tuple[RoundSummary, ...] = ()


_Fields = TypeVar("_Fields", bound=msgspec.Struct)


class _Agreement(msgspec.Struct, frozen=True, kw_only=True):
    mean: float | None = None


class _Report(msgspec.Struct, frozen=True, kw_only=True):
    """The little of consensus.json that a list shows."""

    agreement: _Agreement = _Agreement()


class _Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The little of quality.json that a list shows."""

    passed: bool | None = None
    warnings: tuple[msgspec.Raw, ...] = ()


def summary_uri(project: Project) -> ObjectUri:
    """Where the summaries of a project's rounds lie; beside the folders of the rounds."""
    return rounds_folder(project) / "summary.json"


def decode_summaries(data: bytes) -> Summaries:
    """Read a summary.json; one that cannot be read counts as none, since it can be made again."""
    try:
        return decode_json(data, Summaries)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Summaries()


def update_summaries(storage: Storage, project: Project, *, changed: Collection[str] = ()) -> bool:
    """Bring summary.json up to date, by conditional writes; tells whether this call changed it.

    A round whose record cannot be read is left out, with a warning, and so is all of it when others keep
    writing: what a list shows stops no step.

    :param changed: rounds that were recorded just now, perhaps not for the first time.
    """
    uri = summary_uri(project)
    for _ in range(ATTEMPTS):
        content = storage.read_if_there(uri)
        before = decode_summaries(content.data) if content else Summaries()
        kept = {one.round: one for one in before.rounds}
        after = complete(
            storage, project, kept, storage.list_folders(rounds_folder(project)), changed=changed
        )
        encoded = msgspec.json.encode(after) + b"\n"
        if content is None:
            if storage.write_if_absent(uri, encoded):
                return True
        elif content.data == encoded:
            return False
        elif storage.write_if_unchanged(uri, encoded, content.etag):
            return True
    log.warning("%s was changed by others %d times in a row; the next record completes it", uri, ATTEMPTS)
    return False


def complete(
    storage: Storage,
    project: Project,
    known: Mapping[str, RoundSummary],
    keys: Iterable[str],
    *,
    changed: Collection[str] = (),
    broken: Callable[[str, RoundError], None] | None = None,
) -> Summaries:
    """The summaries of the recorded rounds among ``keys``; those that are not known are made from files.

    :param broken: is told of each round that is left out since its record cannot be read; default: the log.
    """
    keys = set(keys)
    missing = sorted(key for key in keys if key not in known or key in changed)

    def make(key: str) -> RoundSummary | None:
        try:
            return make_summary(storage, project, key)
        except RoundError as error:
            (broken or _warn)(key, error)
            return None

    made = storage.run_many(make, missing)
    rounds = {key: one for key, one in known.items() if key in keys}
    rounds |= {one.round: _same_version(one, known) for one in made if one is not None}
    waiting = {one.round: one.sha256 for one in rounds.values() if not one.version}
    versions = first_versions(storage, project, waiting)
    found = (
        msgspec.structs.replace(one, version=versions.get(one.round, one.version)) for one in rounds.values()
    )
    return Summaries(rounds=tuple(sorted(found, key=lambda one: round_order(one.round))))


def make_summary(storage: Storage, project: Project, key: str) -> RoundSummary | None:
    """The summary of a round from its files, not yet with its version; None before it is recorded.

    :raises RoundError: when round.json cannot be read.
    """
    folder = RoundFolder(rounds_folder(project) / key)
    content = storage.read_if_there(folder.record)
    if content is None:
        return None
    try:
        record = decode_record(content.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RoundError(
            f"round.json of round {key!r} of project {project.project} cannot be read: {error}; restore it "
            "from the bucket's versions."
        ) from error
    digest = hashlib.sha256(content.data).hexdigest()
    places = (folder.recorded(digest), folder)  # another attempt or a rebuild may be making them again
    verdict = _little(storage, [one.quality for one in places], _Verdict)
    return RoundSummary(
        round=key,
        sha256=digest,
        images=record.images,
        counts=record.counts,
        boxes=record.boxes,
        answers=record.answers,
        spent_usd=record.spent_usd,
        jobs=tuple(job.attempts[-1] if job.attempts else job.name for job in record.jobs),
        agreement=_little(storage, [one.consensus for one in places], _Report).agreement.mean,
        passed=verdict.passed,
        warnings=len(verdict.warnings),
        imported=record.imported,
        attempt=record.attempt,
    )


def _warn(key: str, error: RoundError) -> None:
    log.warning("Round %s is left out of the summaries: %s", key, error)


def _little(storage: Storage, uris: Iterable[ObjectUri], kind: type[_Fields]) -> _Fields:
    """Some fields of the first file that is there; where none is, or a broken one, as if it said nothing."""
    found = (storage.read_if_there(uri) for uri in uris)
    content = next((one for one in found if one is not None), None)
    if content is None:
        return kind()
    try:
        return decode_json(content.data, kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return kind()


def _same_version(made: RoundSummary, known: Mapping[str, RoundSummary]) -> RoundSummary:
    before = known.get(made.round)
    same = before is not None and before.sha256 == made.sha256
    return msgspec.structs.replace(made, version=before.version) if before and same else made
