"""A job is the same when every field that DescribeLabelingJob gives back is; differences are shown."""

from __future__ import annotations

import copy

import pytest

from tests.ground_truth.samples import REQUEST, description
from tests.sandbox_job import changed

pytestmark = pytest.mark.airflow


@pytest.fixture
def differences():
    from ground_truth.request_comparison import differences

    return differences


def test_same_request_has_no_difference(differences):
    assert differences(REQUEST, description()) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("HumanTaskConfig.MaxConcurrentTaskCount", 1000, id="default concurrency"),
        pytest.param(
            "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds", 2_592_000, id="default lifetime, private"
        ),
        pytest.param(
            "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds", 21_600, id="default lifetime, MTurk"
        ),
        pytest.param("HumanTaskConfig.TaskKeywords", ["pencils", "pens"], id="keywords in another order"),
        pytest.param(
            "OutputConfig.S3OutputPath", "s3://bucket/ground_truth_annots", id="no slash at the end"
        ),
        pytest.param("OutputConfig.KmsKeyId", "", id="empty KMS key"),
        pytest.param("LabelingJobAlgorithmsConfig", {}, id="empty structure"),
        pytest.param("Tags", list(reversed(REQUEST["Tags"])), id="tags in another order"),
        pytest.param("Tags", [*REQUEST["Tags"], {"Key": "aws:by", "Value": "x"}], id="a tag added later"),
        pytest.param("LabelingJobName", "PENS-2026-11-16-1", id="name in another case"),
    ],
)
def test_not_a_difference(differences, path, value):
    assert differences(REQUEST, description(request=changed(REQUEST, path, value))) == []


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("LabelAttributeName", "other", 'LabelAttributeName: "other" / "boxes"'),
        (
            "InputConfig.DataSource.S3DataSource.ManifestS3Uri",
            "s3://bucket/other",
            'InputConfig.DataSource.S3DataSource.ManifestS3Uri: "s3://bucket/other" / '
            '"s3://bucket/rounds/1/input.manifest"',
        ),
        (
            "InputConfig.DataAttributes",
            None,
            "InputConfig.DataAttributes.ContentClassifiers: (absent) / "
            '["FreeOfAdultContent", "FreeOfPersonallyIdentifiableInformation"]',
        ),
        ("OutputConfig.KmsKeyId", "key", 'OutputConfig.KmsKeyId: "key" / (absent)'),
        (
            "RoleArn",
            "arn:aws:iam::123456789012:role/Other",
            'RoleArn: "arn:aws:iam::123456789012:role/Other" / "arn:aws:iam::123456789012:role/GroundTruth"',
        ),
        (
            "LabelCategoryConfigS3Uri",
            None,
            'LabelCategoryConfigS3Uri: (absent) / "s3://bucket/rounds/1/label-categories.json"',
        ),
        (
            "StoppingConditions.MaxHumanLabeledObjectCount",
            5,
            "StoppingConditions.MaxHumanLabeledObjectCount: 5 / (absent)",
        ),
        (
            "LabelingJobAlgorithmsConfig.LabelingJobAlgorithmSpecificationArn",
            "arn:a",
            'LabelingJobAlgorithmsConfig.LabelingJobAlgorithmSpecificationArn: "arn:a" / (absent)',
        ),
        (
            "HumanTaskConfig.NumberOfHumanWorkersPerDataObject",
            5,
            "HumanTaskConfig.NumberOfHumanWorkersPerDataObject: 5 / 3",
        ),
        (
            "HumanTaskConfig.MaxConcurrentTaskCount",
            10,
            "HumanTaskConfig.MaxConcurrentTaskCount: 10 / (absent)",
        ),
        (
            "HumanTaskConfig.PublicWorkforceTaskPrice.AmountInUsd.Cents",
            3,
            "HumanTaskConfig.PublicWorkforceTaskPrice.AmountInUsd.Cents: 3 / (absent)",
        ),
        ("HumanTaskConfig.TaskTitle", "펜", 'HumanTaskConfig.TaskTitle: "펜" / "Pens and pencils"'),
        ("Tags", [{"Key": "project", "Value": "pens"}], 'Tags[round]: (absent) / "2026-11-16"'),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" not in value else "",
)
def test_difference_is_shown(differences, path, value, line):
    theirs = description(request=changed(REQUEST, path, value))
    assert differences(REQUEST, theirs) == [line]


def test_a_default_that_the_request_names_is_compared(differences):
    ours = changed(REQUEST, "HumanTaskConfig.MaxConcurrentTaskCount", 50)
    theirs = changed(REQUEST, "HumanTaskConfig.MaxConcurrentTaskCount", 1000)
    assert differences(ours, description(request=theirs)) == [
        "HumanTaskConfig.MaxConcurrentTaskCount: 1000 / 50"
    ]


def test_every_field_of_the_request_that_describe_echoes_is_compared(differences, aws):
    from ground_truth.hooks import GroundTruthHook

    model = GroundTruthHook().conn.meta.service_model
    asked = model.operation_model("CreateLabelingJob").input_shape.members
    echoed = model.operation_model("DescribeLabelingJob").output_shape.members
    for field in (set(asked) & set(echoed)) - {"LabelingJobName"}:
        theirs = copy.deepcopy(REQUEST)
        theirs[field] = [{"Key": "project", "Value": "?"}] if field == "Tags" else {"Changed": "?"}
        assert differences(REQUEST, theirs), f"a change of {field} is not seen"
