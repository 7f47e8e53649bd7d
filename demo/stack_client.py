"""What a person does at a running stack: add a project, upload photos, start runs, clear what failed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any
from urllib.request import Request, urlopen

import boto3
import yaml
from PIL import Image

from demo.airflow_api import AirflowApi, TaskState
from demo.project_files import PENS
from demo.stack import Stack
from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.sandbox.constants import BUCKET, REGION
from roundtruth.sandbox.truth import TrueBox, Truth, encode_truth, truth_uri
from roundtruth.storage import ObjectUri, Storage

ENDED = frozenset({"success", "failed"})
POLL_SECONDS = 1.0
PERSON = "person"  # the access key id of all calls from here; Airflow's connection has another
DAGS_SECONDS = 300.0  # to parse a new project: a second or two, on a busy machine a minute


@dataclass(frozen=True)
class StackClient:
    """A stack with Airflow's REST API, its command line, S3 and Ground Truth at hand."""

    stack: Stack

    @cached_property
    def api(self) -> AirflowApi:
        """Airflow's REST API, logged in."""
        api = AirflowApi(self.stack.api_url, self.stack.airflow_home)
        api.log_in()
        return api

    @cached_property
    def storage(self) -> Storage:
        """The sandbox's S3."""
        return Storage.from_session(self._session, endpoint_url=self.stack.sandbox_url)

    @cached_property
    def sagemaker(self) -> Any:
        """The sandbox's Ground Truth."""
        return self._session.client("sagemaker", endpoint_url=self.stack.sandbox_url)

    def add_project(self, name: str, *, paused: bool = False, **changes: Any) -> Project:
        """Write a project file, wait for its two Dags and switch them on.

        It is the shipped project in a root of its own and without a schedule, made quick: few workers, no
        relabel pass, no near-duplicate check. ``changes`` overwrite it, a section at a time by its keys:
        ``labeling={"max_objects_per_job": 5}``.
        """
        content = _quick_project(name)
        for key, value in changes.items():
            merged = content.get(key)
            content[key] = merged | value if isinstance(merged, dict) and isinstance(value, dict) else value
        folder = self.stack.settings.projects
        folder.mkdir(parents=True, exist_ok=True)
        # Not *.yaml until it is whole: the Dag processor may read the folder at any moment.
        part = folder / f"{name}.part"
        part.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
        path = part.rename(folder / f"{name}.yaml")
        project = load_project(path)
        dags = {round_dag(project), release_dag(project)}
        self.api.reparse()
        self.api.wait_for_dags(dags, seconds=DAGS_SECONDS)
        for dag_id in sorted(dags) if not paused else ():
            self.api.set_paused(dag_id, False)
        return project

    def upload_images(self, project: Project, count: int, *, start: int = 0, folder: str = "") -> list[str]:
        """Put small photos, no two alike, with what workers shall see on them; returns their URIs, sorted."""
        uris = [project.images_uri / f"{folder}{number:05d}.png" for number in range(start, start + count)]
        files = []
        for number, uri in enumerate(uris, start):
            files.append((ObjectUri.parse(truth_uri(str(uri))), encode_truth(_truth(number))))
            files.append((uri, _photo(number)))
        self.storage.write_many(files)
        return [str(uri) for uri in uris]

    def wait_for_end(
        self, dag_id: str, run_id: str, *, seconds: float, check: Callable[[], None] = lambda: None
    ) -> str:
        """Wait until a run has ended; returns its state, ``success`` or ``failed``.

        :raises TimeoutError: when it takes longer, with the states of its tasks.
        """
        deadline = time.monotonic() + seconds
        while (state := self.api.run_state(dag_id, run_id)) not in ENDED:
            check()
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{dag_id} {run_id} is {state} after {seconds:.0f} s: {self._tasks(dag_id, run_id)}"
                )
            time.sleep(POLL_SECONDS)
        return state

    def run_round(self, project: Project, key: str, *, seconds: float = 300) -> str:
        """Start a round by hand and wait for its end; returns the id of its run.

        :raises RuntimeError: when it failed, with the log of the task that did.
        """
        dag_id = round_dag(project)
        run_id = self.api.trigger(dag_id, partition_key=key)
        if self.wait_for_end(dag_id, run_id, seconds=seconds) == "failed":
            raise RuntimeError(self.explain(dag_id, run_id))
        return run_id

    def failed_tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """The tasks that Airflow shows as failed; those that only wait for them are not among these."""
        return [task for task in self.api.tasks(dag_id, run_id) if task.state == "failed"]

    def explain(self, dag_id: str, run_id: str) -> str:
        """Each failed task of a run with the end of its log."""
        return "\n".join(
            f"{dag_id} {task.name}:\n{self.api.log_tail(dag_id, run_id, task)}"
            for task in self.failed_tasks(dag_id, run_id)
        )

    def put_faults(self, plan: dict[str, Any]) -> None:
        """Put a fault plan of the sandbox in force (``sandbox/faults.py``); ``{}`` takes all faults back."""
        address = f"{self.stack.sandbox_url}/_sandbox/faults"
        request = Request(address, json.dumps(plan).encode(), method="POST")  # noqa: S310  # loopback
        urlopen(request, timeout=30).close()  # noqa: S310  # loopback

    def airflow(self, *arguments: str, seconds: float = 120) -> str:
        """Run an ``airflow`` command in the stack's environment; returns what it printed.

        :raises RuntimeError: when it fails, with what it said.
        """
        done = subprocess.run(
            ["airflow", *arguments],
            cwd=self.stack.settings.state,
            env=self.stack.environment(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed.\n{done.stdout}{done.stderr}")
        return done.stdout

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            aws_access_key_id=PERSON,
            aws_secret_access_key="sandbox",  # noqa: S106  # the sandbox takes any
            region_name=REGION,
        )

    def _tasks(self, dag_id: str, run_id: str) -> str:
        return ", ".join(f"{task.name} {task.state}" for task in self.api.tasks(dag_id, run_id))


def round_dag(project: Project) -> str:
    """The id of the Dag of a project's rounds."""
    return f"{project.project}_labeling_round"


def release_dag(project: Project) -> str:
    """The id of the Dag of a project's releases."""
    return f"{project.project}_dataset_release"


def _quick_project(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    content |= {"project": name, "schedule": None, "root": f"s3://{BUCKET}/{name}", "budget_usd": None}
    content["images"] |= {"settle_seconds": 0, "wait_minutes": 0.1}
    content["labeling"] |= {"workers_per_object": 2, "poll_seconds": 2}
    content["consensus"] |= {"relabel_passes": 0}
    content["quality"] = {"near_duplicates": False}
    content["dataset"] |= {"name": name, "formats": ["yolo"]}
    return content


def _photo(number: int) -> bytes:
    content = BytesIO()
    color = (number % 256, number // 256 % 256, 150)
    Image.new("RGB", (320, 240), color).save(content, "PNG")
    return content.getvalue()


def _truth(number: int) -> Truth:
    """One to three boxes, apart from each other."""
    boxes = tuple(
        TrueBox(
            label=("pencil", "pen")[place % 2], left=20 + 95 * place, top=30 + 60 * place, width=70, height=50
        )
        for place in range(1 + number % 3)
    )
    return Truth(width=320, height=240, objects=boxes)
