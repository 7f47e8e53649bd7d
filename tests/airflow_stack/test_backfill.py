"""Backfill in real Airflow: the missing rounds, rounds made again from S3, rounds labeled over again."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from demo.stack_client import StackClient, release_dag, round_dag
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.verify import verify_version
from roundtruth.datasets.versions import list_versions
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.record import RoundRecord, read_record

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]

WEEKS = ["2026-10-05", "2026-10-12", "2026-10-19"]  # Mondays, long over
RUNS_END = 600.0


def backfill(client: StackClient, project: Project, first: str, last: str, *options: str) -> list[str]:
    """Backfill a span of days, both with it, and wait; returns the rounds of the runs it made, sorted."""
    dag_id = round_dag(project)
    before = {run["dag_run_id"] for run in client.api.runs(dag_id)}
    client.airflow(
        *("backfill", "create", "--dag-id", dag_id, "--from-date", first),
        # a day means its first moment, and the rounds of a day begin at six
        *("--to-date", f"{last}T23:59:59+00:00", *options),
    )
    made = [run for run in client.api.runs(dag_id) if run["dag_run_id"] not in before]
    for run in made:
        state = client.wait_for_end(dag_id, run["dag_run_id"], seconds=RUNS_END)
        assert state == "success", client.explain(dag_id, run["dag_run_id"])
    client.api.close_backfills(dag_id)
    return sorted(run["partition_key"] for run in made if run["run_type"] == "backfill")


def jobs(client: StackClient, project: Project) -> list[str]:
    found = client.sagemaker.list_labeling_jobs(NameContains=project.project)["LabelingJobSummaryList"]
    return sorted(job["LabelingJobName"] for job in found)


def job_times(client: StackClient, name: str) -> tuple[datetime, datetime]:
    """When a job was created, and when it ended."""
    job = client.sagemaker.describe_labeling_job(LabelingJobName=name)
    return job["CreationTime"], job["LastModifiedTime"]


def recorded(client: StackClient, folder: RoundFolder) -> RoundRecord:
    record = read_record(client.storage, folder)
    assert record is not None
    return record


def wait_for_releases(client: StackClient, project: Project, rounds: list[str], versions: int = 1) -> None:
    """Wait until there are so many versions, the last holds all rounds, and no release is under way."""
    dag_id, deadline = release_dag(project), time.monotonic() + RUNS_END
    while True:
        found = list_versions(client.storage, dataset_folder(project))
        states = {run["state"] for run in client.api.runs(dag_id)}
        if len(found) >= versions and list(found[-1].rounds) == rounds and states == {"success"}:
            return
        assert "failed" not in states
        assert time.monotonic() < deadline, (states, [version.rounds for version in found])
        time.sleep(1)


def test_backfill_makes_what_is_missing_and_pays_for_nothing_twice(quiet_stack: StackClient) -> None:
    client = quiet_stack
    client.api.add_pool("one-job", 1)
    settings = {
        "schedule": "0 6 * * 1",
        "images": {"partition": "prefix"},
        "labeling": {"pool": "one-job"},
    }
    project = client.add_project("weekly", **settings)
    for week in WEEKS:
        client.upload_images(project, 2, start=10 * WEEKS.index(week), folder=f"{week}/")

    # two rounds at once, then exactly the one that is missing
    assert backfill(client, project, WEEKS[0], WEEKS[1]) == WEEKS[:2]
    first, second = sorted(job_times(client, f"weekly-{week}-1") for week in WEEKS[:2])
    assert first[1] <= second[0], "the pool has one slot, and a job holds it while people work"
    assert backfill(client, project, WEEKS[0], WEEKS[2]) == WEEKS[2:]
    assert jobs(client, project) == [f"weekly-{week}-1" for week in WEEKS]

    # one history of versions, none lost, whatever order the rounds ended in
    wait_for_releases(client, project, WEEKS)
    versions = list_versions(client.storage, dataset_folder(project))
    assert [version.parent for version in versions] == [None, *(one.version for one in versions[:-1])]
    for version in versions:
        checked = verify_version(client.storage, project.root_uri, "weekly", version.version)
        assert checked.problems == ()

    # a recorded round whose tables are gone is made again from Ground Truth's output, and nobody is paid
    folder = round_folder(project, WEEKS[0])
    record = client.storage.read(folder.record)
    for lost in (folder.answers, folder.labels, folder.images, folder.consensus):
        client.storage.delete(lost)
    assert backfill(client, project, WEEKS[0], WEEKS[0], "--reprocess-behavior", "completed") == WEEKS[:1]
    assert client.storage.read(folder.record) == record
    assert client.storage.head(folder.labels) is not None
    assert jobs(client, project) == [f"weekly-{week}-1" for week in WEEKS]

    # only who says so pays again; what is new in the dataset waits for a person, but not for ever
    asking = {"approval": "always", "approval_hours": 1 / 3600, "approval_default": "publish"}
    client.add_project("weekly", **settings, dataset=asking)
    options = ("--reprocess-behavior", "completed", "--dag-run-conf", json.dumps({"relabel": True}))
    assert backfill(client, project, WEEKS[0], WEEKS[0], *options) == WEEKS[:1]
    assert jobs(client, project) == sorted(
        [f"weekly-{WEEKS[0]}-1-a2", *(f"weekly-{week}-1" for week in WEEKS)]
    )
    again = recorded(client, folder)
    assert [job.name for job in again.jobs] == [f"weekly-{WEEKS[0]}-1-a2"]
    assert again.spent_usd == pytest.approx(2 * recorded(client, round_folder(project, WEEKS[1])).spent_usd)
    wait_for_releases(client, project, WEEKS, versions=len(versions) + 1)
    last = client.api.runs(release_dag(project))[-1]["dag_run_id"]
    states = {task.task_id: task.state for task in client.api.tasks(release_dag(project), last)}
    assert (states["approve_version"], states["publish_version"]) == ("success", "success")
    assert states["discard_version"] == "skipped"
