"""docker-compose.yaml's stack without Docker: CeleryExecutor, PostgreSQL, Redis, two workers, on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from demo.database_servers import PostgreSql, Redis
from demo.processes import free_port
from demo.secrets_file import secret
from demo.stack import Stack, StackError

WORKERS = ("worker-1", "worker-2")
SERVER_SECONDS = 60.0
CONCURRENCY = 2  # tasks a worker runs side by side

# What tasks import: a worker that has it before it forks saves each task seconds of CPU, 7 of them for
# great_expectations. It is there for tests and benches, which run many small tasks.
PRELOADED = (
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.amazon.aws.operators.base_aws",
    "airflow.providers.amazon.aws.triggers.base",
    "airflow.sdk.execution_time.task_runner",
    "roundtruth.quality.expectations",
    "roundtruth.quality.gate",
    "roundtruth.stages.dataset_release",
    "roundtruth.stages.image_inspection",
    "roundtruth.stages.labeling_round",
)

# For tests and benches: how soon Airflow notices that a process is gone, and tries again. The defaults are
# minutes.
IMPATIENT = {
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "3",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    # A task that a killed worker had taken from the queue and not begun; a busy machine may be as slow.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "45",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": json.dumps({"imports": PRELOADED}),
    # A project that is added is parsed on request, see StackClient.add_project.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
}


@dataclass
class CeleryStack(Stack):
    """Airflow on two Celery workers, which share nothing but the database, the broker and S3.

    Each worker has its own folder for temporary files and to work in, removed with it: a task that relied on
    a local file of another task would fail here.
    """

    database_port: int = 0
    broker_port: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.database_port = self.database_port or free_port()
        self.broker_port = self.broker_port or free_port()

    def running_tasks(self, worker: str) -> int:
        """How many tasks a worker runs: each is a process below one of its pool, and is nobody's but its."""
        process = self.processes.get(worker)
        if process is None:
            return 0
        try:
            pool = psutil.Process(process.pid).children()
            return sum(bool(one.children()) for one in pool)
        except psutil.NoSuchProcess:
            return 0

    @property
    def database(self) -> PostgreSql:
        """Airflow's database, which holds Celery's results too."""
        password = secret(self.airflow_home / "postgres-password")
        return PostgreSql(state=self.settings.state, port=self.database_port, password=password)

    @property
    def broker(self) -> Redis:
        """Celery's queue."""
        password = secret(self.airflow_home / "redis-password")
        return Redis(state=self.airflow_home, port=self.broker_port, password=password)

    def commands(self) -> dict[str, list[str]]:
        """The command of each process, in the order in which they start."""
        # Without gossip and mingle a worker does not wait for others at its start.
        workers = {
            name: [
                *("airflow", "celery", "worker", "--celery-hostname", f"{name}@%h"),
                *("--skip-serve-logs", "--without-gossip", "--without-mingle"),
            ]
            for name in WORKERS
        }
        return super().commands() | workers

    def _own_environment(self) -> dict[str, str]:
        database = self.database
        return super()._own_environment() | {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database.address}",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql://{database.address}",
            "AIRFLOW__CELERY__BROKER_URL": self.broker.url,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(CONCURRENCY),
        }

    def _start_servers(self, say: Callable[[str], None]) -> None:
        say("starting PostgreSQL and Redis")
        for name, server in (("postgres", self.database), ("redis", self.broker)):
            server.prepare()
            self._spawn(name, server.command)
            deadline = time.monotonic() + SERVER_SECONDS
            while not server.is_ready():
                self.check()
                if time.monotonic() > deadline:
                    raise StackError(
                        f"{name} did not answer in {SERVER_SECONDS:.0f} seconds.\n{self.log_tail(name)}"
                    )
                time.sleep(0.2)

    def _process_options(self, name: str) -> dict[str, Any]:
        if name == "postgres":
            return self.database.process_options
        options = super()._process_options(name)
        if name not in WORKERS:
            return options
        folder = self.settings.state / name
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        environment = options["env"] | {"TMPDIR": str(folder / "tmp"), "HOME": str(folder)}
        return {"cwd": folder, "env": environment}
