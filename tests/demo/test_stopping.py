"""The demo leaves nothing running: not after Ctrl-C, not after a failure, and it says what failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("demo")]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A folder for the demo's state; whatever still names it at the end of a test is stopped."""
    yield tmp_path / "state"
    for process in processes_of(tmp_path):
        process.kill()


def start_demo(state: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "demo", "run", "--state", str(state)),
            *("--dataset", str(state / "dataset"), *options),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"COLUMNS": "200"},
    )


def processes_of(state: Path) -> list[psutil.Process]:
    """The processes that were started for a state folder: they all work in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(state)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, id="terminated"),
        pytest.param(signal.SIGHUP, 129, id="terminal closed"),
    ],
)
def test_a_stopped_demo_leaves_nothing_running(state: Path, number: signal.Signals, code: int) -> None:
    demo = start_demo(state)
    assert demo.stdout is not None
    for line in demo.stdout:
        if "scheduler" in line:
            break
    time.sleep(2)
    assert len(processes_of(state)) >= 3
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == code
    assert processes_of(state) == []


def test_a_failed_task_is_named_with_its_log(state: Path, tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"jobs": [{"job": "pens-*", "fail": "Nobody is left in the work team."}]}))
    demo = start_demo(state, "--faults", str(faults))
    output, _ = demo.communicate(timeout=900)  # a busy machine takes its time
    assert demo.returncode == 1
    assert "The demo failed." in output
    assert "Task label.run_labeling_job[0] of pens_labeling_round" in output
    assert "Nobody is left in the work team." in output
    assert processes_of(state) == []
