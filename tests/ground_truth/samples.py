"""A request, what DescribeLabelingJob answers for it, and a hook whose client is stubbed by botocore."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from botocore.stub import Stubber

REGION, ACCOUNT = "us-east-1", "123456789012"
WORKTEAM = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:workteam/private-crowd/pens"
LAMBDA = "arn:aws:lambda:us-east-1:432418664414:function:"
STATES = ("Initializing", "InProgress", "Completed", "Failed", "Stopping", "Stopped")
COUNTERS = {
    "TotalLabeled": 60,
    "HumanLabeled": 60,
    "MachineLabeled": 0,
    "FailedNonRetryableError": 0,
    "Unlabeled": 0,
}
REQUEST: dict[str, Any] = {
    "LabelingJobName": "pens-2026-11-16-1",
    "LabelAttributeName": "boxes",
    "InputConfig": {
        "DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://bucket/rounds/1/input.manifest"}},
        "DataAttributes": {
            "ContentClassifiers": ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]
        },
    },
    "OutputConfig": {"S3OutputPath": "s3://bucket/ground_truth_annots/"},
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/GroundTruth",
    "LabelCategoryConfigS3Uri": "s3://bucket/rounds/1/label-categories.json",
    "StoppingConditions": {"MaxPercentageOfInputDatasetLabeled": 100},
    "HumanTaskConfig": {
        "WorkteamArn": WORKTEAM,
        "UiConfig": {"UiTemplateS3Uri": "s3://bucket/rounds/1/template.liquid"},
        "PreHumanTaskLambdaArn": f"{LAMBDA}PRE-BoundingBox",
        "TaskKeywords": ["pens", "pencils"],
        "TaskTitle": "Pens and pencils",
        "TaskDescription": "Draw a box around each pen and pencil",
        "NumberOfHumanWorkersPerDataObject": 3,
        "TaskTimeLimitInSeconds": 300,
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": f"{LAMBDA}ACS-BoundingBox"},
    },
    "Tags": [{"Key": "project", "Value": "pens"}, {"Key": "round", "Value": "2026-11-16"}],
}


def description(
    status: str = "InProgress", request: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """What DescribeLabelingJob answers for a job created from the request."""
    echoed = copy.deepcopy(request or REQUEST)
    name = echoed["LabelingJobName"]
    answer: dict[str, Any] = {
        **echoed,
        "LabelingJobStatus": status,
        "LabelCounters": COUNTERS,
        "LabelingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:labeling-job/{name.lower()}",
        "CreationTime": datetime(2026, 11, 16, 6, tzinfo=UTC),
        "LastModifiedTime": datetime(2026, 11, 16, 7, tzinfo=UTC),
        "JobReferenceCode": "abc",
    }
    if status == "Completed":
        answer["LabelingJobOutput"] = {"OutputDatasetS3Uri": "s3://bucket/out/pens/output.manifest"}
    if status == "Failed":
        answer["FailureReason"] = "ClientError: no permission to read the bucket"
    return answer | more


def stubbed(hook: Any) -> Stubber:
    """Stub the client of a hook; botocore checks requests and answers against the API's model."""
    stubber = Stubber(hook.conn)
    stubber.activate()
    return stubber


def add_describe(
    stubber: Stubber, answer: dict[str, Any] | None, name: str = REQUEST["LabelingJobName"]
) -> None:
    """Expect a DescribeLabelingJob; None answers that there is no such job."""
    expected = {"LabelingJobName": name}
    if answer is None:
        add_error(stubber, "describe_labeling_job", "ResourceNotFound", expected)
    else:
        stubber.add_response("describe_labeling_job", answer, expected)


def add_error(
    stubber: Stubber,
    operation: str,
    code: str,
    expected: dict[str, Any] | None = None,
    message: str = "no",
    status: int = 400,
) -> None:
    """Expect a call that is answered with an error."""
    stubber.add_client_error(
        operation,
        service_error_code=code,
        service_message=message,
        http_status_code=status,
        expected_params=expected,
    )
