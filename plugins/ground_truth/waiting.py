"""Waiters that outlast an endpoint out of reach, and notice a job at which nobody works any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypedDict

from botocore.exceptions import WaiterError

from ground_truth.exceptions import LabelingJobProgressError, LabelingJobStalledError
from ground_truth.retries import CONNECTION_ERRORS

_log = logging.getLogger(__name__)


class ProgressNote(TypedDict):
    """What outlasts a restart of the triggerer: it is among a trigger's arguments in Airflow's database.

    Moments are seconds since 1970, so that they mean the same on every machine.
    """

    counters: dict[str, int] | None
    """``LabelCounters`` when the note was made; None before the first look."""
    since: float
    """When they changed last, or the wait began."""
    noted: float
    """When the note was made."""
    reported: dict[str, int] | None
    """The counters of a standstill that was reported; it is not reported again."""


def first_note() -> ProgressNote:
    """Make the note of a wait that begins now."""
    now = time.time()
    return ProgressNote(counters=None, since=now, noted=now, reported=None)


class Progress:
    """Looks at a job's counters, and raises when they have not changed for too long.

    A trigger cannot change its own arguments, so whenever there was progress the wait pauses, an eighth of
    ``stalled_after`` after the last note at the earliest, for the task to defer with a new one. What happened
    since the last note is all that a restart of the triggerer can make it forget.

    :param stalled_after: Seconds without a change that are too long; None for never.
    :param note: What was noted before.
    :param clock: What tells the time, in seconds since 1970.
    """

    NOTES = 8  # at most, in the time after which a standstill is reported

    def __init__(
        self,
        stalled_after: float | None,
        note: ProgressNote | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._stalled_after = stalled_after
        self._note = note or first_note()
        self._clock = clock
        self._counters = self._note["counters"]
        self._since = self._note["since"]

    def look(self, description: dict[str, Any]) -> None:
        """Take note of what DescribeLabelingJob answered.

        :raises LabelingJobStalledError: when the job has made no progress for too long.
        :raises LabelingJobProgressError: when it has made some and that has to be written down.
        """
        counters = description.get("LabelCounters")
        if self._stalled_after is None or counters is None:
            return
        now = self._clock()
        if not _same(self._counters, counters):
            self._since = now
        self._counters = dict(counters)
        seconds = now - self._since
        note = ProgressNote(
            counters=self._counters, since=self._since, noted=now, reported=self._note["reported"]
        )
        if seconds >= self._stalled_after and counters != self._note["reported"]:
            note["reported"] = self._counters
            raise LabelingJobStalledError(
                f"No object was labeled for {seconds:.0f} seconds; {counters}", note
            )
        is_due = now - self._note["noted"] >= self._stalled_after / self.NOTES
        if is_due and not _same(self._note["counters"], counters):
            raise LabelingJobProgressError(f"Objects were labeled; {counters}", note)


def _same(noted: dict[str, int] | None, counters: dict[str, int]) -> bool:
    """Before the first look nothing was labeled: then whatever is done by now is progress."""
    if noted is None:
        return not any(count for name, count in counters.items() if name != "Unlabeled")
    return noted == counters


class ReconnectingWaiter:
    """A botocore waiter for ``waiter_with_logging.wait``, which survives throttling but no lost connection.

    :param waiter: A waiter of botocore.
    """

    def __init__(self, waiter: Any) -> None:
        self._waiter = waiter

    def wait(self, **kwargs: Any) -> None:
        """Look as often as ``WaiterConfig`` says; no answer counts as a job not done yet."""
        try:
            self._waiter.wait(**kwargs)
        except CONNECTION_ERRORS as error:
            raise _not_reached(self._waiter.name, error) from error
        except WaiterError as error:
            raise _judged(self._waiter.name, error) from error


class AsyncReconnectingWaiter:
    """The same for a waiter of aiobotocore and ``waiter_with_logging.async_wait``.

    :param waiter: A waiter of aiobotocore.
    :param progress: What looks at the job's counters.
    """

    def __init__(self, waiter: Any, progress: Progress | None = None) -> None:
        self._waiter = waiter
        self._progress = progress or Progress(None)

    async def wait(self, **kwargs: Any) -> None:
        """Look as often as ``WaiterConfig`` says; no answer counts as a job not done yet.

        :raises LabelingJobProgressError: when there is something to write down, or to report.
        """
        try:
            await self._waiter.wait(**kwargs)
        except CONNECTION_ERRORS as error:
            raise _not_reached(self._waiter.name, error) from error
        except WaiterError as error:
            if "terminal failure" not in str(error):
                self._progress.look(error.last_response)
            raise _judged(self._waiter.name, error) from error


def _judged(waiter_name: str, error: WaiterError) -> WaiterError:
    """A server error is no answer either: ``waiter_with_logging`` knows some of their codes, not all."""
    metadata = error.last_response.get("ResponseMetadata") or {}
    if metadata.get("HTTPStatusCode", 0) >= 500:
        return _not_reached(waiter_name, error)
    return error


def _not_reached(waiter_name: str, error: BaseException) -> WaiterError:
    _log.warning("Ground Truth could not be reached, looking again at the next poll: %s", error)
    # The reason must not hold the words by which waiter_with_logging knows failures.
    return WaiterError(
        name=waiter_name, reason=f"Endpoint not reached ({type(error).__name__})", last_response={}
    )
