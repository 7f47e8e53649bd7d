from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from roundtruth.errors import LabelingRequestError
from roundtruth.ground_truth.arns import LAMBDA_ACCOUNTS
from roundtruth.ground_truth.job_request import build_request
from roundtruth.ground_truth.label_categories import encode_label_categories
from roundtruth.ground_truth.request_limits import BOX_PRICES, check_request
from roundtruth.ground_truth.task_template import render_task_template
from roundtruth.project import Project
from roundtruth.sandbox import ROLE_ARN, WORKTEAM_ARN
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import PUBLIC_TEAM, make_project
from tests.sandbox_job import changed, put_images, put_manifest, wait_for_job
from tests.store import storage

__all__ = ["storage"]

LAMBDA = "arn:aws:lambda:us-east-1:432418664414:function"
KMS = "arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012"
MODEL = "arn:aws:sagemaker:us-east-1:123456789012:model/boxes-of-last-year"
VENDOR = "arn:aws:sagemaker:us-east-1:123456789012:workteam/vendor-crowd/acme-labels"
PUBLIC = {
    "labeling__workteam_arn": PUBLIC_TEAM,
    "labeling__free_of_pii": True,
    "labeling__price_per_task": {"cents": 3, "tenth_fractions_of_a_cent": 6},
}


def request_of(project: Project, **options: Any) -> dict[str, Any]:
    folder = project.root_uri / "rounds/r/jobs/j"
    return build_request(
        project,
        job_name="pens-2026-11-16-1",
        round_key="2026-11-16",
        manifest=folder / "input.manifest",
        label_categories=folder / "label-categories.json",
        template=folder / "template.liquid",
        **options,
    )


PRIVATE_REQUEST: dict[str, Any] = {
    "LabelingJobName": "pens-2026-11-16-1",
    "LabelAttributeName": "boxes",
    "InputConfig": {
        "DataSource": {
            "S3DataSource": {"ManifestS3Uri": "s3://some-bucket/boxes/rounds/r/jobs/j/input.manifest"}
        }
    },
    "OutputConfig": {"S3OutputPath": "s3://some-bucket/boxes/ground_truth_annots/"},
    "RoleArn": ROLE_ARN,
    "LabelCategoryConfigS3Uri": "s3://some-bucket/boxes/rounds/r/jobs/j/label-categories.json",
    "HumanTaskConfig": {
        "WorkteamArn": WORKTEAM_ARN,
        "UiConfig": {"UiTemplateS3Uri": "s3://some-bucket/boxes/rounds/r/jobs/j/template.liquid"},
        "PreHumanTaskLambdaArn": f"{LAMBDA}:PRE-BoundingBox",
        "TaskKeywords": ["image", "bounding box"],
        "TaskTitle": "Draw a box around every object",
        "TaskDescription": "Draw a tight box around every object of the listed categories.",
        "NumberOfHumanWorkersPerDataObject": 3,
        "TaskTimeLimitInSeconds": 300,
        "MaxConcurrentTaskCount": 1000,
        "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": f"{LAMBDA}:ACS-BoundingBox"},
    },
    "Tags": [
        {"Key": "roundtruth-project", "Value": "pens"},
        {"Key": "roundtruth-round", "Value": "2026-11-16"},
    ],
}


def test_request_of_a_private_team() -> None:
    assert request_of(make_project()) == PRIVATE_REQUEST


def test_request_of_mechanical_turk() -> None:
    found = request_of(
        make_project(**PUBLIC, labeling__free_of_adult_content=True, labeling__task_availability=43_200)
    )
    expected = copy.deepcopy(PRIVATE_REQUEST)
    expected["InputConfig"]["DataAttributes"] = {
        "ContentClassifiers": ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"]
    }
    expected["HumanTaskConfig"] |= {
        "WorkteamArn": PUBLIC_TEAM,
        "TaskAvailabilityLifetimeInSeconds": 43_200,
        "PublicWorkforceTaskPrice": {"AmountInUsd": {"Dollars": 0, "Cents": 3, "TenthFractionsOfACent": 6}},
    }
    assert found == expected


