"""The fault bench in short: rounds of several jobs, two workers, ten faults; nothing lost or paid twice."""

from __future__ import annotations

import sys
import time
from collections import deque
from random import Random

import pytest

from benchmarks.fault_findings import created_jobs, find
from benchmarks.fault_injections import Injections
from benchmarks.fault_kinds import (
    DUPLICATE,
    KILLED_SCHEDULER,
    KILLED_TRIGGERER,
    KILLED_WORKER,
    RESTARTED_SANDBOX,
)
from benchmarks.fault_processes import Machines
from benchmarks.fault_rounds import Rounds
from benchmarks.fault_waves import Wave, fault_project
from demo.celery_stack import WORKERS, CeleryStack
from demo.stack_client import StackClient, round_dag

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack"), pytest.mark.short_form]

FAULTS = 10
MOST_WAVES = 3  # a machine that is quick may be through with its rounds before all faults had their turn
KINDS = [
    "throttling by Ground Truth",
    "500s of S3",
    KILLED_TRIGGERER,
    "a job is made and the answer lost",
    KILLED_WORKER,
    DUPLICATE,
    "throttling by S3",
    KILLED_SCHEDULER,
    "500s of Ground Truth",
    RESTARTED_SANDBOX,
]


def test_ten_faults(quiet_stack: StackClient) -> None:
    begin = time.monotonic()

    def say(text: str) -> None:  # pytest shows it when the test fails
        sys.stdout.write(f"{time.monotonic() - begin:6.1f} s  {text}\n")

    stack = quiet_stack.stack
    assert isinstance(stack, CeleryStack)
    rounds = Rounds(quiet_stack, say)
    injections = Injections(quiet_stack, rounds, Random(5), say)
    project = fault_project(quiet_stack, "faults", selection={"max_images": 6})
    machines, waiting, waves = Machines(stack, injections), deque(KINDS), 0
    strikes = injections.strikes
    while waves < MOST_WAVES and (strikes.total < FAULTS or not strikes.of(KILLED_WORKER)):
        waves += 1
        wave = Wave(
            f"w{waves}",
            [project],
            machines,
            waiting,
            pause=(1, 3),
            stalled_seconds=2,
            kill_publishing=False,
        )
        wave.run(seconds=600)
    assert strikes.total >= FAULTS, strikes
    created = created_jobs(stack.sandbox_url)
    found = find(quiet_stack.storage, created, rounds.projects, rounds.keys)
    assert found.is_clean, found
    assert (found.rounds, found.images_lost, found.created_twice) == (2 * waves, 0, 0)
    # more than one machine: rounds of two jobs ran over both workers, one of which was killed at work
    assert found.planned >= 2 * found.rounds
    assert strikes.of(KILLED_WORKER) >= 1
    for worker in WORKERS:
        log = (stack.airflow_home / f"{worker}.log").read_text()
        assert f"dag_id='{round_dag(project)}'" in log, f"{worker} ran no task of these rounds"
