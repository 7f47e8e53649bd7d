"""Waiters that outlast an endpoint out of reach, and notice a job at which nobody works any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import WaiterError

from ground_truth.exceptions import LabelingJobStalledError
from ground_truth.retries import CONNECTION_ERRORS

_log = logging.getLogger(__name__)


class Progress:
    """Looks at a job's counters, and raises when they have not changed for too long.

    :param stalled_after: Seconds without a change that are too long; None for never.
    :param reported: Counters at which the job was found standing still before; these are not reported again.
    :param clock: What tells the seconds that have passed.
    """

    def __init__(
        self,
        stalled_after: float | None,
        reported: dict[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stalled_after = stalled_after
        self._reported = reported
        self._clock = clock
        self._counters: dict[str, int] | None = None
        self._since = clock()

    def look(self, description: dict[str, Any]) -> None:
        """Take note of what DescribeLabelingJob answered.

        :raises LabelingJobStalledError: when the job has made no progress for too long.
        """
        counters = description.get("LabelCounters")
        if self._stalled_after is None or counters is None:
            return
        if counters != self._counters:
            self._counters, self._since = dict(counters), self._clock()
        seconds = self._clock() - self._since
        if seconds >= self._stalled_after and counters != self._reported:
            raise LabelingJobStalledError(
                f"No object was labeled for {seconds:.0f} seconds; {counters}", dict(counters)
            )


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

        :raises LabelingJobStalledError: when the job has made no progress for too long.
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
