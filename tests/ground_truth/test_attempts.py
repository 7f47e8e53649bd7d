"""A job that failed or was stopped goes on as its next attempt, once a person has cleared the task."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import pytest

from tests.ground_truth.test_operators import create, deferral, jobs_named, request_of
from tests.ground_truth.test_triggers import first_event
from tests.sandbox_job import read_rows, wait_for_job

__all__ = ["request_of"]
pytestmark = pytest.mark.airflow


class StoreDouble(dict[str, Any]):
    """A task's state store: it outlives retries and clears."""

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        self[key] = value


@pytest.fixture
def context(context):
    return {**context, "task_state_store": StoreDouble()}


def clear(context: Any) -> None:
    """What a person does in the web UI: the task may be tried more often than its ``retries`` say."""
    context["ti"].max_tries += 1
    context["ti"].pushed.clear()


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("pens-1", "pens-1-a2"),
        ("pens-1-a2", "pens-1-a3"),
        ("pens-1-a9", "pens-1-a10"),
        ("pens-a", "pens-a-a2"),
        ("pens-1-a1", "pens-1-a1-a2"),  # somebody's own name
    ],
)
def test_names(name, following):
    from ground_truth.attempts import next_attempt_name

    assert next_attempt_name(name) == following


def test_a_name_keeps_ground_truths_limit():
    from ground_truth.attempts import next_attempt_name
    from ground_truth.exceptions import LabelingJobRequestError

    assert len(next_attempt_name("x" * 60)) == 63
    with pytest.raises(LabelingJobRequestError, match="of 64 characters"):
        next_attempt_name("x" * 61)


@pytest.mark.usefixtures("aws_sandbox")
class TestAPersonDecides:
    def failed(self, context, request, sagemaker_client, set_faults, **fault):
        """A task whose job has failed: nobody has cleared it yet."""
        from ground_truth.exceptions import LabelingJobFailedError
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(**(fault or {"fail": "no role"})),))
        operator = create(request, wait_for_completion=True, deferrable=True)
        event = first_event(deferral(operator, context).trigger)
        with pytest.raises(LabelingJobFailedError):
            operator.execute_complete(context, event)
        set_faults()

    def test_cleared_task_makes_the_next_attempt(self, request_of, context, sagemaker_client, set_faults):
        request = request_of()
        name = request["LabelingJobName"]
        self.failed(context, request, sagemaker_client, set_faults)
        clear(context)
        operator = create(request, wait_for_completion=True, deferrable=True)
        event = first_event(deferral(operator, context).trigger)
        assert operator.execute_complete(context, event) == f"{name}-a2"
        assert context["ti"].pushed["labeling_jobs"] == [name, f"{name}-a2"]
        assert jobs_named(sagemaker_client, name) == 2

    def test_a_third_attempt(self, request_of, context, sagemaker_client, set_faults):
        request = request_of()
        self.failed(context, request, sagemaker_client, set_faults)
        clear(context)
        self.failed(context, request, sagemaker_client, set_faults)
        clear(context)
        done = create(request, wait_for_completion=True, deferrable=False).execute(context)
        assert done == f"{request['LabelingJobName']}-a3"

    def test_retry_of_a_killed_worker_is_no_decision(self, request_of, context, sagemaker_client, set_faults):
        from ground_truth.exceptions import LabelingJobFailedError

        request = request_of()
        self.failed(context, request, sagemaker_client, set_faults)
        for _ in range(3):  # Airflow's own tries do not raise max_tries
            with pytest.raises(LabelingJobFailedError, match="no role"):
                create(request, wait_for_completion=True).execute(context)
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == 1

    def test_one_clear_is_one_attempt(self, request_of, context, sagemaker_client, set_faults):
        """The second attempt fails too, and the worker is killed before the task fails: no third one."""
        request = request_of()
        self.failed(context, request, sagemaker_client, set_faults)
        clear(context)
        self.failed(context, request, sagemaker_client, set_faults)
        from ground_truth.exceptions import LabelingJobFailedError

        with pytest.raises(LabelingJobFailedError):
            create(request, wait_for_completion=True).execute(context)
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == 2

    def test_a_clear_while_the_job_runs_is_no_decision_about_its_end(
        self, request_of, context, sagemaker_client, set_faults
    ):
        from ground_truth.exceptions import LabelingJobFailedError
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True, after=0.5),))
        request = request_of()
        name = request["LabelingJobName"]
        create(request).execute(context)
        clear(context)  # for some other reason than the job's end
        create(request).execute(context)
        sagemaker_client.stop_labeling_job(LabelingJobName=name)
        wait_for_job(sagemaker_client, name, lambda found: found["LabelingJobStatus"] == "Stopped")
        set_faults()
        for _ in range(2):
            with pytest.raises(LabelingJobFailedError):
                create(request).execute(context)
        assert jobs_named(sagemaker_client, name) == 1
        clear(context)
        assert create(request).execute(context) == f"{name}-a2"

    def test_worker_killed_between_decision_and_job(
        self, request_of, context, sagemaker_client, set_faults, monkeypatch
    ):
        from ground_truth.hooks import GroundTruthHook

        request = request_of()
        self.failed(context, request, sagemaker_client, set_faults)
        clear(context)
        with monkeypatch.context() as killed:
            killed.setattr(GroundTruthHook, "create_or_adopt_labeling_job", lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                create(request).execute(context)
        assert create(request).execute(context) == f"{request['LabelingJobName']}-a2"

    def test_stopped_job_goes_on_where_it_was(
        self, request_of, context, sagemaker_client, s3_client, bucket, set_faults
    ):
        """What is labeled is not given to people again: the next attempt is chained on the output."""
        request = request_of(images=12)
        name = request["LabelingJobName"]
        self.failed(context, request, sagemaker_client, set_faults, stop=True, after=0.4)
        first = sagemaker_client.describe_labeling_job(LabelingJobName=name)
        assert first["LabelingJobStatus"] == "Stopped"
        assert 4 <= first["LabelCounters"]["HumanLabeled"] < 12
        clear(context)
        create(request, wait_for_completion=True, deferrable=False).execute(context)
        second = wait_for_job(sagemaker_client, f"{name}-a2")
        labeled = [job["LabelCounters"]["HumanLabeled"] for job in (first, second)]
        assert sum(labeled) == 12
        rows = read_rows(s3_client, second["LabelingJobOutput"]["OutputDatasetS3Uri"])
        assert len(rows) == 12
        assert all(request["LabelAttributeName"] in row for row in rows)
        assert {row["pens-metadata"]["job-name"].rpartition("-")[2] for row in rows} >= {"a2"}

    @pytest.mark.parametrize(
        ("fault", "jobs"),
        [
            pytest.param({"fail": "no role"}, 3, id="failed by itself"),
            pytest.param({"stop": True}, 1, id="stopped by a person"),
        ],
    )
    def test_attempts_without_a_person(self, request_of, context, sagemaker_client, set_faults, fault, jobs):
        from ground_truth.exceptions import LabelingJobFailedError
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(**fault),))
        request = request_of()
        with pytest.raises(LabelingJobFailedError):
            create(request, attempts=3, wait_for_completion=True, deferrable=False).execute(context)
        assert jobs_named(sagemaker_client, request["LabelingJobName"]) == jobs
        assert len(context["ti"].pushed["labeling_jobs"]) == jobs

    def test_attempt_of_another_request_is_a_conflict(self, request_of, context, set_faults):
        from ground_truth.exceptions import LabelingJobConflictError

        request = request_of()
        self.failed(context, request, None, set_faults)
        taken = {**request, "LabelingJobName": f"{request['LabelingJobName']}-a2", "LabelAttributeName": "x"}
        create(taken).execute(context)
        clear(context)
        with pytest.raises(LabelingJobConflictError, match="-a2"):
            create(request).execute(context)


