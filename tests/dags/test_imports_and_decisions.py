"""An import, a release that a person decides about, and a job that stalls: the real Dags, task by task."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.versions import list_versions
from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.quality_settings import Quality
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.sandbox.faults import FaultPlan, JobFault
from roundtruth.sandbox.truth import TrueBox, Truth, encode_truth, truth_uri
from roundtruth.storage import ObjectUri, Storage
from tests.dag_process import DagProcess, dag_process
from tests.finished_jobs import label, put_job
from tests.ground_truth.conftest import connection
from tests.project_samples import project_content
from tests.roundtruth.datasets.recorded_rounds import jpeg, storage_of
from tests.sandbox_job import job_request, put_images, wait_for_job

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

PEN = ("pen", 40, 40, 60, 30)
TINY = ("pen", 10, 10, 1, 1)
ONLY_TINY_BOXES_WARN = {
    check: "info" for check, severity in Quality.default_severities.items() if severity == "warning"
} | {"box_side": "warning"}


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


@pytest.fixture
def project(tmp_path: Path, bucket: str) -> Project:
    """A project whose people are told of everything, and asked where a check warned."""
    notifier = {
        "notifier": "labeling.s3_notifier.S3Notifier",
        "arguments": {"folder": f"s3://{bucket}/notes"},
    }
    content = project_content(
        project=f"p{bucket[-8:]}",
        root=f"s3://{bucket}",
        images={"partition": "none", "settle_seconds": 0},
        labeling__workers_per_object=1,
        labeling__poll_seconds=1,
        labeling__stalled_after_hours=1 / 3600,
        consensus={"relabel_passes": 0},
        quality={"near_duplicates": False, "severities": ONLY_TINY_BOXES_WARN},
        dataset={"name": "pens", "formats": ["yolo"], "layout": "packed", "approval": "on-warning"},
        notify=[notifier],
    )
    path = tmp_path / "projects" / "told.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_project(path)


@pytest.fixture
def dags(tmp_path: Path, sandbox: Any, project: Project) -> Iterator[DagProcess]:
    with dag_process(
        tmp_path / "airflow", tmp_path / "projects", connection(sandbox.endpoint_url)
    ) as running:
        yield running


def finished_job(storage: Storage, project: Project) -> str:
    """The output folder of a job of years ago: three images, one of them with a box that is too small."""
    rows = []
    for number, boxes in enumerate([[PEN], [PEN, TINY], []]):
        ref = project.images_uri / f"old/{number}.jpg"
        storage.write(ref, jpeg(320, 240, color=(40 * number, 90, 60)))
        # what people shall see on it who look at it again
        seen = TrueBox(label="pen", left=40, top=40, width=60, height=30)
        truth = Truth(width=320, height=240, objects=(seen,))
        storage.write(ObjectUri.parse(truth_uri(str(ref))), encode_truth(truth))
        rows.append({"source-ref": str(ref)} | label("boxes", "years-ago", boxes))
    return put_job(storage, f"{project.root}/years/years-ago", rows)


def notes(storage: Storage, project: Project) -> list[dict[str, str]]:
    found = storage.list_objects(ObjectUri.parse(f"{project.root}/notes"))
    return [json.loads(storage.read(one.uri)) for one in found]


def recorded(storage: Storage, project: Project, key: str) -> RoundRecord:
    record = read_record(storage, round_folder(project, key))
    assert record is not None
    return record


def test_old_jobs_are_imported_sent_back_labeled_again_and_published(
    storage: Storage,
    s3_client: Any,
    sagemaker_client: Any,
    sandbox: Any,
    bucket: str,
    project: Project,
    dags: DagProcess,
) -> None:
    name = project.project
    photos = put_images(s3_client, bucket, 2, prefix="images/by/")
    request = job_request(s3_client, bucket, f"{name}-old", photos)
    sagemaker_client.create_labeling_job(**request)
    wait_for_job(sagemaker_client, f"{name}-old")
    folder = finished_job(storage, project)
    doubtful = f"{project.images_uri}old/1.jpg"

    # one job by its output folder, one by its name
    run = dags.run(f"{name}_round_import", {"round": "2024-03-01", "jobs": [folder, f"{name}-old"]})
    assert run.state == "success", dags.log
    assert {state for states in run.tasks.values() for state in states} == {"success"}
    record = recorded(storage, project, "2024-03-01")
    assert (record.imported, record.spent_usd, record.images) == (True, 0, 5)
    assert {job.name for job in record.jobs} == {"years-ago", f"{name}-old"}
    assert {job.arn.rpartition("/")[2] for job in record.jobs} == {"", f"{name}-old"}

    # a check warned, so a person is asked, and sees what it warned of
    answer = {"option": "Send doubtful images back", "why": "Nobody can see this"}
    run = dags.run(f"{name}_dataset_release", answer=answer)
    assert run.state == "success", dags.log
    assert run.question is not None
    assert run.question["options"] == ["Publish", "Send doubtful images back", "Discard"]
    assert "| 2024-03-01 | box_side | warning | 1 of" in run.question["body"]
    assert "| 2024-03-01 |" in run.question["body"]
    # A run of a partition links to its round, one without, such as this, to the project's rounds.
    assert f"/plugin/labeling/labeling/?project={project.project})" in run.question["body"]
    ways = {way: run.tasks[way] for way in ("publish_version", "send_back_images", "discard_version")}
    assert ways == {
        "publish_version": ["skipped"],
        "send_back_images": ["success"],
        "discard_version": ["skipped"],
    }
    assert list_versions(storage, dataset_folder(project)) == ()
    (kept,) = storage.list_objects(dataset_folder(project).uri / "decisions")
    decision = json.loads(storage.read(kept.uri))
    assert (decision["decision"], decision["why"]) == ("sent-back", "Nobody can see this")
    assert decision["by"], "who answered is kept beside the candidate"
    assert {ref for ref, _ in read_history(storage, project).carried_over} == {doubtful}
    (waiting,) = [note for note in notes(storage, project) if note["occasion"] == "approval"]
    assert "the next version of dataset pens waits for a person" in waiting["message"]

    # the next round takes it; nobody works on its job, people are told once, and then somebody does
    sandbox.faults.replace(FaultPlan(jobs=(JobFault(stall=True),)))
    told = threading.Thread(target=_work_when_told, args=(storage, project, sandbox))
    told.start()
    run = dags.run(f"{name}_labeling_round", {"round": "2024-03-08", "prefix": "old/", "why": "Sent back"})
    told.join()
    assert run.state == "success", dags.log
    (stalled,) = [note for note in notes(storage, project) if note["occasion"] == "stalled"]
    assert stalled["round"] == "2024-03-08"
    assert f"labeling job {name}-2024-03-08-1: no image labeled for" in stalled["message"]
    assert "0 done and 1 left" in stalled["message"]
    plan = require_plan(storage, round_folder(project, "2024-03-08"))
    planned = read_planned_images(storage, round_folder(project, "2024-03-08"), plan)
    assert list(planned["source_ref"]) == [doubtful]
    assert recorded(storage, project, "2024-03-08").why == "Sent back"
    assert recorded(storage, project, "2024-03-08").counts == {"labeled": 1}

    # nothing warns now: nobody is asked, and the image is back
    run = dags.run(f"{name}_dataset_release")
    assert run.state == "success", dags.log
    assert run.tasks["approve_version"] == ["skipped"]
    assert run.tasks["publish_version"] == ["success"]
    (version,) = list_versions(storage, dataset_folder(project))
    assert (version.rounds, version.images) == (("2024-03-01", "2024-03-08"), 5)
    assert verify_version(storage, project.root_uri, "pens", version.version).problems == ()


def _work_when_told(storage: Storage, project: Project, sandbox: Any) -> None:
    deadline = time.monotonic() + 900
    while time.monotonic() < deadline:
        if any(note["occasion"] == "stalled" for note in notes(storage, project)):
            break
        time.sleep(0.5)
    sandbox.faults.replace(FaultPlan())
