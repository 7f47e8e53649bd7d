"""All rounds of a project for a list: recorded ones from their summaries, the others from their plans."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from roundtruth.errors import RoundError, StorageError
from roundtruth.overviews.background import run_in_background
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.open_rounds import OpenRound, read_open
from roundtruth.overviews.round_summaries import (
    RoundSummary,
    Summaries,
    complete,
    decode_summaries,
    summary_uri,
)
from roundtruth.project import Project
from roundtruth.rounds.folder import rounds_folder
from roundtruth.rounds.names import round_order

SUMMARY_SECONDS = 5.0  # a list that somebody pages, sorts and filters is not asked for anew each time
FOLDERS_SECONDS = 60.0  # rounds that no run tells of come by the command line
ACTIVE_SECONDS = 5.0
RESTING_SECONDS = 120.0  # a round whose run is over changes only by a new run, which is asked for at once
PATIENCE_SECONDS = 1.0  # for another request that reads the same; then the rows of before are shown
MOST_PATIENCE_SECONDS = 20.0  # where there are none yet
FIRST_READ = 50  # rounds that one look reads; the others follow in the background, so many at once

_NONE = Summaries()


@dataclass(frozen=True, kw_only=True)
class ListedRound:
    """A round of a list: recorded, open, or both while it is labeled over again.

    ``problem`` says which file of it cannot be read; the other rounds are listed all the same.
    """

    key: str
    recorded: RoundSummary | None
    open: OpenRound | None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class _Kept:
    value: Any
    until: float
    sign: object = None


class ProjectRounds:
    """The rounds of one project, kept in memory between requests; thread-safe.

    Nobody waits for the names of the folders, but where there are no summaries: a listing walks over all
    objects of all rounds, which may take seconds. They are read in the background, while recorded rounds come
    from the summaries and running ones from their runs at once. Nor does anybody wait for rounds that rest,
    once they were read: they are asked again in the background. While one request reads, which takes as long
    as S3 does, others are shown the rows of before. Of thousands that have no summary (an earlier roundtruth
    wrote none) the first look shows the newest alone, and the next ones what was read meanwhile.

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
        self._in_background = in_background or run_in_background
        self._summaries: _Kept | None = None
        self._folders: _Kept | None = None
        self._listed = False
        self._made: dict[str, RoundSummary] = {}
        self._open: dict[str, _Kept] = {}
        self._broken: dict[str, str] = {}
        self._asking = False
        self._reading = False
        self._left_out = False
        self._last: tuple[ListedRound, ...] | None = None
        self._lock = threading.RLock()  # what runs in the background may run at once, as in tests

    def read(
        self,
        active: Mapping[str, object],
        signs: Mapping[str, object],
        *,
        failed: Collection[str] = (),
        at_once: Collection[str] = (),
        patience: float = PATIENCE_SECONDS,
    ) -> tuple[ListedRound, ...]:
        """All rounds, the newest first.

        :param active: the rounds with a run that has not ended.
        :param signs: of each round with a run, what changes when the run does.
        :param failed: rounds whose run failed, perhaps before it wrote the first file.
        :param at_once: rounds that are wanted now, however many there are.
        :param patience: seconds to wait for another request that reads, before the last rows are shown.
        :raises StorageError: when S3 refuses, or the bucket is missing, or nothing was read yet and S3 keeps
            another request waiting.
        """
        with self._turn(patience if self._last is not None else MOST_PATIENCE_SECONDS) as ours:
            if ours:  # of many people who look at the same moment, one reads
                self._last = self._read(active, signs, failed, at_once)
        if self._last is None:
            raise StorageError(
                f"S3 has not told of the rounds of project {self._project.project} for "
                f"{MOST_PATIENCE_SECONDS:.0f} seconds; reload the page, and see whether S3 can be reached."
            )
        return self._last

    @contextmanager
    def _turn(self, seconds: float) -> Iterator[bool]:
        ours = self._lock.acquire(timeout=seconds)
        try:
            yield ours
        finally:
            if ours:
                self._lock.release()

    def _read(
        self,
        active: Mapping[str, object],
        signs: Mapping[str, object],
        failed: Collection[str],
        at_once: Collection[str],
    ) -> tuple[ListedRound, ...]:
        summaries = self._stored()
        keys = self._keys(summaries) | set(active) | set(failed)
        keys -= self._leave_out(keys - {*active, *at_once}, summaries, signs)
        recorded = self._recorded(summaries, keys, active, signs)
        wanted = [key for key in keys if key not in recorded or key in active]
        opened = dict(zip(wanted, self._opened(wanted, active, signs), strict=True))
        self._ask_again(wanted, active)
        rows = (
            ListedRound(
                key=key,
                recorded=recorded.get(key),
                open=self._over_again(recorded, opened, key),
                problem=(self._broken.get(key, "") if key not in recorded else "")
                or (opened[key].problem if key in opened else ""),
            )
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
        """Whether all rounds are listed; before, some that are not in the summaries may be missing."""
        return self._listed and not self._left_out

    def _leave_out(self, keys: set[str], summaries: Summaries, signs: Mapping[str, object]) -> set[str]:
        """The rounds of which nothing was read yet, but the newest: nobody waits for thousands of them."""
        known = {one.round for one in summaries.rounds} | self._made.keys() | self._open.keys()
        unknown = sorted(keys - known, key=round_order, reverse=True)
        left = unknown if self._reading else unknown[FIRST_READ:]
        self._left_out = bool(left)
        if left and not self._reading:
            self._reading = True
            self._in_background(lambda: self._read_left_out(left, signs))
        return set(left)

    def _read_left_out(self, keys: Sequence[str], signs: Mapping[str, object]) -> None:
        try:
            for start in range(0, len(keys), FIRST_READ):
                some = keys[start : start + FIRST_READ]
                made, broken = self._ask(some)
                rest = [key for key in some if key not in made]
                read = list(self._cache.storage.run_many(self._read_open, rest))
                until = self._now() + RESTING_SECONDS
                with self._lock:
                    self._keep(some, made, broken)
                    for key, one in zip(rest, read, strict=True):
                        self._open.setdefault(key, _Kept(value=one, until=until, sign=signs.get(key)))
        finally:
            self._reading = False

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
        self,
        summaries: Summaries,
        keys: Collection[str],
        active: Collection[str],
        signs: Mapping[str, object],
    ) -> Mapping[str, RoundSummary]:
        """The recorded rounds: stored ones, and those of an earlier roundtruth, made here and kept.

        Rounds that rest unrecorded are not asked for each time, there may be many: a schedule makes one a
        day, whether images came or not.
        """
        stored = {one.round: one for one in summaries.rounds if one.round in keys}
        self._made = {key: one for key, one in self._made.items() if key in keys and key not in stored}
        known = stored.keys() | self._made.keys()
        missing = [key for key in keys if key not in known and not self._rests(key, active, signs)]
        if missing:
            self._keep(missing, *self._ask(missing))
        return self._made | stored

    def _ask(self, keys: Sequence[str]) -> tuple[dict[str, RoundSummary], dict[str, str]]:
        """The summaries of those that are recorded, and why others of their records cannot be read."""
        broken: dict[str, str] = {}

        def tell(key: str, error: RoundError) -> None:
            broken[key] = str(error)

        made = complete(self._cache.storage, self._project, {}, keys, broken=tell)
        return {one.round: one for one in made.rounds}, broken

    def _keep(
        self, keys: Collection[str], made: Mapping[str, RoundSummary], broken: Mapping[str, str]
    ) -> None:
        self._made = {**self._made, **made}
        self._broken = {key: why for key, why in self._broken.items() if key not in keys} | {**broken}

    def _opened(
        self, keys: Collection[str], active: Mapping[str, object], signs: Mapping[str, object]
    ) -> list[OpenRound]:
        now = self._now()
        stale = [key for key in keys if not self._rests(key, active, signs)]
        for key, read in zip(stale, self._cache.storage.run_many(self._read_open, stale), strict=True):
            seconds = ACTIVE_SECONDS if key in active else RESTING_SECONDS
            self._open[key] = _Kept(value=read, until=now + seconds, sign=signs.get(key))
        return [self._open[key].value for key in keys]

    def _rests(self, key: str, active: Collection[str], signs: Mapping[str, object]) -> bool:
        """Whether it was read since its run last changed; of one that runs, a moment ago."""
        kept = self._open.get(key)
        if kept is None or kept.sign != signs.get(key):
            return False
        return key not in active or kept.until >= self._now()

    def _ask_again(self, keys: Collection[str], active: Collection[str]) -> None:
        """In the background: somebody may have planned or recorded by the command line."""
        now = self._now()
        old = {key: self._open[key] for key in keys if key not in active and self._open[key].until < now}
        if old and not self._asking:
            self._asking = True
            self._in_background(lambda: self._asked_again(old))

    def _asked_again(self, old: Mapping[str, _Kept]) -> None:
        try:
            keys = list(old)
            found = self._ask(keys)
            read = list(self._cache.storage.run_many(self._read_open, keys))
            until = self._now() + RESTING_SECONDS
            with self._lock:
                self._keep(keys, *found)
                for (key, before), one in zip(old.items(), read, strict=True):
                    if self._open.get(key) is before:  # else its run changed, and a later reading counts
                        self._open[key] = _Kept(value=one, until=until, sign=before.sign)
        finally:
            self._asking = False

    def _read_open(self, key: str) -> OpenRound:
        return read_open(self._cache, self._project, key)

    @staticmethod
    def _over_again(
        recorded: Mapping[str, RoundSummary], opened: Mapping[str, OpenRound], key: str
    ) -> OpenRound | None:
        """A run of a recorded round mostly finds that all is done; only another attempt labels anew."""
        one, done = opened.get(key), recorded.get(key)
        return None if one and done and one.attempt <= done.attempt else one
