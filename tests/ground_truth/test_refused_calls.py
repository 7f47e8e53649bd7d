"""Every call of the hook and its operators while Ground Truth throttles or fails, over HTTP."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sandbox_job import job_request, put_images, wait_for_job

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("aws_sandbox")]

REFUSALS = 4  # boto3 calls five times


@pytest.fixture
def hook(sandbox: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hook with boto3's own retries, which the other tests of this folder switch off."""
    from ground_truth.hooks import GroundTruthHook

    connection = {
        "conn_type": "aws",
        "login": "sandbox",
        "password": "sandbox",
        "extra": {
            "region_name": "us-east-1",
            "service_config": {"sagemaker": {"endpoint_url": sandbox.endpoint_url}},
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_PATIENT", json.dumps(connection))
    # botocore waits up to 1, 2, 4, 8 s between its tries.
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    return GroundTruthHook(aws_conn_id="aws_patient")


@pytest.fixture
def request_of_job(s3_client: Any, bucket: str) -> dict[str, Any]:
    uris = put_images(s3_client, bucket, 2)
    return job_request(s3_client, bucket, f"job-{bucket[5:]}", uris)


@pytest.mark.parametrize(
    ("code", "status"), [("ThrottlingException", 400), ("InternalFailure", 500)], ids=["throttled", "500"]
)
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("CreateLabelingJob", lambda hook, request: hook.create_or_adopt_labeling_job(request)),
        ("DescribeLabelingJob", lambda hook, request: hook.labeling_job_attempts(request)),
        (
            "StopLabelingJob",
            lambda hook, request: hook.stop_labeling_job_if_running(request["LabelingJobName"]),
        ),
        (
            "ListLabelingJobs",
            lambda hook, request: hook.conn.list_labeling_jobs(NameContains=request["LabelingJobName"]),
        ),
        (
            "DescribeWorkteam",
            lambda hook, request: hook.labeling_portal_domain(request["HumanTaskConfig"]["WorkteamArn"]),
        ),
    ],
    ids=["create", "describe", "stop", "list", "describe workteam"],
)
def test_calls_that_are_refused_four_times(
    hook: Any,
    sandbox: Any,
    sagemaker_client: Any,
    request_of_job: dict[str, Any],
    set_faults: Any,
    operation: str,
    call: Any,
    code: str,
    status: int,
) -> None:
    from roundtruth.sandbox.faults import CallFault, JobFault

    stalls = JobFault(stall=True)  # so that there is a job to stop
    refused = CallFault(operations=(operation,), code=code, status=status, next=REFUSALS)
    if operation != "CreateLabelingJob":
        set_faults(jobs=(stalls,))
        hook.create_or_adopt_labeling_job(request_of_job)
    set_faults(calls=(refused,), jobs=(stalls,))
    assert call(hook, request_of_job)
    assert sandbox.faults.met() == [REFUSALS]
    name = request_of_job["LabelingJobName"]
    jobs = sagemaker_client.list_labeling_jobs(NameContains=name)["LabelingJobSummaryList"]
    assert [job["LabelingJobName"] for job in jobs] == [name]


def test_a_job_whose_creation_was_answered_with_an_error_is_taken(
    hook: Any, sandbox: Any, sagemaker_client: Any, request_of_job: dict[str, Any], set_faults: Any
) -> None:
    """AWS made the job, the answer was lost, and boto3 itself calls again: there is one job."""
    from roundtruth.sandbox.faults import CallFault

    lost = CallFault(
        operations=("CreateLabelingJob",), effect="answer lost", code="InternalFailure", status=500, next=1
    )
    set_faults(calls=(lost,))
    submitted = hook.create_or_adopt_labeling_job(request_of_job)
    assert sandbox.faults.met() == [1]
    assert submitted.job_name == request_of_job["LabelingJobName"]
    wait_for_job(sagemaker_client, submitted.job_name)
    jobs = sagemaker_client.list_labeling_jobs(NameContains=submitted.job_name)["LabelingJobSummaryList"]
    assert len(jobs) == 1