@pytest.mark.usefixtures("aws_sandbox")
def test_a_standstill_is_reported_once_and_the_wait_goes_on(request_of, context, set_faults):
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stall=True, after=0.5),))
    reports: list[dict[str, Any]] = []
    operator = create(
        request_of(),
        wait_for_completion=True,
        deferrable=True,
        stalled_after=0.3,
        on_stalled=lambda _, event: reports.append(event),
    )
    deferred, statuses = deferral(operator, context), []
    while not reports:
        event = first_event(deferred.trigger)
        statuses.append(event["status"])
        deferred = resumed(operator, context, event)
    # what was labeled before was noted, so that a restart of the triggerer does not forget it
    assert set(statuses[:-1]) <= {"progress"}
    assert statuses[-1] == "stalled"
    assert [report["counters"]["Unlabeled"] for report in reports] == [2]
    set_faults()
    while (event := first_event(deferred.trigger))["status"] != "success":
        deferred = resumed(operator, context, event)
    assert operator.execute_complete(context, event)
    assert len(reports) == 1


def resumed(operator: Any, context: Any, event: dict[str, Any]) -> Any:
    """A task goes on after an event that ends no wait; what it defers with again."""
    from airflow.providers.common.compat.sdk import TaskDeferred

    with pytest.raises(TaskDeferred) as again:
        operator.execute_complete(context, event)
    return again.value


@pytest.mark.usefixtures("aws_sandbox")
def test_a_standstill_outlasts_restarts_of_the_triggerer(request_of, context, set_faults, monkeypatch):
    """Each time the trigger is made anew from its arguments in the database, as another triggerer does it."""
    from ground_truth import triggers, waiting
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stall=True),))
    operator = create(
        request_of(), wait_for_completion=True, deferrable=True, stalled_after=1000.0, waiter_max_attempts=3
    )
    trigger = deferral(operator, context).trigger
    began, statuses = time.time(), []
    for passed in (0, 400, 800, 1200):
        clock = partial(waiting.Progress, clock=lambda moment=began + passed: moment)
        monkeypatch.setattr(triggers, "Progress", clock)
        _, arguments = trigger.serialize()
        trigger = type(trigger)(**json.loads(json.dumps(arguments)))
        statuses.append(first_event(trigger)["status"])
    # the waits of the first three triggerers end with them; none has counted to the end by itself
    assert statuses == ["timeout", "timeout", "timeout", "stalled"]
