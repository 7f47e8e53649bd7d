"""The sensor of a labeling job: in the worker and in the triggerer, through every end and every trouble."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ground_truth.samples import COUNTERS, REQUEST, add_describe, add_error, description, stubbed
from tests.ground_truth.test_operators import deferral
from tests.ground_truth.test_triggers import first_event
from tests.sandbox_job import job_request, put_images, wait_for_job

pytestmark = pytest.mark.airflow
NAME = REQUEST["LabelingJobName"]


def sensor(job_name: str = NAME, **more: Any) -> Any:
    from ground_truth.sensors import GroundTruthLabelingJobSensor

    return GroundTruthLabelingJobSensor(
        task_id="wait", **{"job_name": job_name, "poke_interval": 0.05, "timeout": 20, **more}
    )


@pytest.fixture
def job(aws_sandbox, sagemaker_client, s3_client, bucket):
    """Create a job of the test's own."""

    def create(images: int = 4) -> str:
        name = f"job-{bucket[5:]}"
        uris = put_images(s3_client, bucket, images)
        sagemaker_client.create_labeling_job(**job_request(s3_client, bucket, name, uris))
        return name

    return create


class TestAgainstTheSandbox:
    @pytest.mark.parametrize("deferrable", [False, True])
    def test_completed(self, job, context, bucket, set_faults, deferrable):
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True),) if deferrable else ())
        waiting = sensor(name := job(), deferrable=deferrable)
        if deferrable:
            deferred = deferral(waiting, context)
            set_faults()
            result = sensor(name).execute_complete(context, first_event(deferred.trigger))
        else:
            result = waiting.execute(context)
        assert (result["job_name"], result["status"]) == (name, "Completed")
        assert result["output_manifest_uri"] == f"s3://{bucket}/out/{name}/manifests/output/output.manifest"
        assert result["counters"]["total_labeled"] == 4

    def test_job_that_is_completed_already_does_not_defer(self, job, context, sagemaker_client):
        wait_for_job(sagemaker_client, name := job())
        assert sensor(name, deferrable=True).execute(context)["status"] == "Completed"

    @pytest.mark.parametrize("deferrable", [False, True])
    def test_failed(self, job, context, set_faults, deferrable):
        from ground_truth.exceptions import LabelingJobFailedError
        from roundtruth.sandbox.faults import JobFault

        failing = (JobFault(fail="no role", after=0.5),)
        set_faults(jobs=(JobFault(stall=True),) if deferrable else failing)
        waiting = sensor(job(), deferrable=deferrable)
        if deferrable:
            deferred = deferral(waiting, context)
            set_faults(jobs=failing)
            event = first_event(deferred.trigger)
            with pytest.raises(LabelingJobFailedError, match="is Failed: no role"):
                waiting.execute_complete(context, event)
        else:
            with pytest.raises(LabelingJobFailedError, match="is Failed: no role"):
                waiting.execute(context)

    def test_failed_objects_are_counted(self, job, context, set_faults):
        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(fail_objects=(1, 2)),))
        counters = sensor(job(), deferrable=False).execute(context)["counters"]
        assert counters["total_labeled"] == 2
        assert counters["unlabeled"] + counters["failed_non_retryable_error"] == 2

    @pytest.mark.parametrize("soft_fail", [False, True])
    def test_timeout_in_the_triggerer(self, job, context, set_faults, soft_fail):
        from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

        from roundtruth.sandbox.faults import JobFault

        set_faults(jobs=(JobFault(stall=True),))
        waiting = sensor(job(), deferrable=True, timeout=0.2, soft_fail=soft_fail)
        deferred = deferral(waiting, context)
        event = first_event(deferred.trigger)
        with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout):
            waiting.resume_execution(deferred.method_name, {"event": event}, context)

    def test_throttling_does_not_end_the_wait_in_the_worker(self, job, context, set_faults):
        from roundtruth.sandbox.faults import CallFault

        name = job()
        set_faults(calls=(CallFault(operations=("DescribeLabelingJob",), next=4),))
        assert sensor(name, deferrable=False).execute(context)["status"] == "Completed"

    def test_throttled_first_look_defers(self, job, context, set_faults):
        from roundtruth.sandbox.faults import CallFault

        name = job()
        set_faults(calls=(CallFault(operations=("DescribeLabelingJob",), next=4),))
        deferred = deferral(sensor(name, deferrable=True), context)
        assert first_event(deferred.trigger)["status"] == "success"

    def test_throttled_last_look_defers_again(self, job, context, set_faults, sagemaker_client):
        from airflow.providers.common.compat.sdk import TaskDeferred

        from roundtruth.sandbox.faults import CallFault

        wait_for_job(sagemaker_client, name := job())
        set_faults(calls=(CallFault(operations=("DescribeLabelingJob",), next=1),))
        event = {"status": "success", "job_name": name}
        with pytest.raises(TaskDeferred):
            sensor(name).execute_complete(context, event)
        assert sensor(name).execute_complete(context, event)["status"] == "Completed"

    def test_absent_job(self, aws_sandbox, context):
        from ground_truth.exceptions import LabelingJobNotFoundError

        with pytest.raises(LabelingJobNotFoundError, match="no-such-job"):
            sensor("no-such-job", deferrable=True).execute(context)


