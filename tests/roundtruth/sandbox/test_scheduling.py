"""Who works on what, and when."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.sandbox.scheduling import INITIALIZING_SECONDS, schedule
from roundtruth.sandbox.workers import worker_pool

POOL = worker_pool("good", 0)


def plan(count=20, **options):
    usual = {
        "workers_per_object": 3,
        "seconds": lambda worker, index: 10.0 + worker.number + index % 7,
        "time_limit": 300.0,
        "availability": 2_592_000.0,
        "concurrent": 1000,
        "public": False,
    }
    return schedule(range(count), POOL, **(usual | options))


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 50), st.booleans())
def test_distinct_workers_one_task_at_a_time(count, workers, concurrent, public):
    scheduled = plan(count, workers_per_object=workers, concurrent=concurrent, public=public)
    assert sorted(one.index for one in scheduled) == list(range(count))
    assert [one.finish for one in scheduled] == sorted(one.finish for one in scheduled)
    busy = defaultdict(list)
    for one in scheduled:
        assert len({given.worker.number for given in one.submissions}) == workers
        assert one.finish == max(given.at for given in one.submissions)
        for given_ in one.submissions:
            busy[given_.worker.number].append((given_.at - given_.seconds, given_.at))
    for times in busy.values():
        times.sort()
        assert times[0][0] >= INITIALIZING_SECONDS - 1e-6
        assert all(before[1] <= after[0] + 1e-6 for before, after in pairwise(times))


def test_the_first_public_batch_is_over_before_the_second_begins():
    scheduled = plan(25, public=True)
    first = [one for one in scheduled if one.iteration == 1]
    second = [one for one in scheduled if one.iteration == 2]
    assert sorted(one.index for one in first) == list(range(10))
    end = max(one.finish for one in first)
    assert min(given_.at - given_.seconds for one in second for given_ in one.submissions) >= end
    assert {one.iteration for one in plan(25)} == {1}


def test_no_one_works_longer_than_the_limit():
    scheduled = plan(5, seconds=lambda worker, index: 1000.0, time_limit=60.0)
    assert {given_.seconds for one in scheduled for given_ in one.submissions} == {60.0}


@pytest.mark.parametrize(("availability", "answers"), [(5.0, 0), (100.0, 3)])
def test_objects_expire(availability, answers):
    scheduled = plan(1, availability=availability)
    assert len(scheduled[0].submissions) == answers
    if not answers:
        assert scheduled[0].finish == INITIALIZING_SECONDS + availability


def test_concurrency_makes_it_last_longer():
    assert plan(40, concurrent=2)[-1].finish > 2 * plan(40, concurrent=40)[-1].finish
