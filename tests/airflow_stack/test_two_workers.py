"""More than one machine: a round of several jobs runs over both workers, and one of them dies on the way."""

from __future__ import annotations

import time

import psutil
import pytest

from demo.celery_stack import CONCURRENCY, WORKERS
from demo.stack_client import StackClient, round_dag
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.planned import require_plan
from roundtruth.rounds.record import read_record

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow-stack")]


def running_tasks(client: StackClient, worker: str) -> int:
    """How many tasks a worker runs: each is a process below one of its pool."""
    below = psutil.Process(client.stack.processes[worker].pid).children(recursive=True)
    return max(0, len(below) - CONCURRENCY)


def kill_while_it_works(client: StackClient, worker: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not running_tasks(client, worker):
        assert time.monotonic() < deadline, f"{worker} got no task in {seconds} s"
        time.sleep(0.02)
    client.stack.kill_process(worker)


def test_a_round_over_both_workers_survives_one_of_them(quiet_stack: StackClient) -> None:
    client = quiet_stack
    project = client.add_project("both", labeling={"max_objects_per_job": 3})
    client.upload_images(project, 12)
    run_id = client.api.trigger(round_dag(project), partition_key="week-1")
    begin = time.monotonic()
    while not client.sagemaker.list_labeling_jobs(NameContains="both-week-1")["LabelingJobSummaryList"]:
        assert time.monotonic() < begin + 120
        time.sleep(0.2)
    kill_while_it_works(client, "worker-1")
    try:
        assert client.wait_for_end(round_dag(project), run_id, seconds=300) == "success", client.explain(
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
        assert "succeeded" in (client.stack.airflow_home / f"{worker}.log").read_text(), (
            f"{worker} did nothing"
        )
