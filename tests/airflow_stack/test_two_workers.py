"""More than one machine: a round of several jobs runs over both workers; one of them dies, with its disk."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from demo.celery_stack import WORKERS, CeleryStack
from demo.stack_client import StackClient, round_dag
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.planned import require_plan
from roundtruth.rounds.record import read_record

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]


def celery_stack(client: StackClient) -> CeleryStack:
    assert isinstance(client.stack, CeleryStack)
    return client.stack


def kill_while_it_works(client: StackClient, worker: str, seconds: float = 300) -> None:
    stack, deadline = celery_stack(client), time.monotonic() + seconds
    while not stack.running_tasks(worker):
        assert time.monotonic() < deadline, f"{worker} got no task in {seconds} s"
        time.sleep(0.02)
    stack.kill_process(worker)


def test_a_round_over_both_workers_survives_one_of_them(quiet_stack: StackClient) -> None:
    client = quiet_stack
    project = client.add_project("both", labeling={"max_objects_per_job": 3})
    client.upload_images(project, 12)
    run_id = client.api.trigger(round_dag(project), partition_key="week-1")
    begin = time.monotonic()
    while not client.sagemaker.list_labeling_jobs(NameContains="both-week-1")["LabelingJobSummaryList"]:
        assert time.monotonic() < begin + 300
        time.sleep(0.2)
    kill_while_it_works(client, "worker-1")
    # Its machine is gone, and all files that tasks left there: HOME, temporary files, working directory.
    shutil.rmtree(client.stack.settings.state / "worker-1")
    try:
        assert client.wait_for_end(round_dag(project), run_id, seconds=600) == "success", client.explain(
            round_dag(project), run_id
        )
    finally:
        client.stack.start_process("worker-1")
    plan = require_plan(client.storage, round_folder(project, "week-1"))
    created = client.sagemaker.list_labeling_jobs(NameContains="both-week-1")["LabelingJobSummaryList"]
    assert len(plan.jobs) == 4
    assert sorted(job["LabelingJobName"] for job in created) == sorted(job.name for job in plan.jobs)
    record = read_record(client.storage, round_folder(project, "week-1"))
    assert record is not None
    assert sum(record.counts.values()) == record.images == 12
    assert record.answers == 24
    for worker in WORKERS:
        # Celery tells what it runs; other tests have used these workers, too.
        log = (client.stack.airflow_home / f"{worker}.log").read_text()
        assert f"dag_id='{round_dag(project)}'" in log, f"{worker} ran no task of this round"
    # and what tasks hand to each other names no file of a machine
    told = [json.dumps(value) for value in client.api.xcoms(round_dag(project), run_id)]
    assert len(told) > len(plan.jobs)
    here = [str(client.stack.settings.state), "/tmp/", "file://"]  # looked for, not used
    assert [value for value in told if any(place in value for place in here)] == []
