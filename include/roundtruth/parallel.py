"""Run an action on many items at once, in threads or processes, results in the order of the items."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from threading import Event
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items in flight or waiting, a thread: enough to keep all threads busy behind one slow item


def run_in_order(
    action: Callable[[Item], Result], items: Iterable[Item], *, concurrency: int, group: int = 1
) -> Generator[Result, None, None]:
    """Run an action in threads; items are taken as results are, so that neither pile up.

    The first error in the order of the items is raised; what has not begun by then is not run.

    :param group: how many items a thread takes at once: handing one over costs some 50 µs, which counts where
        the action is a request for little. So many results more are held at once, a thread. It takes fewer
        where few items are known to come, so that all threads have some to the end.
    """
    if isinstance(items, Sized):
        group = max(1, min(group, len(items) // (8 * concurrency)))
    pool = ThreadPoolExecutor(max_workers=concurrency)
    stop = Event()

    def run(some: list[Item]) -> tuple[list[Result], BaseException | None]:
        results: list[Result] = []
        for item in some:
            if stop.is_set():
                break
            try:
                results.append(action(item))
            except BaseException as error:  # raised in its place, behind the results before it
                return results, error
        return results, None

    try:
        pending: deque[Future[tuple[list[Result], BaseException | None]]] = deque()
        groups = _groups(items, group)
        for some in groups:
            pending.append(pool.submit(run, some))
            if len(pending) >= concurrency * (AHEAD if group == 1 else 2):
                yield from _results(pending.popleft())
        while pending:
            yield from _results(pending.popleft())
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def _results(done: Future[tuple[list[Result], BaseException | None]]) -> Iterator[Result]:
    results, error = done.result()
    yield from results
    if error is not None:
        raise error


def run_in_processes(
    action: Callable[[Item], Result], items: Iterable[Item], *, processes: int
) -> Iterator[Result]:
    """Run an action in so many processes, for work on local files; one process means this one.

    They begin as copies of this one (fork), so the action may hold what is large or cannot be sent; it must
    not use threads or connections that were opened here. The first error in the order of the items is raised.
    """
    if processes == 1:
        yield from map(action, items)
        return
    _actions.append(action)
    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork"))
    try:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(_act, item))
            if len(pending) >= processes * AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        _actions.pop()
        pool.shutdown(cancel_futures=True)


# What a forked process finds in its copy of the memory: an action may hold what cannot be sent.
_actions: list[Callable[..., object]] = []


def _act(item: Item) -> Any:
    return _actions[-1](item)
