"""Each fault on request, at run time and from the start."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from roundtruth.errors import SandboxError
from roundtruth.sandbox.faults import CallFault, FaultPlan, Faults, read_faults, s3_call
from tests.sandbox_job import job_request, list_keys, put_images, read_rows, wait_for_job


@pytest.fixture
def inject(sandbox, sagemaker_client):
    """Put a fault plan in force over HTTP; taken back when the test ends (see sagemaker_client)."""

    def post(**plan):
        request = urllib.request.Request(
            f"{sandbox.endpoint_url}/_sandbox/faults", data=json.dumps(plan).encode()
        )
        return json.load(urllib.request.urlopen(request))

    return post


@pytest.fixture
def request_of(s3_client, bucket):
    """A valid request by job name, over 12 images."""
    uris = put_images(s3_client, bucket, 12)
    return lambda name: job_request(s3_client, bucket, name, uris)


def codes(call, times, **arguments):
    answered = []
    for _ in range(times):
        try:
            call(**arguments)
            answered.append("ok")
        except ClientError as error:
            answered.append(error.response["Error"]["Code"])
    return answered


def test_the_next_calls_are_throttled(inject, sagemaker_client):
    inject(calls=[{"next": 2}])
    assert codes(sagemaker_client.list_labeling_jobs, 3) == ["ThrottlingException"] * 2 + ["ok"]


def test_an_answer_that_takes_longer_than_the_caller_waits(inject, sandbox, bucket):
    inject(
        calls=[{"service": "s3", "operations": [f"GET {bucket}/*"], "next": 1, "status": 503, "seconds": 2}]
    )
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{sandbox.endpoint_url}/{bucket}/a", timeout=0.3)
    assert time.monotonic() - begin < 1.5


def test_further_faults_leave_the_others_as_they_are(inject, sandbox, sagemaker_client):
    inject(calls=[{"next": 2, "operations": ["List*"]}])
    assert codes(sagemaker_client.list_labeling_jobs, 1) == ["ThrottlingException"]
    more = json.dumps({"calls": [{"next": 1, "code": "InternalFailure"}]}).encode()
    request = urllib.request.Request(f"{sandbox.endpoint_url}/_sandbox/faults", data=more, method="PATCH")
    assert len(json.load(urllib.request.urlopen(request))["calls"]) == 2
    assert codes(sagemaker_client.list_labeling_jobs, 3) == ["ThrottlingException", "InternalFailure", "ok"]
    assert json.load(urllib.request.urlopen(f"{sandbox.endpoint_url}/_sandbox/faults/met")) == [2, 1]


def test_faults_of_some_operations_with_other_codes(inject, sagemaker_client, request_of):
    inject(
        calls=[
            {
                "operations": ["Create*"],
                "next": 1,
                "code": "ResourceLimitExceeded",
                "message": "Too many jobs",
            },
            {"operations": ["ListWorkteams"], "share": 1.0, "code": "InternalFailure", "status": 500},
        ]
    )
    with pytest.raises(sagemaker_client.exceptions.ResourceLimitExceeded, match="Too many jobs"):
        sagemaker_client.create_labeling_job(**request_of("limited"))
    assert codes(sagemaker_client.list_workteams, 3) == ["InternalFailure"] * 3
    assert codes(sagemaker_client.list_labeling_jobs, 1) == ["ok"]


def test_s3_faults(inject, s3_client, bucket):
    fault = {
        "service": "s3",
        "code": "InternalError",
        "status": 500,
        "next": 1,
        "operations": [f"PUT {bucket}/a/*"],
    }
    inject(calls=[fault])
    put = s3_client.put_object
    assert codes(put, 1, Bucket=bucket, Key="b/key", Body=b"1") == ["ok"]
    assert codes(put, 2, Bucket=bucket, Key="a/key", Body=b"1") == ["InternalError", "ok"]
    assert codes(s3_client.get_object, 1, Bucket=bucket, Key="a/key") == ["ok"]


@pytest.mark.parametrize(
    ("request_", "call"),
    [
        (("GET", "b", "images/a b.jpg", ""), "GET b/images/a b.jpg"),
        (("HEAD", "b", "k", ""), "HEAD b/k"),
        (("GET", "b", "", "list-type=2&prefix=lab%2Fimages%2F&delimiter=%2F"), "LIST b/lab/images/"),
        (("GET", "b", "", ""), "LIST b/"),
        (("GET", "b", "", "location="), "GET b/"),
        (("POST", "b", "k", "uploads="), "UPLOAD b/k"),
        (("PUT", "b", "k", "partNumber=2&uploadId=7"), "UPLOAD b/k"),
        (("POST", "b", "k", "uploadId=7"), "UPLOAD b/k"),
        (("PUT", "b", "k", ""), "PUT b/k"),
        (("POST", "b", "", "delete="), "POST b/"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_how_a_fault_plan_names_s3_requests(request_, call):
    assert s3_call(*request_, copies=False) == call


@pytest.mark.parametrize(
    ("pattern", "strike"),
    [
        ("LIST {}/images/*", lambda s3, bucket: s3.list_objects_v2(Bucket=bucket, Prefix="images/2026/")),
        ("HEAD {}/a", lambda s3, bucket: s3.head_object(Bucket=bucket, Key="a")),
        (
            "COPY {}/b",
            lambda s3, bucket: s3.copy_object(
                Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"}
            ),
        ),
        ("UPLOAD {}/c", lambda s3, bucket: s3.create_multipart_upload(Bucket=bucket, Key="c")),
        ("DELETE {}/a", lambda s3, bucket: s3.delete_object(Bucket=bucket, Key="a")),
    ],
    ids=["list", "head", "copy", "upload in parts", "delete"],
)
def test_faults_of_each_kind_of_s3_request(inject, s3_client, bucket, pattern, strike):
    s3_client.put_object(Bucket=bucket, Key="a", Body=b"1")
    inject(calls=[{"service": "s3", "operations": [pattern.format(bucket)], "status": 503, "next": 1}])
    with pytest.raises(ClientError):
        strike(s3_client, bucket)
    strike(s3_client, bucket)


def test_an_answer_that_is_lost_after_the_call_was_done(
    inject, s3_client, sagemaker_client, bucket, request_of
):
    lost = {"effect": "answer lost", "code": "InternalFailure", "status": 500, "next": 1}
    inject(calls=[lost, lost | {"service": "s3", "operations": ["PUT */first"]}])
    assert codes(sagemaker_client.create_labeling_job, 2, **request_of("once")) == [
        "InternalFailure",
        "ResourceInUse",
    ]
    absent = {"Bucket": bucket, "Key": "first", "IfNoneMatch": "*"}
    assert codes(s3_client.put_object, 2, Body=b"1", **absent) == ["InternalFailure", "PreconditionFailed"]


def test_calls_that_are_only_slow(inject, s3_client, sagemaker_client, bucket):
    slow = {"effect": "slow", "seconds": 0.3, "next": 1}
    inject(calls=[slow, slow | {"service": "s3", "operations": ["PUT *"]}])
    begin = time.monotonic()
    assert codes(sagemaker_client.list_labeling_jobs, 1) == ["ok"]
    assert codes(s3_client.put_object, 1, Bucket=bucket, Key="late", Body=b"1") == ["ok"]
    assert time.monotonic() - begin >= 0.6
    assert s3_client.get_object(Bucket=bucket, Key="late")["Body"].read() == b"1"


def test_faults_of_one_caller(inject, s3_client, sagemaker_client, bucket):
    foreign = {"caller": "somebody", "next": 9}
    inject(calls=[foreign, foreign | {"service": "s3"}])
    assert codes(sagemaker_client.list_labeling_jobs, 1) == ["ok"]
    assert codes(s3_client.list_objects_v2, 1, Bucket=bucket) == ["ok"]
    ours = {"caller": "sandbox", "next": 1}  # the access key of the tests' clients
    inject(calls=[ours, ours | {"service": "s3"}])
    assert codes(sagemaker_client.list_labeling_jobs, 2) == ["ThrottlingException", "ok"]
    assert codes(s3_client.list_objects_v2, 2, Bucket=bucket) == ["ThrottlingException", "ok"]


def test_a_share_of_all_calls():
    faults = Faults(FaultPlan(calls=(CallFault(share=0.3),)), seed=1)
    met = sum(faults.of_call("sagemaker", "DescribeLabelingJob") is not None for _ in range(1000))
    assert 250 < met < 350
    assert faults.of_call("s3", "GET b/k") is None


def test_a_job_that_fails(inject, sagemaker_client, request_of):
    inject(jobs=[{"job": "DOOMED-*", "fail": "ClientError: The dog ate it.", "after": 0.5}])
    for name in ("doomed-1", "Blessed-1"):
        sagemaker_client.create_labeling_job(**request_of(name))
    job = wait_for_job(sagemaker_client, "doomed-1")
    assert (job["LabelingJobStatus"], job["FailureReason"]) == ("Failed", "ClientError: The dog ate it.")
    assert job["LabelCounters"]["TotalLabeled"] == job["LabelCounters"]["Unlabeled"] == 6
    assert wait_for_job(sagemaker_client, "blessed-1")["LabelingJobStatus"] == "Completed"


def test_a_job_that_stalls_until_the_fault_is_taken_back(inject, sagemaker_client, request_of):
    inject(jobs=[{"job": "stall", "stall": True, "after": 0.25}])
    sagemaker_client.create_labeling_job(**request_of("Stall"))
    job = wait_for_job(sagemaker_client, "stall", lambda job: job["LabelCounters"]["TotalLabeled"] == 3)
    again = sagemaker_client.describe_labeling_job(LabelingJobName="stall")
    assert again["LabelingJobStatus"] == job["LabelingJobStatus"] == "InProgress"
    inject()
    assert wait_for_job(sagemaker_client, "stall")["LabelingJobStatus"] == "Completed"


def test_a_job_that_stops_by_itself(inject, sagemaker_client, s3_client, request_of):
    inject(jobs=[{"job": "tired", "stop": True, "after": 0.5}])
    sagemaker_client.create_labeling_job(**request_of("tired"))
    job = wait_for_job(sagemaker_client, "tired")
    assert (job["LabelingJobStatus"], job["LabelCounters"]["TotalLabeled"]) == ("Stopped", 6)
    rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    assert sum("pens" in row for row in rows) == 6


def test_stop_labeling_job(inject, sagemaker_client, s3_client, bucket, request_of):
    inject(jobs=[{"job": "halt", "stall": True, "after": 0.5}])
    sagemaker_client.create_labeling_job(**request_of("halt"))
    wait_for_job(sagemaker_client, "halt", lambda job: job["LabelCounters"]["TotalLabeled"] == 6)
    sagemaker_client.stop_labeling_job(LabelingJobName="HALT")
    job = wait_for_job(sagemaker_client, "halt")
    assert job["LabelingJobStatus"] == "Stopped"
    rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    assert (
        sum("pens" in row for row in rows)
        == 6
        == len([key for key in list_keys(s3_client, bucket, "out/halt/") if "worker-response" in key])
    )
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker_client.stop_labeling_job(LabelingJobName="halt")


def test_objects_that_fail(inject, sagemaker_client, s3_client, request_of):
    inject(jobs=[{"job": "some", "fail_objects": [0, 7]}, {"job": "share", "fail_object_share": 0.5}])
    for name in ("some", "share"):
        sagemaker_client.create_labeling_job(**request_of(name))
    job = wait_for_job(sagemaker_client, "some")
    assert job["LabelingJobStatus"] == "Completed"
    assert job["LabelCounters"]["FailedNonRetryableError"] == 2
    rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    failed = [number for number, row in enumerate(rows) if "failure-reason" in row["pens-metadata"]]
    assert failed == [number for number, row in enumerate(rows) if "pens" not in row] == [0, 7]
    assert 0 < wait_for_job(sagemaker_client, "share")["LabelCounters"]["FailedNonRetryableError"] < 12


def test_workers_that_answer_nonsense(inject, sagemaker_client, s3_client, bucket, request_of):
    inject(jobs=[{"job": "nonsense", "nonsense_workers": 20}])
    sagemaker_client.create_labeling_job(**request_of("nonsense"))
    job = wait_for_job(sagemaker_client, "nonsense")
    assert job["LabelCounters"]["TotalLabeled"] == 12
    boxes = []
    for key in list_keys(s3_client, bucket, "out/nonsense/annotations/worker-response/"):
        body = s3_client.get_object(Bucket=bucket, Key=f"out/nonsense/annotations/worker-response/{key}")[
            "Body"
        ]
        boxes += [one["answerContent"]["boundingBox"]["boundingBoxes"] for one in json.load(body)["answers"]]
    assert None in boxes
    assert any(drawn and drawn[0]["width"] == 0 for drawn in boxes)
    assert any(drawn and len(drawn) == 30 for drawn in boxes)
    rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    assert all(box["width"] > 0 for row in rows for box in row["pens"]["annotations"])


@pytest.mark.parametrize(
    "plan", [b"{", b'{"calls": [{"nxt": 1}]}', b'{"jobs": [{"after": 2}]}', b'{"calls": [{"next": -1}]}']
)
def test_plans_that_are_refused(plan):
    with pytest.raises(SandboxError, match="fault plan is not valid"):
        read_faults(plan)
