"""Run a labeling round and its release in Airflow, as a person would start them, and fetch what they made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
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
from roundtruth.datasets.versions import VersionRecord, newest_version
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder, rounds_folder
from roundtruth.rounds.record import read_record
from roundtruth.storage import Storage


class NothingPublishedError(Exception):
    """A round was labeled, but its labels changed nothing in the dataset; the message says why."""


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
    def sagemaker(self) -> Any:
        """The sandbox's Ground Truth."""
        return self._session.client("sagemaker", endpoint_url=self.stack.sandbox_url)

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

    def run(self) -> str | None:
        """Run a round by hand and wait for its release; returns its key, None when there was nothing new.

        What an earlier demo left unfinished (it was stopped, or failed) is finished first: a run that Airflow
        went on with is followed instead of starting another.

        :raises RunFailedError: when a task fails.
        :raises NothingPublishedError: when the round was recorded and no version came of it.
        """
        self.unpause()
        watcher = RunWatcher(self.api, self.sagemaker, self.say, self.stack.check)
        released = {run["dag_run_id"] for run in self.api.runs(self.release_dag)}
        round_key = self._next_round()
        run_id = self._unfinished(self.round_dag, round_key)
        self.say(f"{'going on with' if run_id else 'starting'} round {round_key}")
        watcher.follow(self.round_dag, run_id or self.api.trigger(self.round_dag, partition_key=round_key))
        recorded = read_record(self.storage, round_folder(self.project, round_key))
        waiting = self._unreleased_round()
        if waiting is None:
            return None
        release_id = self._unfinished(self.release_dag, waiting)
        if release_id is None and recorded is not None:
            release_id = watcher.wait_for_run(self.release_dag, released)
        if release_id is None:
            self.say(f"releasing round {waiting}, which an earlier demo left unreleased")
            release_id = self.api.trigger(self.release_dag, partition_key=waiting)
        watcher.follow(self.release_dag, release_id)
        if self._unreleased_round() == waiting:
            record = read_record(self.storage, round_folder(self.project, waiting))
            counts = (
                ", ".join(f"{status} {count}" for status, count in record.counts.items()) if record else "?"
            )
            raise NothingPublishedError(
                f"Round {waiting} brought no label that changes the dataset ({counts}); "
                f"why, by image: {round_folder(self.project, waiting).images}."
            )
        return waiting

    def pull(self, target: Path) -> str | None:
        """Fetch the newest version to a folder, unless it holds that already; returns its name if fetched.

        :raises NothingPublishedError: when the folder holds something else than a dataset.
        """
        newest = newest_version(self.storage, dataset_folder(self.project))
        if newest is None or self._holds(target, newest):
            return None
        if target.exists() and any(target.iterdir()) and not (target / "version.json").exists():
            raise NothingPublishedError(f"{target} is no dataset of a demo; empty it or name another.")
        shutil.rmtree(target, ignore_errors=True)
        pull_version(self.storage, self.project.root_uri, newest.dataset, newest.version, target)
        self.say(f"pulled {newest.dataset}@{newest.version} to {target}")
        return newest.version

    def print_summary(
        self, console: Console, round_key: str | None, pulled: Path, replayed: Path | None
    ) -> None:
        """Print what a round, or the last one of the newest version, brought, and what that version holds."""
        newest = newest_version(self.storage, dataset_folder(self.project))
        if newest is not None:
            key = round_key or newest.rounds[-1]
            print_summary(console, self.storage, self.project, key, newest, pulled, replayed)

    def _holds(self, target: Path, newest: VersionRecord) -> bool:
        path = target / "version.json"
        if not path.exists():
            return False
        there = json.loads(path.read_text())
        return (there["dataset"], there["version"]) == (newest.dataset, newest.version)

    def _unfinished(self, dag_id: str, partition_key: str) -> str | None:
        """A run of this partition that an earlier demo left and that Airflow goes on with."""
        for run in reversed(self.api.runs(dag_id)):
            if run["partition_key"] == partition_key and run["state"] in {"queued", "running"}:
                return str(run["dag_run_id"])
        return None

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
