"""Which photos a demo uploads before each of its rounds, which run it follows, and that it is alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from demo.__main__ import sample_totals
from demo.airflow_api import AirflowApi
from demo.main_job import MainJob
from demo.running_stack import forget, remember
from demo.stack import Stack, StackError, StackSettings
from demo.uploads import samples_there, upload_samples
from tests.project_samples import make_project
from tests.store import open_store


@pytest.mark.parametrize(
    ("there", "new", "totals"),
    [
        pytest.param(0, 0, [60, 72], id="first demo: two weeks"),
        pytest.param(0, 5, [60, 65], id="first demo, the second week as large as asked for"),
        pytest.param(31, 0, [60, 72], id="stopped while it uploaded the first week"),
        pytest.param(60, 0, [60, 72], id="stopped between its rounds"),
        pytest.param(72, 0, [72], id="again, nothing new"),
        pytest.param(72, 12, [84], id="again, with new photos"),
    ],
)
def test_photos_at_each_round(there: int, new: int, totals: list[int]) -> None:
    assert sample_totals(there, new) == totals


def test_uploads_bring_what_is_missing(sandbox: Any, bucket: str) -> None:
    storage = open_store(sandbox.endpoint_url)
    project = make_project(root=f"s3://{bucket}/boxes")
    assert upload_samples(storage, project, 2) == 2
    first = {stored.uri: stored.etag for stored in storage.list_objects(project.images_uri)}
    assert upload_samples(storage, project, 2) == 0
    assert upload_samples(storage, project, 5) == 3
    assert samples_there(storage, project) == 5
    now = {stored.uri: stored.etag for stored in storage.list_objects(project.images_uri)}
    assert first.items() <= now.items(), "photos that were there are the same"


def test_one_stack_a_state_folder(tmp_path: Path) -> None:
    stack = Stack(settings=StackSettings(state=tmp_path, projects=tmp_path))
    stack.refuse_if_running()
    remember(tmp_path, [os.getpid()])
    with pytest.raises(StackError, match="make down"):
        stack.refuse_if_running()
    forget(tmp_path)
    stack.refuse_if_running()


@pytest.mark.parametrize(
    ("runs", "followed"),
    [
        pytest.param([("demo-2", "running")], "run 0", id="running"),
        pytest.param([("demo-2", "queued")], "run 0", id="queued"),
        pytest.param(
            [("demo-2", "failed"), ("demo-2", "running")], "run 1", id="started again after a failure"
        ),
        pytest.param(
            [("demo-2", "failed"), ("demo-1", "running")], None, id="failed, and that of another round"
        ),
        pytest.param([], None, id="none"),
    ],
)
def test_a_run_that_airflow_went_on_with_is_followed(
    tmp_path: Path, runs: list[tuple[str, str]], followed: str | None
) -> None:
    """Over HTTP, as Airflow's REST API answers; the rest of the following is shown by `.ci/run`'s demos."""
    answer = {
        "dag_runs": [
            {"dag_run_id": f"run {number}", "partition_key": key, "state": state}
            for number, (key, state) in enumerate(runs)
        ],
        "total_entries": len(runs),
    }
    with served_json({"/api/v2/dags/pens_labeling_round/dagRuns": answer}) as url:
        job = MainJob(Stack(settings=StackSettings(state=tmp_path, projects=tmp_path)), make_project(), print)
        job.api = AirflowApi(url, tmp_path)
        assert job._unfinished("pens_labeling_round", "demo-2") == followed


@contextmanager
def served_json(answers: dict[str, Any]) -> Iterator[str]:
    """A server on loopback that answers paths with JSON; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path.partition("?")[0]]).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
