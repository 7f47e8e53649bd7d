"""A release that is killed (SIGKILL) before each of its writes, and the process that comes after it.

The sandbox counts the requests that change something; at the n-th it kills the process that sent it and does
not serve it. So every state in which a crash between two writes can leave S3 occurs once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from multiprocessing.context import ForkServerContext
from typing import Any

import pytest

from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.latest import latest_version
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.versions import list_versions, resolve_version
from roundtruth.project import Project
from roundtruth.stages import dataset_release
from roundtruth.storage import Storage
from tests.project_samples import project_content
from tests.roundtruth.datasets import killed_release
from tests.roundtruth.datasets.recorded_rounds import put_round, storage_of

PEN, PENCIL, CRAYON = (
    ("pen", 10.0, 10.0, 20.0, 30.0),
    ("pencil", 50.0, 5.0, 40.5, 12.25),
    ("crayon", 1, 2, 9, 9),
)
FIRST = {"a/one.jpg": [PEN], "b/두 번째 #1.jpg": []}
SECOND = {"a/one.jpg": [PENCIL], "c/new.jpg": [CRAYON, PEN]}
SECONDS = 60  # for one release of three images; far more than it takes
Objects = dict[str, bytes]


class Reaper:
    """The sandbox's S3, which kills a process before its n-th write; other requests go through."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._lock = threading.Lock()
        self._process_known = threading.Event()
        self.pid, self.kill_at, self.writes = 0, 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)

    def begin(self, kill_at: int) -> None:
        """Count the next process's writes from 1; 0 kills nobody."""
        self._process_known.clear()
        self.kill_at, self.writes = kill_at, 0

    def watch(self, pid: int) -> None:
        """This process it is."""
        self.pid = pid
        self._process_known.set()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in {"PUT", "POST", "DELETE"}:
            with self._lock:
                self.writes += 1
                if self.writes == self.kill_at:
                    self._process_known.wait(SECONDS)
                    os.kill(self.pid, signal.SIGKILL)
                    # Nobody is left to read this answer; what matters is that the write is not done.
                    start_response("503 Slow Down", [("Content-Length", "0")])
                    return [b""]
        served: Iterable[bytes] = self._s3(environ, start_response)
        return served

    def objects(self) -> Objects:
        """Everything in the bucket, by key."""
        return {key: self._s3.read(self._bucket, key) for key in self._s3.keys(self._bucket, "")}

    def restore(self, objects: Objects, s3_client: Any) -> None:
        """Take the bucket back to these objects; those that did not change keep their dates."""
        for key, data in objects.items():
            if self._s3.read(self._bucket, key) != data:
                self._s3.write(self._bucket, key, data)
        new = [{"Key": key} for key in self._s3.keys(self._bucket, "") if key not in objects]
        if new:
            s3_client.delete_objects(Bucket=self._bucket, Delete={"Objects": new})


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # pytest: each process would import the main module of its parent anew.
    context.set_forkserver_preload(["pytest", killed_release.__name__])
    return context


@pytest.fixture
def reaper(sandbox: Any, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Reaper:
    watching = Reaper(sandbox._s3, bucket)
    monkeypatch.setattr(sandbox, "_s3", watching)
    return watching


def without_candidates(objects: Objects) -> Objects:
    """Without what one step of a release leaves for the next: nobody else reads it."""
    return {key: data for key, data in objects.items() if "/candidates/" not in key}


def content_of(bucket: str, layout: str, categories: list[str]) -> dict[str, Any]:
    return project_content(
        root=f"s3://{bucket}/boxes", categories=categories, dataset={"name": "pens", "layout": layout}
    )


def before_the_second_release(storage: Storage, bucket: str, layout: str) -> dict[str, Any]:
    """A published version, and a round with a new image, new labels and a new class that is in none yet."""
    old = Project.model_validate(content_of(bucket, layout, ["pencil", "pen"]))
    put_round(storage, old, "2026-01-05", FIRST)
    candidate_uri = dataset_release.assemble(storage, old)
    assert candidate_uri is not None
    dataset_release.publish(storage, old, candidate_uri)
    content = content_of(bucket, layout, ["pencil", "pen", "crayon"])
    content["dataset"]["partial_labels"] = "publish"
    put_round(storage, Project.model_validate(content), "2026-01-12", SECOND)
    return content


@pytest.mark.parametrize(
    ("layout", "retried"),
    [
        pytest.param("tree", "release", id="tree, the whole release runs again"),
        pytest.param("packed", "publish", id="packed, the task that publishes is tried again"),
    ],
)
def test_killed_before_any_write_leaves_the_old_state_or_the_new_and_the_next_run_finishes(
    sandbox: Any,
    s3_client: Any,
    bucket: str,
    reaper: Reaper,
    processes: ForkServerContext,
    layout: str,
    retried: str,
) -> None:
    storage = storage_of(sandbox.endpoint_url)
    content = before_the_second_release(storage, bucket, layout)
    project = Project.model_validate(content)
    folder = dataset_folder(project)
    candidate_uri = dataset_release.assemble(storage, project) if retried == "publish" else None

    def run(kill_at: int = 0) -> int:
        reaper.begin(kill_at)
        arguments = (sandbox.endpoint_url, json.dumps(content), candidate_uri)
        process = processes.Process(target=killed_release.release, args=arguments)
        process.start()
        assert process.pid is not None
        reaper.watch(process.pid)
        process.join(SECONDS)
        assert process.exitcode is not None, "the release hangs"
        return process.exitcode

    start = reaper.objects()
    assert run() == 0
    undisturbed, writes = without_candidates(reaper.objects()), reaper.writes
    assert [one.version for one in list_versions(storage, folder)] == ["v0001", "v0002"]
    assert verify_version(storage, project.root_uri, "pens", "v0002").problems == ()
    published = {key: data for key, data in start.items() if "/versions/v0001/" in key}
    assert writes >= 15

    finished_states = 0
    for number in range(1, writes + 1):
        reaper.restore(start, s3_client)
        assert run(kill_at=number) == -signal.SIGKILL, f"write {number} of {writes} was not killed"

        # The old state or the new one, for whoever looks now; nothing of what is published has changed.
        left = reaper.objects()
        assert published.items() <= left.items()
        listed = [one.version for one in list_versions(storage, folder)]
        assert listed in (["v0001"], ["v0001", "v0002"])
        latest = latest_version(storage, folder)
        assert latest in listed
        assert resolve_version(storage, folder).version == latest
        if listed[-1] == "v0002":
            finished_states += 1
            assert verify_version(storage, project.root_uri, "pens", "v0002").problems == ()

        # Another process finishes the job: byte for byte what an undisturbed release leaves.
        assert run() == 0
        assert without_candidates(reaper.objects()) == undisturbed, (
            f"killed before write {number} of {writes}"
        )
    # Between version.json and the pointer the new version is there while `latest` is the old one; between
    # the pointer and the last write only the summary that the web UI lists has to follow.
    assert finished_states == 2
    assert run() == 0
    assert reaper.writes == 0  # a release that changes nothing writes nothing