def test_request_with_everything() -> None:
    found = request_of(
        make_project(
            labeling__workteam_arn=VENDOR,
            labeling__workers_per_object=5,
            labeling__output_kms_key_id=KMS,
            labeling__volume_kms_key_id=KMS,
            labeling__output_sns_topic_arn="arn:aws:sns:us-east-1:123456789012:labels",
            labeling__tags={"cost-center": "vision", "roundtruth-project": "mine"},
            labeling__stopping_conditions={
                "max_human_labeled_object_count": 500,
                "max_percentage_of_input_dataset_labeled": 80,
            },
            labeling__auto_labeling=True,
            labeling__initial_model_arn=MODEL,
            labeling__vpc={"security_group_ids": ["sg-1"], "subnets": ["subnet-1", "subnet-2"]},
            labeling__instructions={"title": "펜", "description": "Draw.", "keywords": ["pens"]},
        ),
        workers=2,
    )
    expected = copy.deepcopy(PRIVATE_REQUEST)
    expected["OutputConfig"] |= {
        "KmsKeyId": KMS,
        "SnsTopicArn": "arn:aws:sns:us-east-1:123456789012:labels",
    }
    expected["HumanTaskConfig"] |= {
        "WorkteamArn": VENDOR,
        "NumberOfHumanWorkersPerDataObject": 2,
        "TaskTitle": "펜",
        "TaskDescription": "Draw.",
        "TaskKeywords": ["pens"],
    }
    expected["StoppingConditions"] = {
        "MaxHumanLabeledObjectCount": 500,
        "MaxPercentageOfInputDatasetLabeled": 80,
    }
    expected["LabelingJobAlgorithmsConfig"] = {
        "LabelingJobAlgorithmSpecificationArn": (
            "arn:aws:sagemaker:us-east-1:027400017018:labeling-job-algorithm-specification/object-detection"
        ),
        "InitialActiveLearningModelArn": MODEL,
        "LabelingJobResourceConfig": {
            "VolumeKmsKeyId": KMS,
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
        },
    }
    expected["Tags"] = [
        {"Key": "cost-center", "Value": "vision"},
        {"Key": "roundtruth-project", "Value": "mine"},
        {"Key": "roundtruth-round", "Value": "2026-11-16"},
    ]
    assert found == expected


@pytest.mark.parametrize("region", sorted(LAMBDA_ACCOUNTS))
def test_built_in_functions_of_each_region(region: str) -> None:
    team = WORKTEAM_ARN.replace("us-east-1", region)
    task = request_of(make_project(labeling__region=region, labeling__workteam_arn=team))["HumanTaskConfig"]
    prefix = f"arn:aws:lambda:{region}:{LAMBDA_ACCOUNTS[region]}:function"
    assert task["PreHumanTaskLambdaArn"] == f"{prefix}:PRE-BoundingBox"
    consolidation = task["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"]
    assert consolidation == f"{prefix}:ACS-BoundingBox"


def test_region_without_ground_truth() -> None:
    team = WORKTEAM_ARN.replace("us-east-1", "eu-north-1")
    with pytest.raises(
        LabelingRequestError, match=r"region 'eu-north-1' has no .*; use one of ap-northeast-1"
    ):
        request_of(make_project(labeling__region="eu-north-1", labeling__workteam_arn=team))


