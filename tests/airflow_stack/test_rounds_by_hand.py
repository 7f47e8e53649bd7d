"""Rounds that people start and releases that people decide about, over Airflow's REST API."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from demo.stack_client import StackClient, release_dag, round_dag
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.versions import list_versions
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.rounds.record import read_record
from roundtruth.storage import ObjectUri

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]

PATIENCE = 600.0


def start(client: StackClient, project: Project, key: str, **asked: Any) -> str:
    """Fill in the form of a round and send it off."""
    return client.api.trigger(round_dag(project), conf={"round": key, **asked})


def planned(client: StackClient, project: Project, key: str) -> list[str]:
    folder = round_folder(project, key)
    frame = read_planned_images(client.storage, folder, require_plan(client.storage, folder))
    return [str(ref) for ref in frame["source_ref"]]


def notes(client: StackClient, project: Project) -> list[dict[str, str]]:
    """What the project's notifier has told so far."""
    folder = ObjectUri.parse(f"{project.root}/notes")
    return [json.loads(client.storage.read(found.uri)) for found in client.storage.list_objects(folder)]


def wait_until(happens: Any, seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(1)
    return found


def asked_release(client: StackClient, project: Project, key: str) -> str:
    """The run that releases a round, once it asks a person."""

    def asks() -> str | None:
        for run in client.api.runs(release_dag(project)):
            assert run["state"] != "failed", client.explain(release_dag(project), run["dag_run_id"])
            if run["partition_key"] == key and run["state"] == "running":
                states = {
                    task.task_id: task.state
                    for task in client.api.tasks(release_dag(project), run["dag_run_id"])
                }
                if states["approve_version"] == "awaiting_input":
                    return str(run["dag_run_id"])
        return None

    return str(wait_until(asks))


def answer(
    client: StackClient, project: Project, key: str, option: str, why: str
) -> tuple[str, dict[str, str | None]]:
    """Answer the release of a round; returns its run, and the states of its tasks at the end."""
    dag_id, run_id = release_dag(project), asked_release(client, project, key)
    question = client.api.question(dag_id, run_id, "approve_version")
    assert question is not None
    assert question["options"] == ["Publish", "Send doubtful images back", "Discard"]
    assert question["defaults"] == ["Discard"]
    assert f"| {key} |" in question["body"], question["body"]
    client.api.answer(dag_id, run_id, "approve_version", option, {"why": why})
    state = client.wait_for_end(dag_id, run_id, seconds=PATIENCE)
    assert state == "success", client.explain(dag_id, run_id)
    return run_id, {task.task_id: task.state for task in client.api.tasks(dag_id, run_id)}


def test_rounds_and_releases_that_people_decide_about(quiet_stack: StackClient) -> None:
    client = quiet_stack
    notifier = {
        "notifier": "labeling.s3_notifier.S3Notifier",
        "arguments": {"folder": "s3://ground-truth-data-labeling/byhand/notes"},
    }
    project = client.add_project(
        "byhand",
        dataset={"approval": "always"},
        deadline_hours=1 / 3600,
        notify=[notifier],
    )
    client.api.wait_for_dags({"byhand_train_on_release"})
    client.api.set_paused("byhand_train_on_release", False)
    near = client.upload_images(project, 3, folder="near/")
    far = client.upload_images(project, 3, start=10, folder="far/")

    # which images, how many, why: a prefix, then keys, recorded with the round
    first = start(client, project, "first", prefix="near/", max_images=2, why="Somebody asked")
    assert client.wait_for_end(round_dag(project), first, seconds=PATIENCE) == "success", client.explain(
        round_dag(project), first
    )
    assert planned(client, project, "first") == near[:2]
    record = read_record(client.storage, round_folder(project, "first"))
    assert record is not None
    assert record.why == "Somebody asked"
    # after the round: what was spent, where people look at the task
    told = client.api.xcom(round_dag(project), first, "record_round")
    assert told["spent_usd"] == record.spent_usd > 0

    # discard: nothing is published, nor asked again
    run_id, states = answer(client, project, "first", "Discard", "Too early")
    assert (states["discard_version"], states["publish_version"], states["send_back_images"]) == (
        "success",
        "skipped",
        "skipped",
    )
    assert list_versions(client.storage, dataset_folder(project)) == ()
    decided = client.api.xcom(release_dag(project), run_id, "discard_version")
    decision = json.loads(client.storage.read(ObjectUri.parse(decided["decision_uri"])))
    assert decision == {"decision": "discarded", "why": "Too early", "by": "admin"}
    again = client.api.trigger(release_dag(project), partition_key="first")
    assert client.wait_for_end(release_dag(project), again, seconds=PATIENCE) == "success"
    assert client.api.question(release_dag(project), again, "approve_version") is None

    # the next round brings another candidate
    second = client.api.trigger(
        round_dag(project), partition_key="second", conf={"keys": ["far/00010.png", far[1]]}
    )
    assert client.wait_for_end(round_dag(project), second, seconds=PATIENCE) == "success"
    assert planned(client, project, "second") == far[:2]
    _, states = answer(client, project, "second", "Publish", "")
    assert (states["discard_version"], states["publish_version"]) == ("skipped", "success")
    (version,) = list_versions(client.storage, dataset_folder(project))
    assert version.rounds == ("first", "second")

    # who trains is told of the version, though its run is a partition
    run = wait_until(lambda: client.api.runs("byhand_train_on_release"))[0]
    assert client.wait_for_end("byhand_train_on_release", run["dag_run_id"], seconds=PATIENCE) == "success"
    assert (
        client.api.xcom("byhand_train_on_release", run["dag_run_id"], "train")["version"] == version.version
    )

    # late: the alert fires on runs that have no logical date; and people learn that a release waits for them
    told = {(note["occasion"], note["round"]) for note in notes(client, project)}
    assert any("round second is not done after" in note["message"] for note in notes(client, project))
    assert {("late", "first"), ("late", "second"), ("approval", "first"), ("approval", "second")} <= told

    # a run that fails tells once: this round is planned with other images already
    wrong = start(client, project, "first", prefix="far/")
    assert client.wait_for_end(round_dag(project), wrong, seconds=PATIENCE) == "failed"
    wait_until(lambda: [note for note in notes(client, project) if note["occasion"] == "failure"])