@pytest.mark.usefixtures("aws")
class TestPoke:
    @pytest.fixture
    def waiting(self, monkeypatch):
        from ground_truth.hooks import GroundTruthHook

        monkeypatch.setattr(GroundTruthHook, "labeling_portal_domain", lambda self, arn: None)
        return sensor()

    @pytest.mark.parametrize(
        ("status", "done"),
        [("Initializing", False), ("InProgress", False), ("Stopping", False), ("Completed", True)],
    )
    def test_states(self, waiting, context, status, done):
        add_describe(stubbed(waiting.hook), description(status))
        assert waiting.poke(context).is_done is done

    @pytest.mark.parametrize("status", ["Failed", "Stopped"])
    def test_bad_ends(self, waiting, context, status):
        from ground_truth.exceptions import LabelingJobFailedError

        add_describe(stubbed(waiting.hook), description(status))
        with pytest.raises(LabelingJobFailedError, match=status):
            waiting.poke(context)

    def test_counters_and_the_incomplete_end_are_logged(self, waiting, context, monkeypatch):
        said: list[tuple[str, str]] = []
        log = type(
            "Log",
            (),
            {
                "info": lambda self, text, *more: said.append(("info", text % more)),
                "warning": lambda self, text, *more: said.append(("warning", text % more)),
            },
        )()
        monkeypatch.setattr(type(waiting), "log", log)
        stub = stubbed(waiting.hook)
        add_describe(stub, description("InProgress"))
        add_error(stub, "describe_labeling_job", "ThrottlingException")
        add_describe(stub, description("Completed", LabelCounters=COUNTERS | {"Unlabeled": 3}))
        results = [waiting.poke(context) for _ in range(3)]
        assert [result.is_done for result in results] == [False, False, True]
        assert results[-1].xcom_value["counters"]["unlabeled"] == 3
        assert [level for level, _ in said] == ["info", "warning", "info", "warning"]
        assert said[0][1].startswith(f"Labeling job {NAME} is InProgress - {{'TotalLabeled': 60")
        assert "60 objects labeled, 3 not labeled and 0 failed" in said[3][1]

    def test_no_permission_ends_the_wait(self, waiting, context):
        from botocore.exceptions import ClientError

        add_error(stubbed(waiting.hook), "describe_labeling_job", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            waiting.poke(context)


@pytest.mark.usefixtures("aws")
def test_what_it_defers_with(context):
    waiting = sensor(
        deferrable=True,
        poke_interval=30,
        timeout=3600,
        stop_on_kill=True,
        aws_conn_id="aws_default",
        region_name="eu-west-1",
        verify=False,
        botocore_config={"retries": {"mode": "standard"}},
    )
    add_describe(stubbed(waiting.hook), description("InProgress"))
    waiting.hook.__dict__["labeling_portal_domain"] = lambda arn: None
    deferred = deferral(waiting, context)
    path, arguments = deferred.trigger.serialize()
    assert path == "ground_truth.triggers.LabelingJobCompleteTrigger"
    assert arguments == {
        "job_name": NAME,
        "stop_on_kill": True,
        "waiter_delay": 30,
        "waiter_max_attempts": 121,
        "stalled_after": None,
        "note": None,
        "aws_conn_id": "aws_default",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": {"retries": {"mode": "standard"}},
    }
    assert deferred.timeout.total_seconds() == 3600 + 60 + 60
