"""Rounds under faults, and the person who looks after them: clears what Airflow shows as failed, no more."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from demo.airflow_api import TaskState
from demo.stack_client import ENDED, StackClient, release_dag, round_dag
from roundtruth.annotations import PUBLISHABLE
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.versions import newest_version
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.record import read_record

LOOK_SECONDS = 2.0
CLEARS_A_RUN = 12  # more than the faults of a wave can ask for


class NotFinishedError(Exception):
    """Rounds that do not end, or that no clearing of failed tasks brings to an end."""


@dataclass
class Rounds:
    """The rounds of some projects on one stack."""

    client: StackClient
    say: Callable[[str], None]
    projects: dict[str, Project] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)  # project -> its rounds
    cleared: Counter[str] = field(default_factory=Counter)  # task -> times
    _clears: Counter[str] = field(default_factory=Counter)  # run -> times

    def start(self, project: Project, key: str, **conf: Any) -> None:
        """Start a round by hand."""
        self.projects[project.project] = project
        started = self.keys.setdefault(project.project, [])
        if key not in started:
            started.append(key)
        run_id = self.client.api.trigger(round_dag(project), partition_key=key, conf=conf)
        self.say(f"started round {key} of {project.project} ({run_id})")

    def tend(self, projects: Collection[Project]) -> bool:
        """Look once at all runs, clear the failed tasks of those that failed; tells whether all is done.

        :raises NotFinishedError: when a run failed without a failed task, or fails again and again.
        """
        busy = False
        for project in projects:
            for dag_id in (round_dag(project), release_dag(project)):
                for run in self.client.api.runs(dag_id):
                    busy |= run["state"] != "success"
                    if run["state"] == "failed":
                        self._clear(dag_id, run["dag_run_id"])
            busy |= not self._is_released(project)
        return not busy

    def wait(
        self,
        projects: Collection[Project],
        seconds: float,
        *,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Tend the rounds of these projects until all are recorded and released.

        :raises NotFinishedError: when that takes longer.
        """
        deadline = time.monotonic() + seconds
        while not self.tend(projects):
            meanwhile()
            if time.monotonic() > deadline:
                raise NotFinishedError(f"After {seconds:.0f} s not finished: {self._unfinished()}")
            time.sleep(LOOK_SECONDS)

    def unfinished(self, project: Project) -> bool:
        """Whether a run of the project, round or release, is under way."""
        return any(
            run["state"] not in ENDED
            for dag_id in (round_dag(project), release_dag(project))
            for run in self.client.api.runs(dag_id)
        )

    def running(self, project: Project) -> list[str]:
        """The rounds of a project that were started by hand and have a run under way."""
        runs = self.client.api.runs(round_dag(project))
        busy = {run["partition_key"] for run in runs if run["state"] not in ENDED}
        return [key for key in self.keys.get(project.project, ()) if key in busy]

    def has_task(self, project: Project, state: str) -> bool:
        """Whether a task of the project is in some state now."""
        return any(task.state == state for task in self._open_tasks(project))

    def is_running(self, project: Project, task_id: str) -> bool:
        """Whether a task of the project runs now."""
        return any(task.task_id == task_id and task.state == "running" for task in self._open_tasks(project))

    def _open_tasks(self, project: Project) -> Iterator[TaskState]:
        for dag_id in (round_dag(project), release_dag(project)):
            for run in self.client.api.runs(dag_id):
                if run["state"] == "running":
                    yield from self.client.api.tasks(dag_id, run["dag_run_id"])

    def _clear(self, dag_id: str, run_id: str) -> None:
        failed = self.client.failed_tasks(dag_id, run_id)
        if not failed:
            raise NotFinishedError(f"{dag_id} {run_id} failed and Airflow shows no failed task.")
        self._clears[run_id] += 1
        if self._clears[run_id] > CLEARS_A_RUN:
            raise NotFinishedError(
                f"{dag_id} {run_id} still fails after {CLEARS_A_RUN} clears.\n"
                + self.client.explain(dag_id, run_id)
            )
        for task in failed:
            self.cleared[task.task_id] += 1
            why = self.client.api.log_tail(dag_id, run_id, task, lines=3).replace("\n", " | ")
            self.say(f"clearing {dag_id} {task.name}: {why[-300:]}")
        self.client.api.clear(dag_id, run_id, failed)

    def _is_released(self, project: Project) -> bool:
        """Whether the newest version holds every round: a release may start a while after its round.

        A round without a single label brings nothing that could be released.
        """
        newest = newest_version(self.client.storage, dataset_folder(project))
        missing = set(self.keys[project.project]) - set(newest.rounds if newest else ())
        return not any(self._brings_labels(project, key) for key in missing)

    def _brings_labels(self, project: Project, key: str) -> bool:
        record = read_record(self.client.storage, round_folder(project, key))
        return record is None or any(record.counts.get(status) for status in PUBLISHABLE)

    def _unfinished(self) -> str:
        found: list[Any] = []
        for project in self.projects.values():
            for dag_id in (round_dag(project), release_dag(project)):
                for run in self.client.api.runs(dag_id):
                    if run["state"] != "success":
                        tasks = self.client.api.tasks(dag_id, run["dag_run_id"])
                        open_tasks = [
                            f"{task.name} {task.state}" for task in tasks if task.state != "success"
                        ]
                        found.append(f"{dag_id} {run['dag_run_id']} {run['state']}: {', '.join(open_tasks)}")
            newest = newest_version(self.client.storage, dataset_folder(project))
            released = newest.rounds if newest else ()
            found.append(f"{project.project}: rounds {self.keys[project.project]}, released {list(released)}")
        return "\n".join(found)
