"""What takes a job from Initializing to Failed: the files that AWS opens after the call was answered."""

from __future__ import annotations

import json

import pytest

from roundtruth.sandbox.input_data import JobFailedError, _row
from tests.sandbox_job import (
    LAMBDA,
    PUBLIC_TEAM,
    changed,
    job_request,
    put_images,
    put_labels,
    put_template,
    wait_for_job,
)

IMAGE = '{"source-ref": "s3://b/a.jpg"}\n'


def failure(sagemaker_client, request):
    sagemaker_client.create_labeling_job(**request)
    job = wait_for_job(sagemaker_client, request["LabelingJobName"])
    assert job["LabelingJobStatus"] == "Failed"
    assert "LabelingJobOutput" not in job
    return job["FailureReason"]


@pytest.mark.parametrize(
    ("name", "manifest", "reason"),
    [
        ("empty", "", "is empty"),
        ("blank", "\n\n", "is empty"),
        ("json", IMAGE + "{oops\n", "Line 2 of the manifest is not valid JSON"),
        ("list", IMAGE + "[1]\n", "Line 2 of the manifest has neither source-ref nor source"),
        ("nothing", '{"ref": 1}', "Line 1 of the manifest has neither source-ref nor source"),
        ("dollar", '{"source-ref": "s3://b/a.jpg", "$a": 1}', "no key may start with $"),
        (
            "line",
            '{"source-ref": "s3://b/a.jpg", "a": [' + "1," * 60_000 + "1]}",
            "more than 100000 characters",
        ),
        (
            "value",
            '{"source-ref": "s3://b/a.jpg", "a": "' + "x" * 20_001 + '"}',
            "a has more than 20000 characters",
        ),
        ("many", IMAGE * 100_001, "100001 objects"),
    ],
    ids=lambda value: value[:12],
)
def test_bad_manifests(sagemaker_client, s3_client, bucket, name, manifest, reason):
    request = job_request(s3_client, bucket, f"manifest-{name}")
    s3_client.put_object(Bucket=bucket, Key="input.manifest", Body=manifest)
    assert reason in failure(sagemaker_client, request)


@pytest.mark.parametrize(
    ("name", "config", "reason"),
    [
        ("json", "{", "not valid JSON"),
        ("list", "[]", "not valid JSON of labels"),
        ("none", '{"labels": []}', "at least 1"),
        ("twice", '{"labels": [{"label": "a"}, {"label": "a"}]}', "unique"),
        ("long", json.dumps({"labels": [{"label": "a" * 257}]}), "1 to 256 characters"),
        ("many", json.dumps({"labels": [{"label": f"l{n}"} for n in range(51)]}), "50 labels, not 51"),
    ],
    ids=lambda value: value[:12],
)
def test_bad_label_categories(sagemaker_client, s3_client, bucket, name, config, reason):
    request = job_request(s3_client, bucket, f"labels-{name}", ["s3://b/a.jpg"])
    s3_client.put_object(Bucket=bucket, Key="labels.json", Body=config)
    assert reason in failure(sagemaker_client, request)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "The manifest s3://{}/none does not exist"),
        ("LabelCategoryConfigS3Uri", "The label category configuration s3://{}/none does not exist"),
        ("HumanTaskConfig.UiConfig.UiTemplateS3Uri", "The UI template s3://{}/none does not exist"),
    ],
)
def test_missing_files(sagemaker_client, s3_client, bucket, path, reason):
    request = job_request(s3_client, bucket, "missing-" + path.rpartition(".")[2], ["s3://b/a.jpg"])
    assert reason.format(bucket) in failure(sagemaker_client, changed(request, path, f"s3://{bucket}/none"))


def test_a_template_without_the_element(sagemaker_client, s3_client, bucket):
    request = job_request(s3_client, bucket, "template", ["s3://b/a.jpg"])
    put_template(s3_client, bucket, "<crowd-form></crowd-form>")
    assert "crowd-bounding-box" in failure(sagemaker_client, request)


def test_a_missing_output_bucket(sagemaker_client, s3_client, bucket):
    request = job_request(s3_client, bucket, "no-bucket", ["s3://b/a.jpg"])
    assert "output bucket" in failure(
        sagemaker_client, changed(request, "OutputConfig.S3OutputPath", "s3://nowhere-x/o")
    )


def test_the_public_workforce_needs_content_free_of_pii(sagemaker_client, s3_client, bucket):
    request = changed(
        job_request(s3_client, bucket, "pii", ["s3://b/a.jpg"]), "HumanTaskConfig.WorkteamArn", PUBLIC_TEAM
    )
    request["HumanTaskConfig"]["PublicWorkforceTaskPrice"] = {
        "AmountInUsd": {"Cents": 3, "TenthFractionsOfACent": 6}
    }
    assert "FreeOfPersonallyIdentifiableInformation" in failure(sagemaker_client, request)


@pytest.mark.parametrize("task", ["VerificationBoundingBox", "TextMultiClass", "PassThrough"])
def test_tasks_without_workers_here(sagemaker_client, s3_client, bucket, task):
    request = job_request(s3_client, bucket, f"task-{task}", ["s3://b/a.jpg"])
    request["HumanTaskConfig"]["PreHumanTaskLambdaArn"] = f"{LAMBDA}PRE-{task}"
    acs = {"AnnotationConsolidationLambdaArn": f"{LAMBDA}ACS-{task}"}
    assert f"no workers for the task type {task}" in failure(
        sagemaker_client, changed(request, "HumanTaskConfig.AnnotationConsolidationConfig", acs)
    )


def test_fifty_labels_windows_line_ends_and_a_missing_last_newline(sagemaker_client, s3_client, bucket):
    uris = put_images(s3_client, bucket, 2)
    request = job_request(s3_client, bucket, "fifty", uris)
    put_labels(s3_client, bucket, [f"l{n}" for n in range(48)] + ["pencil", "pen"])
    rows = "\r\n".join(json.dumps({"source-ref": uri}) for uri in uris)
    s3_client.put_object(Bucket=bucket, Key="input.manifest", Body=rows)
    sagemaker_client.create_labeling_job(**request)
    assert wait_for_job(sagemaker_client, "fifty")["LabelCounters"]["HumanLabeled"] == 2


def test_a_line_that_is_not_utf8():
    with pytest.raises(JobFailedError, match=r"Line 7 .* not valid JSON"):
        _row(7, b'{"source-ref": "\xff"}')
