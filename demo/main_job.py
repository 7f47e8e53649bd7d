"""Run a labeling round and its release in Airflow, as a person would start them, and fetch what they made."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console

from demo.airflow_api import AirflowApi
from demo.stack import Stack
from demo.summary import print_summary
from demo.watch import RunWatcher
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.versions import newest_version
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder, rounds_folder
from roundtruth.rounds.record import read_record
from roundtruth.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Made:
    """A round and the version that its release published."""

    round_key: str
    version: dict[str, Any]


class MainJob:
    """The main job of one project on a running stack."""

    def __init__(self, stack: Stack, project: Project, say: Callable[[str], None]) -> None:
        self.stack = stack
        self.project = project
        self.say = say
        self.round_dag = f"{project.project}_labeling_round"
        self.release_dag = f"{project.project}_dataset_release"

    @cached_property
    def storage(self) -> Storage:
        """The sandbox's S3."""
        return Storage.from_session(self._session, endpoint_url=self.stack.sandbox_url)

    @cached_property
    def api(self) -> AirflowApi:
        """Airflow's REST API, logged in."""
        api = AirflowApi(self.stack.api_url, self.stack.airflow_home)
        api.log_in()
        return api

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",  # noqa: S106  # the sandbox takes any
            region_name="us-east-1",
        )

    def unpause(self) -> None:
        """Wait for the Dags and let the scheduler run them."""
        self.api.wait_for_dags({self.round_dag, self.release_dag})
        self.api.set_paused(self.round_dag, False)
        self.api.set_paused(self.release_dag, False)

    def run(self) -> Made | None:
        """Run a round by hand and wait for its release; None when there was nothing new.

        What an earlier demo left unfinished (it was stopped, or failed) is finished first.

        :raises RunFailedError: when a task fails.
        """
        self.unpause()
        sagemaker = self._session.client("sagemaker", endpoint_url=self.stack.sandbox_url)
        watcher = RunWatcher(self.api, sagemaker, self.say, self.stack.check)
        released = {run["dag_run_id"] for run in self.api.runs(self.release_dag)}
        round_key = self._next_round()
        self.say(f"starting round {round_key}")
        tasks = watcher.follow(self.round_dag, self.api.trigger(self.round_dag, partition_key=round_key))
        if any(task.task_id == "record_round" and task.state == "success" for task in tasks):
            release_id = watcher.wait_for_run(self.release_dag, released)
        elif unreleased := self._unreleased_round():
            round_key = unreleased
            self.say(f"releasing round {round_key}, which an earlier demo left unreleased")
            release_id = self.api.trigger(self.release_dag, partition_key=round_key)
        else:
            return None
        watcher.follow(self.release_dag, release_id)
        version = self.api.xcom(self.release_dag, release_id, "publish_version")
        return Made(round_key=round_key, version=version) if version else None

    def pull(self, made: Made, target: Path) -> None:
        """Fetch the published version to a folder, in place of what an earlier demo left there."""
        shutil.rmtree(target, ignore_errors=True)
        dataset = self.project.dataset.name
        pull_version(self.storage, self.project.root_uri, dataset, made.version["version"], target)
        self.say(f"pulled {dataset}@{made.version['version']} to {target}")

    def print_summary(self, console: Console, made: Made, pulled: Path, replayed: Path | None) -> None:
        """Print what was made."""
        print_summary(console, self.storage, self.project, made.round_key, made.version, pulled, replayed)

    def _next_round(self) -> str:
        """demo-1, demo-2, …: the first that is not recorded yet; one that was interrupted goes on."""
        number = 1
        while read_record(self.storage, round_folder(self.project, f"demo-{number}")) is not None:
            number += 1
        return f"demo-{number}"

    def _unreleased_round(self) -> str | None:
        """The newest recorded round that is in no version, if there is one."""
        newest = newest_version(self.storage, dataset_folder(self.project))
        released = set(newest.rounds) if newest else set()
        recorded = [
            key
            for key in self.storage.list_folders(rounds_folder(self.project))
            if read_record(self.storage, round_folder(self.project, key)) is not None
        ]
        return next((key for key in reversed(recorded) if key not in released), None)
