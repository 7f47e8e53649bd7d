"""Who works on what, and when: a plan in simulated seconds, made before the first object is labeled."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roundtruth.sandbox.workers import Worker

# Ground Truth takes minutes to start a job; one simulated minute keeps the demo short.
INITIALIZING_SECONDS = 60.0
STOPPING_SECONDS = 20.0
# MTurk gets a first batch of 10 objects, and the rest when these are done (developer guide; a real job).
FIRST_PUBLIC_BATCH = 10


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A worker's answer to one object: when it comes in (simulated seconds) and how long the worker spent."""

    worker: Worker
    at: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ScheduledObject:
    """One manifest row's way through the job; no submissions: it expired before anybody answered."""

    index: int
    iteration: int
    finish: float
    submissions: tuple[Submission, ...]


def schedule(
    indices: Sequence[int],
    pool: Sequence[Worker],
    *,
    workers_per_object: int,
    seconds: Callable[[Worker, int], float],
    time_limit: float,
    availability: float,
    concurrent: int,
    public: bool,
) -> tuple[ScheduledObject, ...]:
    """Give each object to distinct workers, each of whom does one task at a time; sorted by finish.

    `seconds(worker, index)` is how long the worker takes; `concurrent` objects are open at once; an answer
    that would come later than `availability` seconds after the object was opened never comes.
    """
    if not public:
        return _batch(
            indices,
            pool,
            INITIALIZING_SECONDS,
            1,
            workers_per_object,
            seconds,
            time_limit,
            availability,
            concurrent,
        )
    first, rest = indices[:FIRST_PUBLIC_BATCH], indices[FIRST_PUBLIC_BATCH:]
    begun = _batch(
        first,
        pool,
        INITIALIZING_SECONDS,
        1,
        workers_per_object,
        seconds,
        time_limit,
        availability,
        concurrent,
    )
    start = begun[-1].finish if begun else INITIALIZING_SECONDS
    return begun + _batch(
        rest, pool, start, 2, workers_per_object, seconds, time_limit, availability, concurrent
    )


def _batch(
    indices: Sequence[int],
    pool: Sequence[Worker],
    start: float,
    iteration: int,
    workers_per_object: int,
    seconds: Callable[[Worker, int], float],
    time_limit: float,
    availability: float,
    concurrent: int,
) -> tuple[ScheduledObject, ...]:
    free = [(start, place) for place in range(len(pool))]
    open_until: list[float] = []
    scheduled = []
    for index in indices:
        opened = heapq.heappop(open_until) if len(open_until) >= concurrent else start
        # Several taken off the heap before any is put back: no worker sees an object twice.
        taken = [heapq.heappop(free) for _ in range(workers_per_object)]
        submissions = []
        for free_at, place in taken:
            spent = min(time_limit, seconds(pool[place], index))
            done = max(free_at, opened) + spent
            if done <= opened + availability:
                submissions.append(Submission(worker=pool[place], at=done, seconds=spent))
                heapq.heappush(free, (done, place))
            else:
                heapq.heappush(free, (free_at, place))
        finish = max((one.at for one in submissions), default=opened + availability)
        heapq.heappush(open_until, finish)
        ordered = tuple(sorted(submissions, key=lambda one: (one.at, one.worker.number)))
        scheduled.append(
            ScheduledObject(index=index, iteration=iteration, finish=finish, submissions=ordered)
        )
    return tuple(sorted(scheduled, key=lambda one: (one.finish, one.index)))
