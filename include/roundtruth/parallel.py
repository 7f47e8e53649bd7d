"""Run an action on many items at once, results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items in flight or waiting, a thread: enough to keep all threads busy behind one slow item


def run_in_order(
    action: Callable[[Item], Result], items: Iterable[Item], *, concurrency: int
) -> Iterator[Result]:
    """Run an action in threads; items are taken as results are, so that neither pile up.

    The first error in the order of the items is raised; what has not begun by then is not run.
    """
    pool = ThreadPoolExecutor(max_workers=concurrency)
    try:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(action, item))
            if len(pending) >= concurrency * AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
