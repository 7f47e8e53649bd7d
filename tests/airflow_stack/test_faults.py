"""The fault bench in short: rounds that overlap, over ten faults; nothing is lost, nothing is paid twice."""

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
from demo.celery_stack import CeleryStack
from demo.stack_client import StackClient

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]

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
    wave = Wave(
        "w1",
        [project],
        Machines(stack, injections),
        deque(KINDS),
        pause=(1, 3),
        stalled_seconds=2,
        kill_publishing=False,
    )
    wave.run(seconds=600)
    assert injections.strikes.total >= 10, injections.strikes
    created = created_jobs(stack.sandbox_url)
    found = find(quiet_stack.storage, created, rounds.projects, rounds.keys)
    assert found.is_clean, found
    assert (found.rounds, found.images_lost, found.created_twice) == (2, 0, 0)
