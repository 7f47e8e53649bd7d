"""The pages while people label: counters and bars of a job that runs in the sandbox, from look to look."""

from __future__ import annotations

import json
import re
import time
from html import unescape

import pytest
import yaml

from roundtruth.project_files import load_project
from roundtruth.stages import labeling_round
from roundtruth.storage import ObjectUri
from tests.labeling_ui.conftest import connection
from tests.labeling_ui.test_labeling import cells, dag_runs
from tests.project_samples import project_content
from tests.round_runs import create_unless_there
from tests.sandbox_job import put_images
from tests.sandbox_process import sandbox_process
from tests.store import open_store

__all__ = ["dag_runs"]
pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
ROUND = "2026-11-16"
PHOTOS = 30
SPEED = 40.0  # the job takes some seconds
PATIENCE = 60.0


@pytest.fixture
def slow_sandbox():
    """A Ground Truth in a process of its own, whose people take their time."""
    with sandbox_process("--port", "0", "--speed", str(SPEED), "--workers", "good") as running:
        running.s3.create_bucket(Bucket="live")
        yield running


@pytest.fixture
def running_job(viewer, slow_sandbox, tmp_path, monkeypatch, dag_runs):
    """A round whose one job has just been created; returns how to ask Ground Truth about it."""
    from labeling_ui import deployment, live_jobs, project_lists

    content = project_content(project="live", root="s3://live/boxes", budget_usd=100)
    (tmp_path / "live.yaml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    monkeypatch.setenv("ROUNDTRUTH_PROJECTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(slow_sandbox.endpoint_url))
    monkeypatch.setattr(live_jobs, "LIVE_SECONDS", 0.0)
    kept = (deployment, live_jobs, project_lists)
    for module in kept:
        module.forget()
    project, storage = load_project(tmp_path / "live.yaml"), open_store(slow_sandbox.endpoint_url)
    put_images(slow_sandbox.s3, "live", PHOTOS, prefix="boxes/images/")
    labeling_round.open_round(storage, project, ROUND)
    [job] = labeling_round.plan_jobs(storage, project, ROUND)
    images = json.loads(storage.read(ObjectUri.parse(job["images_uri"])))
    rows = "".join(json.dumps({"source-ref": image}) + "\n" for image in images)
    storage.write(ObjectUri.parse(job["manifest_uri"]), rows.encode())
    dag_runs(ROUND, "running", dag_id="live_labeling_round")

    def describe():
        return slow_sandbox.sagemaker.describe_labeling_job(LabelingJobName=job["job_name"])

    viewer.get("/labeling/")  # imports, before people begin
    create_unless_there(slow_sandbox.sagemaker, job["request"])
    yield describe
    for module in kept:
        module.forget()


def test_counters_and_bars_move_while_people_label(viewer, running_job):
    """What both pages show lies between what Ground Truth counts before and after; it rises to all images.

    So does the cost so far, an estimate by the share that is labeled, beside the project's budget.
    """
    seen, costs, until = [], [], time.monotonic() + PATIENCE
    while time.monotonic() < until and PHOTOS not in seen:
        before = running_job()["LabelCounters"]["TotalLabeled"]
        of_round = viewer.get(f"/labeling/projects/live/rounds/{ROUND}").text
        middle = running_job()["LabelCounters"]["TotalLabeled"]
        of_list = viewer.get("/labeling/").text
        after = running_job()["LabelCounters"]["TotalLabeled"]
        jobs = of_round.partition('id="running-jobs" ')[2].partition("</section>")[0]
        [(most, labeled, told)] = re.findall(
            r'<progress max="(\d+)" value="(\d+)" aria-label="([^"]+)"', jobs
        )
        assert (int(most), told) == (PHOTOS, f"{labeled} of {PHOTOS} images labeled")
        assert before <= int(labeled) <= middle
        assert f'<span class="nowrap">{labeled} of {PHOTOS}</span>' in jobs
        row = cells(of_list)[ROUND]
        shown = re.fullmatch(rf"(\d+) of {PHOTOS} \(\d+ %\)", unescape(row[3]))
        assert shown, row
        assert middle <= int(shown[1]) <= after
        [cost] = re.findall(r"^≈ ([\d.]+) USD of 100.00 USD$", row[7])
        costs.append(float(cost))
        if after < PHOTOS:
            # live.js asks for these parts anew, so that the bars move without a reload
            assert 'data-live="10"' in of_round.partition('id="running-jobs"')[2].partition(">")[0]
            assert 'id="rounds" data-live="10"' in of_list
            assert row[1] == "Labeling"
        seen.append(int(labeled))
        time.sleep(0.1)
    assert seen == sorted(seen)
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
    assert seen[-1] == PHOTOS
    assert len({one for one in seen if 0 < one < PHOTOS}) >= 2, seen
