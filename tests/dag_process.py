"""Dags run for real in a process that starts as Airflow's own do: `dag.test()` on a database of its own.

Every task runs its own code, deferred ones their triggers; only the scheduler is missing, and with it assets
that start Dags. Questions to people are answered over Airflow's REST API.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MARK = "DAG RUN "  # before an answer of the process; everything else it prints is log
LOG_LINES = 300
ANSWER_SECONDS = 900.0  # a busy machine takes minutes to get there


@dataclass(frozen=True, kw_only=True)
class DagRun:
    """How a run ended: its state, the states of its tasks (of mapped ones all), the question it asked."""

    state: str
    tasks: dict[str, list[str]]
    question: dict[str, Any] | None


@dataclass(frozen=True)
class DagProcess:
    """The process; one run after the other."""

    process: subprocess.Popen[str]
    told: deque[str]  # the last lines of its log

    def run(
        self, dag_id: str, conf: Mapping[str, Any] | None = None, answer: Mapping[str, str] | None = None
    ) -> DagRun:
        """Run a Dag to its end.

        :param answer: ``option`` and ``why``, for a question to a person.
        """
        assert self.process.stdin is not None
        asked = {"dag_id": dag_id, "conf": dict(conf or {}), "answer": dict(answer) if answer else None}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(MARK):
                return DagRun(**json.loads(line.removeprefix(MARK)))
            self.told.append(line)
        raise RuntimeError(f"The process of the Dags has ended:\n{self.log}")

    @property
    def log(self) -> str:
        """The last lines of its log."""
        return "".join(self.told)


@contextmanager
def dag_process(home: Path, projects: Path, connection: str) -> Iterator[DagProcess]:
    """A process that knows the Dags of these projects.

    :param home: a folder for Airflow's database and logs.
    :param connection: ``aws_default``, as JSON.
    """
    home.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.dag_process"],
        cwd=ROOT,
        env=_environment(home, projects) | {"AIRFLOW_CONN_AWS_DEFAULT": connection},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield DagProcess(process, deque(maxlen=LOG_LINES))
    finally:
        process.kill()
        process.communicate()


def _environment(home: Path, projects: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-one-test",
        "ROUNDTRUTH_PROJECTS": str(projects),
    }


def _serve() -> None:
    """Read what to run from standard input, a line each, and print how it ended."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag(str(ROOT / "dags"))
    for line in sys.stdin:
        asked = json.loads(line)
        dag = bag.dags[asked["dag_id"]]
        found: dict[str, Any] = {}
        if asked["answer"]:
            answering = threading.Thread(
                target=_answer, args=(asked["dag_id"], asked["answer"], found), daemon=True
            )
            answering.start()
        run = dag.test(run_conf=asked["conf"])
        tasks: dict[str, list[str]] = {}
        for task in run.get_task_instances():
            tasks.setdefault(task.task_id, []).append(str(task.state))
        ended = {"state": str(run.state), "tasks": tasks, "question": found.get("question")}
        sys.stdout.write(f"\n{MARK}{json.dumps(ended)}\n")
        sys.stdout.flush()


def _answer(dag_id: str, answer: Mapping[str, str], found: dict[str, Any]) -> None:
    """Wait for the question of a run, and answer it as the web UI does."""
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    app = create_app(apps="core")
    user = SimpleAuthManagerUser(username="ada", role="admin")
    headers = {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    client = TestClient(app, headers=headers)
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.5)
        answered = client.get(f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails")
        # An answer that comes before the task is parked is kept, but wakes nobody (no person is as quick).
        open_ones = [
            one
            for one in answered.json()["hitl_details"]
            if not one["response_received"] and one["task_instance"]["state"] == "awaiting_input"
        ]
        if not open_ones:
            continue
        found["question"] = open_ones[0]
        task = open_ones[0]["task_instance"]
        client.patch(
            f"/api/v2/dags/{dag_id}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
            f"/{task['map_index']}/hitlDetails",
            json={"chosen_options": [answer["option"]], "params_input": {"why": answer["why"]}},
        ).raise_for_status()
        return


if __name__ == "__main__":
    _serve()
