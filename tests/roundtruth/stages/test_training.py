"""A published version handed to a training command: pulled, verified, run, ended."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from roundtruth.errors import DatasetError, ProjectError, TrainingError
from roundtruth.project import Project
from roundtruth.stages.dataset_release import assemble, publish
from roundtruth.stages.training import run_command, train
from roundtruth.storage import Storage
from tests.memory_store import memory_storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round

BOXES = {f"{number}.jpg": [("pen", 10, 10, 20, 20)] for number in range(6)}


@pytest.fixture(scope="module")
def storage() -> Storage:
    """With one version of two rounds' worth of images."""
    made, project = memory_storage(), project_with()
    put_round(made, project, "r1", BOXES)  # type: ignore[arg-type]  # ints are floats here
    candidate = assemble(made, project)
    assert candidate is not None
    publish(made, project, candidate)
    return made


def project_with(**training: Any) -> Project:
    return project_in(
        "bucket", dataset={"name": "pens", "formats": ["yolo"], "layout": "packed"}, training=training
    )


def script(code: str) -> list[str]:
    """A Python program as a command; braces of its own are doubled."""
    return [sys.executable, "-c", code.replace("{", "{{").replace("}", "}}")]


def test_without_a_command_the_version_is_verified_and_shown(storage: Storage, caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        trained = train(storage, project_with())
    assert (trained["version"], trained["images"], trained["boxes"], trained["command"]) == (
        "v0001",
        6,
        6,
        [],
    )
    assert "pens@v0001 verified" in caplog.text
    assert "dry run" in caplog.text


def test_the_command_gets_a_verified_folder(storage: Storage, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    code = (
        "import json, os, sys; from pathlib import Path;"
        f"Path({str(seen)!r}).write_text(json.dumps([sys.argv[1:], os.getcwd(), sorted(os.listdir())]))"
    )
    command = [*script(code), "{dataset}", "{version}", "data={folder}/data.yaml"]
    trained = train(storage, project_with(command=command, folder=str(tmp_path / "work")), "v0001")
    folder = tmp_path / "work" / "pens"
    arguments, where, files = json.loads(seen.read_text())
    assert arguments == ["pens", "v0001", f"data={folder}/data.yaml"]
    assert Path(where) == folder
    assert {"data.yaml", "images", "labels", "version.json"} <= set(files)
    assert trained["command"][-3:] == arguments


def test_a_temporary_folder_is_removed(storage: Storage, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    train(storage, project_with(command=script("import os; assert os.path.exists('data.yaml')")))
    assert list(tmp_path.iterdir()) == []


def test_the_command_sees_none_of_airflow_s_secrets(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    monkeypatch.setenv("WANDB_PROJECT", "pens")
    code = (
        "import os; assert os.environ['WANDB_PROJECT'];"
        "assert not [n for n in os.environ if n.startswith('AIRFLOW')]"
    )
    run_command([sys.executable, "-c", code], tmp_path)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["/no/such/program"], "cannot be started"),
        (
            [sys.executable, "-c", "print('epoch 1'); raise SystemExit(3)"],
            r"ended with code 3\. Its last lines:\nepoch 1",
        ),
    ],
    ids=["no program", "it fails"],
)
def test_a_command_that_fails_says_so(tmp_path: Path, command: list[str], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        run_command(command, tmp_path)


@pytest.mark.parametrize(
    "last",
    ["below.wait()", "", "signal.pause()"],
    ids=["waits for what it started", "is over before it", "ignores the signal to end"],
)
def test_ending_the_task_ends_the_command_and_what_it_started(
    tmp_path: Path, monkeypatch: Any, last: str
) -> None:
    """What it started holds its output, so the task goes on as long as that does."""
    monkeypatch.setattr("roundtruth.stages.training._STOP_SECONDS", 0.5)
    pids = tmp_path / "pids"
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if last == "signal.pause()" else ""
    child = (
        f"import os, signal, subprocess, sys; {ignore}"
        "below = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{below.pid}}');"
        f"print('ready', flush=True); {last}"
    )

    def end_me() -> None:
        while not pids.exists() or len(pids.read_text().split()) < 2:
            time.sleep(0.02)
        if not last:
            ended(int(pids.read_text().split()[0]))
        os.kill(os.getpid(), signal.SIGALRM)

    def over(*_: object) -> None:
        raise TimeoutError("the task's time limit")

    before = signal.signal(signal.SIGALRM, over)
    try:
        threading.Thread(target=end_me, daemon=True).start()
        with pytest.raises(TimeoutError):
            run_command([sys.executable, "-c", child], tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    for pid in map(int, pids.read_text().split()):
        ended(pid)


def ended(pid: int) -> None:
    """Wait until a process is over."""
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} runs on"
        time.sleep(0.02)


def test_a_version_that_is_not_there_is_named(storage: Storage) -> None:
    with pytest.raises(DatasetError, match="v0009"):
        train(storage, project_with(), "v0009")


def test_a_project_without_training_says_what_to_add(storage: Storage) -> None:
    with pytest.raises(ProjectError, match="has no `training`"):
        train(storage, project_in("bucket"))