TASK = "HumanTaskConfig"
PRICE = f"{TASK}.PublicWorkforceTaskPrice"
# Each row: member, value (None: taken away), words of the error.
LIMITS: list[tuple[str, Any, str]] = [
    ("LabelingJobName", None, "LabelingJobName is required"),
    ("LabelingJobName", "", "LabelingJobName has 0 characters, at least 1"),
    ("LabelingJobName", "x" * 64, "LabelingJobName has 64 characters, at most 63"),
    ("LabelingJobName", "pens_1", "LabelingJobName 'pens_1' must match"),
    ("LabelingJobName", "pens-", "LabelingJobName 'pens-' must match"),
    ("LabelingJobName", "pens\n", "LabelingJobName"),
    ("LabelingJobName", 7, "LabelingJobName must be of type string, not int"),
    ("LabelAttributeName", "boxes-ref", "must not end in -metadata or -ref"),
    ("LabelAttributeName", "boxes-metadata", "must not end in -metadata or -ref"),
    ("LabelAttributeName", "source", "must not be source or source-ref"),
    ("LabelAttributeName", "x" * 128, "LabelAttributeName has 128 characters, at most 127"),
    ("InputConfig", None, "InputConfig is required"),
    ("InputConfig", "s3://b/m", "InputConfig must be of type structure"),
    ("InputConfig.DataSource.S3DataSource.ManifestS3Uri", "b/m", "ManifestS3Uri 'b/m' must match"),
    (
        "InputConfig.DataSource.S3DataSource.ManifestS3Uri",
        f"s3://b/{'m' * 1020}",
        "1027 characters, at most 1024",
    ),
    ("InputConfig.DataAttributes", {"ContentClassifiers": ["Nice"]}, "must be one of FreeOfPersonally"),
    ("OutputConfig", {}, "OutputConfig.S3OutputPath is required"),
    ("OutputConfig.KmsKeyId", "a key", "OutputConfig.KmsKeyId 'a key' must match"),
    ("OutputConfig.SnsTopicArn", "topic", "OutputConfig.SnsTopicArn 'topic' must match"),
    ("RoleArn", "role", "RoleArn has 4 characters, at least 20"),
    ("RoleArn", "r" * 30, "RoleArn 'rrrr"),
    ("StoppingConditions", {"MaxHumanLabeledObjectCount": 0}, "MaxHumanLabeledObjectCount 0 is below 1"),
    ("StoppingConditions", {"MaxPercentageOfInputDatasetLabeled": 101}, "Labeled 101 is above 100"),
    (f"{TASK}.WorkteamArn", None, f"{TASK}.WorkteamArn is required"),
    (f"{TASK}.WorkteamArn", "team", f"{TASK}.WorkteamArn 'team' must match"),
    (f"{TASK}.UiConfig", {}, "exactly one of UiTemplateS3Uri and HumanTaskUiArn"),
    (f"{TASK}.TaskKeywords", [], f"{TASK}.TaskKeywords has 0 entries, at least 1"),
    (f"{TASK}.TaskKeywords", ["a"] * 6, f"{TASK}.TaskKeywords has 6 entries, at most 5"),
    (f"{TASK}.TaskKeywords", ["x" * 31], f"{TASK}.TaskKeywords[0] has 31 characters, at most 30"),
    (f"{TASK}.TaskKeywords", ["pens!"], f"{TASK}.TaskKeywords[0] 'pens!' must match"),
    (f"{TASK}.TaskTitle", "x" * 129, f"{TASK}.TaskTitle has 129 characters, at most 128"),
    (f"{TASK}.TaskDescription", "x" * 256, f"{TASK}.TaskDescription has 256 characters, at most 255"),
    (f"{TASK}.NumberOfHumanWorkersPerDataObject", 0, "NumberOfHumanWorkersPerDataObject 0 is below 1"),
    (f"{TASK}.NumberOfHumanWorkersPerDataObject", 10, "NumberOfHumanWorkersPerDataObject 10 is above 9"),
    (f"{TASK}.NumberOfHumanWorkersPerDataObject", True, "must be of type integer, not bool"),
    (f"{TASK}.TaskTimeLimitInSeconds", 29, "TaskTimeLimitInSeconds 29 is below 30"),
    (f"{TASK}.TaskTimeLimitInSeconds", 28_801, "TaskTimeLimitInSeconds 28801 is above 28800 (8 hours)"),
    (f"{TASK}.TaskAvailabilityLifetimeInSeconds", 59, "TaskAvailabilityLifetimeInSeconds 59 is below 60"),
    (f"{TASK}.TaskAvailabilityLifetimeInSeconds", 2_592_001, "2592001 is above 2592000 for this work team"),
    (f"{TASK}.MaxConcurrentTaskCount", 5001, "MaxConcurrentTaskCount 5001 is above 5000"),
    (PRICE, {"AmountInUsd": {"Cents": 36}}, "PublicWorkforceTaskPrice goes with the public work team only"),
    (f"{TASK}.Colour", "red", f"{TASK}.Colour is no field of CreateLabelingJob"),
    ("Tags", [{"Key": str(n), "Value": ""} for n in range(51)], "Tags has 51 entries, at most 50"),
    ("Tags", [{"Key": "x" * 129, "Value": ""}], "Tags[0].Key has 129 characters, at most 128"),
    ("Tags", [{"Key": "x", "Value": "v" * 257}], "Tags[0].Value has 257 characters, at most 256"),
    ("Tags", [{"Key": "x", "Value": "a;b"}], "Tags[0].Value 'a;b' must match"),
    ("Tags", [{"Key": "x", "Value": "1"}, {"Key": "x", "Value": "2"}], "Tags has the key 'x' more than once"),
    ("Tags", [{"Key": "aws:x", "Value": ""}], "must not begin with aws:"),
    ("Tags", "x", "Tags must be of type list"),
]
PUBLIC_LIMITS: list[tuple[str, Any, str]] = [
    (PRICE, None, f"{PRICE} is required for the public work team"),
    (PRICE, "cheap", f"{PRICE} must be of type structure"),
    (f"{PRICE}.AmountInUsd.Cents", 4, "0.046 USD must be one of 0.036, 0.048, 0.060"),
    (f"{PRICE}.AmountInUsd.Cents", 100, "Cents 100 is above 99"),
    (f"{PRICE}.AmountInUsd.Dollars", 3, "Dollars 3 is above 2"),
    (f"{TASK}.TaskAvailabilityLifetimeInSeconds", 43_201, "43201 is above 43200 for this work team"),
    ("InputConfig.DataAttributes", None, "ContentClassifiers needs FreeOfPersonallyIdentifiableInformation"),
]


