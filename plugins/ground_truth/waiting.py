"""Waiters that outlast an endpoint out of reach: a look without an answer counts, and is not the end."""

from __future__ import annotations

import logging
from typing import Any

from botocore.exceptions import WaiterError

from ground_truth.retries import CONNECTION_ERRORS

_log = logging.getLogger(__name__)


class ReconnectingWaiter:
    """A botocore waiter for ``waiter_with_logging.wait``, which survives throttling but no lost connection.

    :param waiter: A waiter of botocore.
    """

    def __init__(self, waiter: Any) -> None:
        self._waiter = waiter

    def wait(self, **kwargs: Any) -> None:
        """Look as often as ``WaiterConfig`` says; a lost connection counts as a job not done yet."""
        try:
            self._waiter.wait(**kwargs)
        except CONNECTION_ERRORS as error:
            raise _not_reached(self._waiter.name, error) from error


class AsyncReconnectingWaiter:
    """The same for a waiter of aiobotocore and ``waiter_with_logging.async_wait``.

    :param waiter: A waiter of aiobotocore.
    """

    def __init__(self, waiter: Any) -> None:
        self._waiter = waiter

    async def wait(self, **kwargs: Any) -> None:
        """Look as often as ``WaiterConfig`` says; a lost connection counts as a job not done yet."""
        try:
            await self._waiter.wait(**kwargs)
        except CONNECTION_ERRORS as error:
            raise _not_reached(self._waiter.name, error) from error


def _not_reached(waiter_name: str, error: BaseException) -> WaiterError:
    _log.warning("Ground Truth could not be reached, looking again at the next poll: %s", error)
    # The reason must not hold the words by which waiter_with_logging knows failures.
    return WaiterError(
        name=waiter_name, reason=f"Endpoint not reached ({type(error).__name__})", last_response={}
    )
