"""The fault bench in short: two rounds at once, over ten faults; nothing is lost, nothing is paid twice."""

from __future__ import annotations

import sys
import time
from collections import deque

import pytest

from benchmarks.fault_findings import find
from benchmarks.fault_waves import Wave, fault_project, new_injections
from demo.stack_client import StackClient

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]


def test_ten_faults(quiet_stack: StackClient) -> None:
    begin = time.monotonic()

    def say(text: str) -> None:  # pytest shows it when the test fails
        sys.stdout.write(f"{time.monotonic() - begin:6.1f} s  {text}\n")

    injections = new_injections(quiet_stack, seed=5, say=say)
    project = fault_project(quiet_stack, "faults")
    waiting = deque(
        ["throttling", "triggerer", "server errors", "worker", "S3 errors", "again", "sandbox", "scheduler"]
    )
    wave = Wave(1, [project], injections, waiting, pause=(2, 5), stalled_seconds=3, kill_publishing=False)
    wave.run(seconds=600)
    assert sum(injections.struck.values()) >= 10, injections.struck
    found = find(quiet_stack, injections.rounds.projects, injections.rounds.keys)
    assert found.is_clean, found
    assert (found.rounds, found.images_lost, found.created_twice) == (2, 0, 0)
