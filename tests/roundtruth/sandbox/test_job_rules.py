"""Every documented constraint of CreateLabelingJob, over HTTP: the code, and AWS's words where known."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from roundtruth.sandbox import REGION, WORKTEAM_ARN
from tests.sandbox_fixture import client
from tests.sandbox_job import LAMBDA, PUBLIC_TEAM, changed, job_request, wait_for_job

S3 = "s3://bucket/x"
OTHER_LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:my-function"
PRICE = {"AmountInUsd": {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}}
TASK = "HumanTaskConfig."
CLASSIFIERS = ["FreeOfPersonallyIdentifiableInformation"]
ALGORITHM = "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/object-detection"

PATTERN = "regular expression pattern"
LONGER = "Member must have length less than or equal to "
SHORTER = "Member must have length greater than or equal to "
ABOVE = "Member must have value less than or equal to "
BELOW = "Member must have value greater than or equal to "
NULL = "Member must not be null"

MODEL = [
    ("LabelingJobName", None, f"Value null at 'labelingJobName' failed to satisfy constraint: {NULL}"),
    ("LabelingJobName", "", f"'labelingJobName' failed to satisfy constraint: {SHORTER}1"),
    ("LabelingJobName", "a" * 64, LONGER + "63"),
    (
        "LabelingJobName",
        "my_job",
        "Value 'my_job' at 'labelingJobName' failed to satisfy constraint: Member must "
        r"satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    ),
    ("LabelingJobName", "job-", PATTERN),
    ("LabelingJobName", "job.1", PATTERN),
    ("LabelAttributeName", None, "'labelAttributeName'"),
    ("LabelAttributeName", "test_BB", PATTERN),
    ("LabelAttributeName", "a" * 128, LONGER + "127"),
    ("InputConfig", None, "'inputConfig'"),
    ("InputConfig.DataSource", None, "'inputConfig.dataSource'"),
    ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "manifest", PATTERN),
    ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "s3://b/" + "x" * 1024, LONGER + "1024"),
    ("InputConfig.DataSource.SnsDataSource", {"SnsTopicArn": "topic"}, PATTERN),
    (
        "InputConfig.DataAttributes.ContentClassifiers",
        ["Nice"],
        "at 'inputConfig.dataAttributes.contentClassifiers.1."
        "member' failed to satisfy constraint: Member must satisfy enum value set: "
        "[FreeOfPersonallyIdentifiableInformation, FreeOfAdultContent]",
    ),
    ("OutputConfig", None, "'outputConfig'"),
    ("OutputConfig.S3OutputPath", "out", PATTERN),
    ("OutputConfig.KmsKeyId", "key?", PATTERN),
    ("OutputConfig.SnsTopicArn", "topic", PATTERN),
    ("RoleArn", "role", SHORTER + "20"),
    ("RoleArn", "arn:aws:iam::1:role/GroundTruthRole", PATTERN),
    ("LabelCategoryConfigS3Uri", "labels.json", PATTERN),
    ("StoppingConditions.MaxHumanLabeledObjectCount", 0, BELOW + "1"),
    ("StoppingConditions.MaxPercentageOfInputDatasetLabeled", 101, ABOVE + "100"),
    ("LabelingJobAlgorithmsConfig", {}, "labelingJobAlgorithmSpecificationArn"),
    (
        "LabelingJobAlgorithmsConfig",
        {
            "LabelingJobAlgorithmSpecificationArn": ALGORITHM,
            "LabelingJobResourceConfig": {"VpcConfig": {"SecurityGroupIds": ["s"] * 6, "Subnets": ["n"]}},
        },
        "securityGroupIds' failed",
    ),
    (TASK + "WorkteamArn", "team", PATTERN),
    (TASK + "UiConfig", None, "'humanTaskConfig.uiConfig'"),
    (TASK + "UiConfig.UiTemplateS3Uri", "template", PATTERN),
    (TASK + "PreHumanTaskLambdaArn", "lambda", PATTERN),
    (TASK + "AnnotationConsolidationConfig", {}, "annotationConsolidationLambdaArn"),
    (TASK + "TaskKeywords", [], SHORTER + "1"),
    (TASK + "TaskKeywords", ["a"] * 6, LONGER + "5"),
    (TASK + "TaskKeywords", ["a" * 31], "'humanTaskConfig.taskKeywords.1.member' failed"),
    (TASK + "TaskKeywords", ["pens, pencils"], PATTERN),
    (TASK + "TaskTitle", "t" * 129, LONGER + "128"),
    (TASK + "TaskTitle", "\x07", PATTERN),
    (TASK + "TaskDescription", "d" * 256, LONGER + "255"),
    (TASK + "NumberOfHumanWorkersPerDataObject", 0, BELOW + "1"),
    (TASK + "NumberOfHumanWorkersPerDataObject", 10, ABOVE + "9"),
    (TASK + "TaskTimeLimitInSeconds", 29, BELOW + "30"),
    (TASK + "TaskAvailabilityLifetimeInSeconds", 59, BELOW + "60"),
    (TASK + "MaxConcurrentTaskCount", 5001, ABOVE + "5000"),
    (TASK + "PublicWorkforceTaskPrice.AmountInUsd", {"Dollars": 3}, ABOVE + "2"),
    (TASK + "PublicWorkforceTaskPrice.AmountInUsd", {"Cents": 100}, ABOVE + "99"),
    (TASK + "PublicWorkforceTaskPrice.AmountInUsd", {"TenthFractionsOfACent": 10}, ABOVE + "9"),
    ("Tags", [{"Key": "k", "Value": "v"}] * 51, LONGER + "50"),
    ("Tags", [{"Key": "", "Value": "v"}], "'tags.1.member.key' failed"),
    ("Tags", [{"Key": "k", "Value": "v" * 257}], LONGER + "256"),
    ("Tags", [{"Key": "k!", "Value": "v"}], PATTERN),
]

WORDS = [
    ("LabelAttributeName", "pens-metadata", "must not end with '-metadata'"),
    ("LabelAttributeName", "source-ref", "reserved"),
    ("LabelAttributeName", "source", "reserved"),
    ("LabelAttributeName", "pens-ref", "must not end with '-ref'"),
    (TASK + "PreHumanTaskLambdaArn", f"{LAMBDA}PRE-SemanticSegmentation", "must end with '-ref'"),
    ("InputConfig.DataSource", {}, "S3DataSource or an SnsDataSource"),
    ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "https://bucket/manifest", "s3:// URI"),
    (TASK + "PreHumanTaskLambdaArn", LAMBDA.replace("us-east-1", "eu-west-1") + "PRE-BoundingBox", "region"),
    (TASK + "PreHumanTaskLambdaArn", LAMBDA.replace("4324", "1111") + "PRE-BoundingBox", "built-in"),
    (TASK + "PreHumanTaskLambdaArn", f"{LAMBDA}PRE-ImageMultiClass", "different tasks"),
    (TASK + "PreHumanTaskLambdaArn", f"{LAMBDA}PRE-Boxes", "built-in"),
    (TASK + "AnnotationConsolidationConfig", {"AnnotationConsolidationLambdaArn": f"{LAMBDA}PRE-BoundingBox"},
     "not a built-in ACS- function"),
    (TASK + "AnnotationConsolidationConfig", None, "AnnotationConsolidationConfig is required"),
    (TASK + "UiConfig", {}, "exactly one"),
    (TASK + "UiConfig.HumanTaskUiArn",
     "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/VideoObjectDetection", "exactly one"),
    (TASK + "UiConfig",
     {"HumanTaskUiArn": "arn:aws:sagemaker:us-east-1:394669845002:human-task-ui/VideoObjectDetection"},
     "UiTemplateS3Uri is required"),
    ("LabelCategoryConfigS3Uri", None, "LabelCategoryConfigS3Uri is required"),
    (TASK + "TaskTimeLimitInSeconds", 28_801, "at most 28800"),
    (TASK + "TaskAvailabilityLifetimeInSeconds", 2_592_001, "at most 2592000"),
    (TASK + "WorkteamArn", WORKTEAM_ARN + "-2", "does not exist"),
    (TASK + "WorkteamArn", PUBLIC_TEAM, "PublicWorkforceTaskPrice.AmountInUsd is required"),
    (TASK + "PublicWorkforceTaskPrice", PRICE, "public workforce only"),
    ("LabelingJobAlgorithmsConfig", {"LabelingJobAlgorithmSpecificationArn": "arn:x"},
     "auto-labeling"),
    ("RoleArn", "arn:aws:iam::999999999999:role/GroundTruth", "Could not assume role"),
    ("Tags", [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], "same key twice"),
    ("Tags", [{"Key": "aws:k", "Value": "1"}], "aws:"),
]  # fmt: skip


@pytest.fixture(scope="module")
def unchecked(sandbox):
    """A client that sends what botocore itself would refuse to send."""
    return boto3.client(
        "sagemaker",
        endpoint_url=sandbox.endpoint_url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(parameter_validation=False, retries={"max_attempts": 0}),
    )


@pytest.fixture(scope="module")
def valid(sandbox):
    """A request in which nothing is wrong yet; none of the tests that change it makes a job."""
    s3 = client("s3", sandbox.endpoint_url)
    s3.create_bucket(Bucket="job-rules")
    return job_request(s3, "job-rules", "Refused")


def refusal(sagemaker, request):
    with pytest.raises(ClientError) as refused:
        sagemaker.create_labeling_job(**request)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer["Error"]["Code"], answer["Error"]["Message"]


@pytest.mark.parametrize(("path", "value", "message"), MODEL, ids=lambda value: str(value)[:40])
def test_the_models_constraints_are_refused(unchecked, valid, path, value, message):
    code, said = refusal(unchecked, changed(valid, path, value))
    assert code == "ValidationException"
    assert re.match(r"(1 validation error|[2-9] validation errors) detected: Value ", said)
    assert message in said


@pytest.mark.parametrize(("path", "value", "message"), WORDS, ids=lambda value: str(value)[:40])
def test_the_documented_rules_are_refused(unchecked, valid, path, value, message):
    code, said = refusal(unchecked, changed(valid, path, value))
    assert code == "ValidationException"
    assert message in said


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            TASK + "PublicWorkforceTaskPrice.AmountInUsd",
            {"Cents": 3, "TenthFractionsOfACent": 7},
            "0.037 USD is not",
        ),
        (
            TASK + "PublicWorkforceTaskPrice.AmountInUsd",
            {"Cents": 1, "TenthFractionsOfACent": 2},
            "0.036, 0.048",
        ),
        (TASK + "TaskAvailabilityLifetimeInSeconds", 43_201, "at most 43200"),
    ],
)
def test_the_rules_of_mechanical_turk(unchecked, valid, path, value, message):
    request = changed(valid, TASK + "WorkteamArn", PUBLIC_TEAM)
    request = changed(request, TASK + "PublicWorkforceTaskPrice", PRICE)
    code, said = refusal(unchecked, changed(request, path, value))
    assert (code, message in said) == ("ValidationException", True)


def test_several_problems_are_counted(unchecked, s3_client, bucket):
    request = changed(job_request(s3_client, bucket, "a_b"), "LabelAttributeName", "c_d")
    assert refusal(unchecked, request)[1].startswith("2 validation errors detected: ")


def test_a_wrong_type_is_a_serialization_exception(unchecked, s3_client, bucket):
    request = changed(job_request(s3_client, bucket, "a"), TASK + "TaskTimeLimitInSeconds", {"a": 1})
    assert refusal(unchecked, request)[0] == "SerializationException"


def test_a_bucket_of_another_region_is_refused(unchecked, s3_client, bucket):
    s3_client.create_bucket(
        Bucket=f"{bucket}-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    request = changed(
        job_request(s3_client, bucket, "a"), "OutputConfig.S3OutputPath", f"s3://{bucket}-eu/out"
    )
    code, said = refusal(unchecked, request)
    assert (code, "eu-west-1" in said) == ("ValidationException", True)


def test_names_are_taken_whatever_their_case(sagemaker_client, s3_client, bucket):
    request = job_request(s3_client, bucket, "Example-Job")
    first = sagemaker_client.create_labeling_job(**request)
    code, said = refusal(sagemaker_client, changed(request, "LabelingJobName", "example-JOB"))
    assert code == "ResourceInUse"
    assert first["LabelingJobArn"] in said
    assert first["LabelingJobArn"] == "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/example-job"
    wait_for_job(sagemaker_client, "EXAMPLE-JOB")


@pytest.mark.parametrize("operation", ["DescribeLabelingJob", "StopLabelingJob"])
def test_jobs_that_do_not_exist_are_not_found(sagemaker_client, operation):
    call = getattr(sagemaker_client, {"D": "describe_labeling_job", "S": "stop_labeling_job"}[operation[0]])
    with pytest.raises(sagemaker_client.exceptions.ResourceNotFound):
        call(LabelingJobName="nobody-made-this")


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("SageMaker.CreateTrainingJob", b"{}", "UnknownOperationException"),
        ("SageMaker.MakeCoffee", b"{}", "UnknownOperationException"),
        ("SageMaker.DescribeLabelingJob", b"{", "SerializationException"),
        ("SageMaker.DescribeLabelingJob", b"[]", "SerializationException"),
    ],
)
def test_the_protocols_errors(sandbox, target, body, code):
    request = urllib.request.Request(sandbox.endpoint_url, data=body, headers={"X-Amz-Target": target})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    assert refused.value.code == 400
    assert json.loads(refused.value.read())["__type"] == code