@pytest.mark.parametrize(("path", "value", "words"), LIMITS)
def test_limit_names_field_and_limit(path: str, value: Any, words: str) -> None:
    with pytest.raises(LabelingRequestError) as error:
        check_request(changed(PRIVATE_REQUEST, path, value))
    assert words in str(error.value)


@pytest.mark.parametrize(("path", "value", "words"), PUBLIC_LIMITS)
def test_limit_of_the_public_team(path: str, value: Any, words: str) -> None:
    with pytest.raises(LabelingRequestError) as error:
        check_request(changed(request_of(make_project(**PUBLIC)), path, value))
    assert words in str(error.value)


def test_all_problems_in_one_sentence() -> None:
    broken = changed(changed(PRIVATE_REQUEST, "LabelingJobName", "a_b"), f"{TASK}.TaskTitle", "")
    with pytest.raises(LabelingRequestError, match=r"of 'a_b': .*LabelingJobName.*; .*TaskTitle has 0"):
        check_request(broken)


@pytest.mark.parametrize("usd", BOX_PRICES)
def test_every_price_step_is_taken(usd: float) -> None:
    tenths = round(usd * 1000)
    amount = {
        "Dollars": tenths // 1000,
        "Cents": tenths % 1000 // 10,
        "TenthFractionsOfACent": tenths % 10,
    }
    check_request(changed(request_of(make_project(**PUBLIC)), f"{PRICE}.AmountInUsd", amount))


@pytest.mark.parametrize("public", [False, True])
def test_the_sandbox_takes_the_request(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str, public: bool
) -> None:
    project = make_project(root=f"s3://{bucket}/p", **(PUBLIC if public else {}))
    images = put_images(s3_client, bucket, 3)
    name = f"take-{bucket[-12:]}"
    manifest = put_manifest(s3_client, bucket, [{"source-ref": image} for image in images])
    template, labels = ObjectUri(bucket, "t.liquid"), ObjectUri(bucket, "l.json")
    storage.write(template, render_task_template(project.labeling.instructions))
    storage.write(labels, encode_label_categories(project.categories))
    request = build_request(
        project,
        job_name=name,
        round_key="r",
        manifest=ObjectUri.parse(manifest),
        label_categories=labels,
        template=template,
    )
    sagemaker_client.create_labeling_job(**json.loads(json.dumps(request)))
    assert wait_for_job(sagemaker_client, name)["LabelingJobStatus"] == "Completed"
