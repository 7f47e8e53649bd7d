"""Follow Airflow runs: say which task does what and how many objects are labeled, until the run ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from demo.airflow_api import FINISHED, AirflowApi, TaskState

POLL_SECONDS = 1.5


class RunFailedError(Exception):
    """A Dag run failed or took too long; the message names the task and ends with the lines of its log."""


class RunWatcher:
    """Watches runs; ``check`` is called at each look and raises when a process has died."""

    def __init__(
        self, api: AirflowApi, sagemaker: Any, say: Callable[[str], None], check: Callable[[], None]
    ) -> None:
        self.api = api
        self.sagemaker = sagemaker
        self.say = say
        self.check = check

    def follow(self, dag_id: str, run_id: str, seconds: float = 900) -> list[TaskState]:
        """Wait for the end of a run; returns its tasks.

        :raises RunFailedError: when a task failed, with the end of its log, or when time is over.
        """
        shown: dict[str, str | None] = {}
        labeled: dict[str, str] = {}
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            tasks = self.api.tasks(dag_id, run_id)
            self._show_tasks(dag_id, tasks, shown)
            self._show_labeling(labeled)
            state = self.api.run_state(dag_id, run_id)
            if state == "success":
                tasks = self.api.tasks(dag_id, run_id)
                self._show_tasks(dag_id, tasks, shown)
                return tasks
            if state == "failed":
                raise RunFailedError(self._explain(dag_id, run_id))
            if time.monotonic() > deadline:
                raise RunFailedError(
                    f"{dag_id} did not end within {seconds:.0f} seconds.\n{self._explain(dag_id, run_id)}"
                )
            time.sleep(POLL_SECONDS)

    def wait_for_run(self, dag_id: str, known: set[str], seconds: float = 120) -> str:
        """Wait until a run starts that was not known before; returns its id.

        :raises RunFailedError: when none starts in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            new = [run["dag_run_id"] for run in self.api.runs(dag_id) if run["dag_run_id"] not in known]
            if new:
                return str(new[-1])
            time.sleep(POLL_SECONDS)
        raise RunFailedError(f"{dag_id} did not start within {seconds:.0f} seconds after its labels changed.")

    def _show_tasks(self, dag_id: str, tasks: list[TaskState], shown: dict[str, str | None]) -> None:
        for task in tasks:
            if task.state is None or shown.get(task.name) == task.state:
                continue
            shown[task.name] = task.state
            if task.state in FINISHED | {"running", "deferred", "up_for_retry"}:
                self.say(f"{dag_id}  {task.name}: {task.state.replace('_', ' ')}")

    def _show_labeling(self, shown: dict[str, str]) -> None:
        jobs = self.sagemaker.list_labeling_jobs(StatusEquals="InProgress")["LabelingJobSummaryList"]
        for job in jobs:
            counters = job["LabelCounters"]
            done = counters["TotalLabeled"]
            total = done + counters["Unlabeled"] + counters["FailedNonRetryableError"]
            text = f"{job['LabelingJobName']}: people have labeled {done} of {total} images"
            if shown.get(job["LabelingJobName"]) != text:
                shown[job["LabelingJobName"]] = text
                self.say(text)

    def _explain(self, dag_id: str, run_id: str) -> str:
        tasks = self.api.tasks(dag_id, run_id)
        failed = [task for task in tasks if task.state == "failed"] or [
            task for task in tasks if task.state not in FINISHED
        ]
        if not failed:
            return f"{dag_id} run {run_id} failed without a failed task."
        first = failed[0]
        log = self.api.log_tail(dag_id, run_id, first)
        return f"Task {first.name} of {dag_id} ({run_id}) is {first.state}. The end of its log:\n{log}"
