"""All rounds of a project for a list: recorded ones from their summaries, the others from their plans."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from roundtruth.errors import StorageError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.round_summaries import (
    RoundSummary,
    Summaries,
    complete,
    decode_summaries,
    summary_uri,
)
from roundtruth.project import Project
from roundtruth.rounds.attempts import current_attempt
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.names import round_order
from roundtruth.rounds.planned import PlannedJob, RoundPlan, of_attempt
from roundtruth.rounds.relabel import round_jobs
from roundtruth.typed_json import decode_json

log = logging.getLogger(__name__)

SUMMARY_SECONDS = 5.0  # a list that somebody pages, sorts and filters is not asked for anew each time
FOLDERS_SECONDS = 60.0  # rounds that no run tells of come by the command line
ACTIVE_SECONDS = 5.0
RESTING_SECONDS = 120.0  # a round whose run is over changes only by a new run, which is asked for at once

_NONE = Summaries()


@dataclass(frozen=True, kw_only=True)
class OpenRound:
    """A round that is not recorded, or is being labeled over again; without a plan it has no images yet."""

    round: str
    images: int = 0
    attempt: int = 1
    jobs: tuple[PlannedJob, ...] = ()
    labeling_usd: float = 0.0
    most_usd: float = 0.0  # with all relabel passes

    @property
    def is_planned(self) -> bool:
        """Whether it has taken images."""
        return bool(self.jobs) or self.images > 0


@dataclass(frozen=True, kw_only=True)
class ListedRound:
    """A round of a list: recorded, open, or both while it is labeled over again."""

    key: str
    recorded: RoundSummary | None
    open: OpenRound | None


@dataclass(frozen=True, kw_only=True)
class _Kept:
    value: Any
    until: float
    sign: object = None


class ProjectRounds:
    """The rounds of one project, kept in memory between requests; thread-safe.

    Nobody waits for the names of the folders, but where there are no summaries: a listing walks over all
    objects of all rounds, which may take seconds. They are read in the background, while recorded rounds come
    from the summaries and running ones from their runs at once.

    :param now: seconds of a clock that never goes back.
    :param in_background: runs what nobody waits for.
    """

    def __init__(
        self,
        cache: EtagCache,
        project: Project,
        now: Callable[[], float] = time.monotonic,
        in_background: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._cache = cache
        self._project = project
        self._now = now
        self._in_background = in_background or _in_a_thread
        self._summaries: _Kept | None = None
        self._folders: _Kept | None = None
        self._listed = False
        self._made: dict[str, RoundSummary] = {}
        self._open: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def read(self, active: Mapping[str, object], signs: Mapping[str, object]) -> tuple[ListedRound, ...]:
        """All rounds, the newest first.

        :param active: the rounds with a run that has not ended.
        :param signs: of each round with a run, what changes when the run does.
        :raises StorageError: when S3 refuses, or the bucket is missing.
        """
        with self._lock:  # of many people who look at the same moment, one reads
            summaries = self._stored()
            keys = self._keys(summaries) | set(active)
            recorded = self._recorded(summaries, keys, signs)
            wanted = [key for key in keys if key not in recorded or key in active]
            opened = dict(zip(wanted, self._opened(wanted, active, signs), strict=True))
        rows = (
            ListedRound(key=key, recorded=recorded.get(key), open=self._over_again(recorded, opened, key))
            for key in keys
        )
        return tuple(sorted(rows, key=lambda row: round_order(row.key), reverse=True))

    def _stored(self) -> Summaries:
        """What the steps wrote; the same object as long as it is the same in S3."""
        now, kept = self._now(), self._summaries
        if kept is None or kept.until < now:
            found = self._cache.read(summary_uri(self._project), decode_summaries, kind="summaries")
            kept = self._summaries = _Kept(value=found or _NONE, until=now + SUMMARY_SECONDS)
        summaries: Summaries = kept.value
        return summaries

    @property
    def is_complete(self) -> bool:
        """Whether the folders were listed at least once; before, rounds that failed may be missing."""
        return self._listed

    def _keys(self, summaries: Summaries) -> set[str]:
        """The names of all folders; while they are older than the summaries, the rounds of these too."""
        kept, now = self._folders, self._now()
        if kept is None and not summaries.rounds:
            self._list(summaries)
        elif kept is None or kept.until < now or kept.sign is not summaries:
            # Seen at the next look, not at this one; until then nobody else need ask.
            newer = {one.round for one in summaries.rounds} | (kept.value if kept else set())
            self._folders = _Kept(value=newer, until=now + FOLDERS_SECONDS, sign=summaries)
            self._in_background(lambda: self._list(summaries))
        return set(self._folders.value) if self._folders else set()

    def _list(self, summaries: Summaries) -> None:
        names = set(self._cache.storage.list_folders(rounds_folder(self._project)))
        self._folders = _Kept(value=names, until=self._now() + FOLDERS_SECONDS, sign=summaries)
        self._listed = True

    def _recorded(
        self, summaries: Summaries, keys: Collection[str], signs: Mapping[str, object]
    ) -> Mapping[str, RoundSummary]:
        """The recorded rounds: stored ones, and those of an earlier roundtruth, made here and kept.

        Rounds that rest unrecorded are not asked for each time, there may be many: a schedule makes one a
        day, whether images came or not.
        """
        now = self._now()
        stored = {one.round: one for one in summaries.rounds if one.round in keys}
        self._made = {key: one for key, one in self._made.items() if key in keys and key not in stored}
        known = stored.keys() | self._made.keys()
        missing = [key for key in keys if key not in known and not self._rests(key, signs.get(key), now)]
        if missing:
            made = complete(self._cache.storage, self._project, {}, missing)
            self._made |= {one.round: one for one in made.rounds}
        return self._made | stored

    def _opened(
        self, keys: Collection[str], active: Mapping[str, object], signs: Mapping[str, object]
    ) -> list[OpenRound]:
        now = self._now()
        stale = [key for key in keys if not self._rests(key, signs.get(key), now)]
        for key, read in zip(stale, self._cache.storage.run_many(self._read_open, stale), strict=True):
            seconds = ACTIVE_SECONDS if key in active else RESTING_SECONDS
            self._open[key] = _Kept(value=read, until=now + seconds, sign=signs.get(key))
        return [self._open[key].value for key in keys]

    def _rests(self, key: str, sign: object, now: float) -> bool:
        kept = self._open.get(key)
        return kept is not None and kept.until >= now and kept.sign == sign

    def _read_open(self, key: str) -> OpenRound:
        folder = RoundFolder(rounds_folder(self._project) / key)
        plan = self._cache.read(folder.plan, _decode_plan, kind="plan", immutable=True)
        if plan is None:
            return OpenRound(round=key)
        storage = self._cache.storage
        plan = of_attempt(plan, current_attempt(storage, folder).attempt)
        return OpenRound(
            round=key,
            images=plan.images,
            attempt=plan.attempt,
            jobs=round_jobs(storage, folder, plan),
            labeling_usd=plan.labeling_usd,
            most_usd=plan.labeling_usd + plan.relabel_usd,
        )

    @staticmethod
    def _over_again(
        recorded: Mapping[str, RoundSummary], opened: Mapping[str, OpenRound], key: str
    ) -> OpenRound | None:
        """A run of a recorded round mostly finds that all is done; only another attempt labels anew."""
        one, done = opened.get(key), recorded.get(key)
        return None if one and done and one.attempt <= done.attempt else one


def _in_a_thread(action: Callable[[], None]) -> None:
    def run() -> None:
        try:
            action()
        except StorageError as error:  # the next request that has to wait for it tells
            log.warning("The folders of rounds could not be listed: %s", error)

    threading.Thread(target=run, name="rounds-folders", daemon=True).start()


def _decode_plan(data: bytes) -> RoundPlan:
    return decode_json(data, RoundPlan)
