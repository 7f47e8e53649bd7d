from __future__ import annotations

import threading
from typing import Any

import pytest

from roundtruth.errors import StorageError
from roundtruth.storage import Storage


def test_run_many_is_bounded_ordered_and_lazy() -> None:
    storage, running, most, taken = Storage(concurrency=3), 0, 0, 0
    lock = threading.Lock()

    def items() -> Any:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    def action(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.001)
        with lock:
            running -= 1
        return number * 2

    results = storage.run_many(action, items())
    assert next(results) == 0
    assert taken < 20
    assert list(results) == [number * 2 for number in range(1, 100)]
    assert most == 3


def test_run_many_raises_the_first_error_and_stops() -> None:
    ran: list[int] = []

    def action(number: int) -> int:
        ran.append(number)
        if number in {5, 6}:
            raise StorageError(f"{number} is broken.")
        return number

    results = Storage(concurrency=2).run_many(action, range(1000))
    with pytest.raises(StorageError, match="5 is broken"):
        list(results)
    assert len(ran) < 100


@pytest.mark.parametrize(("items", "threads"), [(3, 3), (30, 8), (64, 8)])
def test_few_items_keep_all_threads_busy(items: int, threads: int) -> None:
    """Groups of sixteen would leave most of the threads without any."""
    meet = threading.Barrier(min(items, threads), timeout=30)
    met: list[int] = []

    def action(number: int) -> int:
        if number < meet.parties:
            met.append(meet.wait())
        return number

    storage = Storage(concurrency=threads)
    found = list(storage.run_many(action, list(range(items)), group=16))
    assert (found, sorted(met)) == (list(range(items)), list(range(meet.parties)))
