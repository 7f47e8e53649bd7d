"""What needs Airflow's real processes: an import starts a release, nobody answers, a clear, a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from demo.stack_client import StackClient, release_dag, round_dag
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.versions import list_versions
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.storage import ObjectUri
from tests.finished_jobs import label, put_job

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]

PATIENCE = 600.0
STALLED_SECONDS = 90.0
PEN = ("pen", 40, 40, 60, 30)


def wait_until(happens: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(1)
    return found


def notes(client: StackClient, project: Project, occasion: str) -> list[dict[str, str]]:
    folder = ObjectUri.parse(f"{project.root}/notes")
    found = [json.loads(client.storage.read(one.uri)) for one in client.storage.list_objects(folder)]
    return [note for note in found if note["occasion"] == occasion]


def recorded(client: StackClient, project: Project, key: str) -> RoundRecord:
    record = read_record(client.storage, round_folder(project, key))
    assert record is not None
    return record


def ended(client: StackClient, dag_id: str, run_id: str, state: str = "success") -> dict[str, str | None]:
    """Wait for a run's end; the states of its tasks."""
    assert client.wait_for_end(dag_id, run_id, seconds=PATIENCE) == state, client.explain(dag_id, run_id)
    return {task.name: task.state for task in client.api.tasks(dag_id, run_id)}


def test_an_import_starts_a_release_and_without_an_answer_the_project_file_decides(
    quiet_stack: StackClient,
) -> None:
    client = quiet_stack
    project = client.add_project(
        "moved-here",
        dataset={"approval": "always", "approval_hours": 10 / 3600, "approval_default": "send-back"},
        quality={"min_box_side": 200},  # every box is too small: its image is doubtful
    )
    import_dag = "moved-here_round_import"
    client.api.wait_for_dags({import_dag})
    client.api.set_paused(import_dag, False)
    photos = client.upload_images(project, 2)
    rows = [{"source-ref": photo} | label("boxes", "years-ago", [PEN]) for photo in photos]
    job = put_job(client.storage, f"{project.root}/years/years-ago", rows)

    run_id = client.api.trigger(import_dag, conf={"round": "2024-03-01", "jobs": [job]})
    states = ended(client, import_dag, run_id)
    assert set(states.values()) == {"success"}, states
    record = recorded(client, project, "2024-03-01")
    assert (record.imported, record.spent_usd, record.counts) == (True, 0, {"labeled": 2})

    # the recorded round is a partition of the labels, and its release a run of that partition
    run = wait_until(lambda: client.api.runs(release_dag(project)))[0]
    assert run["partition_key"] == "2024-03-01"
    states = ended(client, release_dag(project), run["dag_run_id"])
    assert (states["send_back_images"], states["publish_version"]) == ("success", "skipped")
    decided = client.api.xcom(release_dag(project), run["dag_run_id"], "send_back_images")
    decision = json.loads(client.storage.read(ObjectUri.parse(decided["decision_uri"])))
    assert decision == {"decision": "sent-back", "why": "", "by": ""}, "nobody answered"
    assert decided["images"] == 2
    assert list_versions(client.storage, dataset_folder(project)) == ()


def test_a_failed_job_goes_on_when_its_task_is_cleared_and_a_standstill_outlasts_the_triggerer(
    quiet_stack: StackClient,
) -> None:
    client = quiet_stack
    notifier = {
        "notifier": "labeling.s3_notifier.S3Notifier",
        "arguments": {"folder": "s3://ground-truth-data-labeling/cleared/notes"},
    }
    project = client.add_project(
        "cleared", labeling={"stalled_after_hours": STALLED_SECONDS / 3600}, notify=[notifier]
    )
    client.upload_images(project, 3)
    dag_id = round_dag(project)

    # the task's state says that no person has decided yet, and then that one has: one more job, not two
    client.put_faults({"jobs": [{"job": "cleared-*-1", "fail": "ClientError: no role"}]})
    run_id = client.api.trigger(dag_id, partition_key="first")
    ended(client, dag_id, run_id, "failed")
    (failed,) = client.failed_tasks(dag_id, run_id)
    assert failed.task_id == "label.run_labeling_job"
    client.put_faults({"jobs": [{"job": "cleared-*-a2", "stall": True}]})
    client.api.clear(dag_id, run_id, [failed])
    began = time.monotonic()

    # nobody works on it, and no triggerer lives long enough to count to the end by itself
    for _ in range(8):
        lives_until = time.monotonic() + STALLED_SECONDS / 2
        while time.monotonic() < lives_until and not notes(client, project, "stalled"):
            time.sleep(1)
        if notes(client, project, "stalled"):
            break
        client.stack.kill_process("triggerer")
        client.stack.start_process("triggerer")
    (note,) = notes(client, project, "stalled")
    assert time.monotonic() - began >= STALLED_SECONDS
    assert "labeling job cleared-first-1-a2: no image labeled for" in note["message"]

    client.put_faults({})
    ended(client, dag_id, run_id)
    (job,) = recorded(client, project, "first").jobs
    assert job.attempts == ("cleared-first-1", "cleared-first-1-a2")
    found = client.sagemaker.list_labeling_jobs(NameContains="cleared-")["LabelingJobSummaryList"]
    assert sorted(one["LabelingJobName"] for one in found) == list(job.attempts)
    assert len(notes(client, project, "stalled")) == 1
