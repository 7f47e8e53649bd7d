"""Start and stop the sandbox and Airflow's processes on loopback, with a state folder that outlives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from demo.processes import free_port, is_free, kill_trees, stop_groups
from demo.running_stack import forget, read_running, remember
from demo.secrets_file import secret

ROOT = Path(__file__).resolve().parents[1]
# Without their log servers, which listen on all addresses: logs are files of this machine here.
AIRFLOW_COMPONENTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}


TITLES = {"sandbox": "the sandbox (S3 and Ground Truth)"} | {
    name: f"Airflow's {name}" for name in AIRFLOW_COMPONENTS
}


class StackError(Exception):
    """A process of the stack did not start or died; the message holds the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Where the stack keeps its state and what it serves; port 0 takes a free one.

    ``environment`` is put over what the stack sets itself: a test's shorter time-outs.
    """

    state: Path
    projects: Path
    api_port: int = 0
    sandbox_port: int = 0
    sandbox_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Stack:
    """The running processes. Use as a context manager, or keep it running and stop it with ``stop_stack``."""

    settings: StackSettings
    api_port: int = 0
    sandbox_port: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    orphans: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api_port = self.settings.api_port or free_port()
        self.sandbox_port = self.settings.sandbox_port or free_port()

    @property
    def api_url(self) -> str:
        """Address of Airflow's web UI and REST API."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def sandbox_url(self) -> str:
        """Address of S3 and Ground Truth."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own folder."""
        return self.settings.state / "airflow"

    def environment(self) -> dict[str, str]:
        """The environment of every process: the same variables that docker-compose.yaml sets."""
        return self._own_environment() | dict(self.settings.environment)

    def commands(self) -> dict[str, list[str]]:
        """The command of each process, in the order in which they start."""
        sandbox = [
            *(sys.executable, "-m", "roundtruth.sandbox"),
            *("--port", str(self.sandbox_port), "--state", str(self.settings.state / "sandbox")),
            *self.settings.sandbox_options,
        ]
        airflow = {name: ["airflow", name, *options] for name, options in AIRFLOW_COMPONENTS.items()}
        return {"sandbox": sandbox} | airflow

    def _own_environment(self) -> dict[str, str]:
        home = self.airflow_home
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW", "AWS_", "ROUNDTRUTH_"))
        }
        return inherited | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT / "include"),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "30",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.api_url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.api_port),
            "AIRFLOW__API__BASE_URL": self.api_url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secret(home / "jwt-secret"),
            "AIRFLOW__API__SECRET_KEY": secret(home / "api-secret"),
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "false",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            # Parsing takes seconds of CPU, and only a change of the projects makes another Dag.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            # A worker may notice only at its next heartbeat that a task's process is gone (default: 5 s). By
            # then a short wait can be over, and the scheduler takes the first exit for the second.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "true",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(_connection(self.sandbox_url)),
            "ROUNDTRUTH_PROJECTS": str(self.settings.projects),
            "GX_ANALYTICS_ENABLED": "false",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def start(self, say: Callable[[str], None]) -> None:
        """Start everything and wait until it answers.

        :raises StackError: when a process does not come up, a port is taken, or the stack runs already: two
            of them in one state folder would work on the same database.
        """
        self.refuse_if_running()
        self.airflow_home.mkdir(parents=True, exist_ok=True)
        for name, port in (("API_PORT", self.api_port), ("SANDBOX_PORT", self.sandbox_port)):
            if not is_free(port):
                raise StackError(f"Port {port} is taken; choose another with {name}=…")
        self._start_servers(say)
        say("preparing Airflow's database")
        self._run_once("database", ["airflow", "db", "migrate"])
        for name in self.commands():
            say(f"starting {TITLES.get(name, name)}")
            self.start_process(name)
            if name == "sandbox":
                self.wait_for("sandbox", f"{self.sandbox_url}/_sandbox/health")
        self.wait_for("api-server", f"{self.api_url}/api/v2/monitor/health")

    def start_process(self, name: str) -> None:
        """Start one of the stack's processes, again after it was killed; does not wait until it answers."""
        self._spawn(name, self.commands()[name])

    def kill_process(self, name: str, *, with_tasks: bool = True) -> None:
        """End a process as a power cut would; without the tasks it runs, these live on as orphans."""
        process = self.processes.pop(name)
        if with_tasks:
            kill_trees([process.pid])
        else:
            self.orphans += psutil.Process(process.pid).children(recursive=True)
            process.kill()
        process.wait()
        self._write_down()

    def refuse_if_running(self) -> None:
        """Make sure that no other stack works in this state folder.

        :raises StackError: when one does.
        """
        if read_running(self.settings.state):
            raise StackError(
                f"A stack runs in {self.settings.state} already, or an earlier one was killed; "
                "stop it with `make down`."
            )

    def check(self) -> None:
        """Make sure that every process still runs.

        :raises StackError: naming the one that died.
        """
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} ended with exit code {process.returncode}.\n{self.log_tail(name)}")

    def stop(self) -> None:
        """Stop all processes and what they started."""
        stop_groups([process.pid for process in reversed(self.processes.values())])
        for process in self.processes.values():
            process.wait()
        for orphan in self.orphans:
            if orphan.is_running():
                orphan.kill()
        self.processes.clear()
        self.orphans.clear()
        forget(self.settings.state)

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def log_tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a process's log."""
        path = self._log(name)
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _start_servers(self, say: Callable[[str], None]) -> None:
        """Start what Airflow's own database needs; nothing for SQLite."""

    def _process_options(self, name: str) -> dict[str, Any]:
        """What ``Popen`` is told about one process."""
        return {"cwd": self.settings.state, "env": self.environment()}

    def _spawn(self, name: str, command: list[str]) -> None:
        with self._log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: Ctrl-C reaches the demo alone, which stops it
                **self._process_options(name),
            )
        self._write_down()

    def _write_down(self) -> None:
        # At once: `make down` finds them also when this process is killed.
        remember(self.settings.state, [process.pid for process in self.processes.values()])

    def _run_once(self, name: str, command: list[str]) -> None:
        self._spawn(name, command)
        process = self.processes[name]
        if process.wait() != 0:
            raise StackError(f"{' '.join(command)} failed.\n{self.log_tail(name)}")
        del self.processes[name]

    def wait_for(self, name: str, url: str, seconds: float = 120) -> None:
        """Wait until an address of a process answers.

        :raises StackError: when it does not in time, or a process died.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if answers(url):
                return
            time.sleep(0.3)
        raise StackError(f"{name} did not answer within {seconds:.0f} seconds.\n{self.log_tail(name)}")

    def _log(self, name: str) -> Path:
        return self.airflow_home / f"{name}.log"


def answers(url: str) -> bool:
    """Whether an address answers with success."""
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310  # loopback address of our own
            return bool(200 <= response.status < 300)
    except (URLError, OSError):
        return False


def _connection(sandbox_url: str) -> dict[str, object]:
    return {
        "conn_type": "aws",
        "login": "sandbox",
        "password": "sandbox",
        "extra": {
            "region_name": "us-east-1",
            "service_config": {
                "s3": {"endpoint_url": sandbox_url},
                "sagemaker": {"endpoint_url": sandbox_url},
            },
        },
    }
