"""Build the CreateLabelingJob request of one job from the project file."""

from __future__ import annotations

from typing import Any

from roundtruth.ground_truth.arns import consolidation_lambda, labeling_algorithm, pre_task_lambda
from roundtruth.ground_truth.request_limits import check_request
from roundtruth.labeling_settings import Labeling
from roundtruth.project import Project
from roundtruth.storage import ObjectUri

LABEL_ATTRIBUTE = (
    "boxes"  # must not end in -ref or -metadata for box jobs (developer guide, LabelAttributeName)
)


def build_request(
    project: Project,
    *,
    job_name: str,
    round_key: str,
    manifest: ObjectUri,
    label_categories: ObjectUri,
    template: ObjectUri,
    workers: int | None = None,
) -> dict[str, Any]:
    """The keyword arguments of ``create_labeling_job``; the same project and round give the same request.

    :param workers: workers an object, where it is not the project's (a relabel pass).
    :raises LabelingRequestError: listing every field that breaks botocore's model or a documented limit.
    """
    labeling = project.labeling
    request: dict[str, Any] = {
        "LabelingJobName": job_name,
        "LabelAttributeName": LABEL_ATTRIBUTE,
        "InputConfig": _input(labeling, manifest),
        "OutputConfig": _output(project),
        "RoleArn": labeling.role_arn,
        "LabelCategoryConfigS3Uri": str(label_categories),
        "HumanTaskConfig": _human_task(project, template, workers or labeling.workers_per_object),
        "Tags": _tags(project, round_key),
    }
    stopping = {
        "MaxHumanLabeledObjectCount": labeling.stopping_conditions.max_human_labeled_object_count,
        "MaxPercentageOfInputDatasetLabeled": (
            labeling.stopping_conditions.max_percentage_of_input_dataset_labeled
        ),
    }
    if any(value is not None for value in stopping.values()):
        request["StoppingConditions"] = _without_none(stopping)
    if labeling.auto_labeling:
        request["LabelingJobAlgorithmsConfig"] = _algorithms(project)
    check_request(request)
    return request


def output_folder(project: Project) -> ObjectUri:
    """Where Ground Truth writes its own files, a folder a job."""
    return project.root_uri / "ground_truth_annots"


def _input(labeling: Labeling, manifest: ObjectUri) -> dict[str, Any]:
    content: dict[str, Any] = {"DataSource": {"S3DataSource": {"ManifestS3Uri": str(manifest)}}}
    classifiers = []
    if labeling.free_of_pii:
        classifiers.append("FreeOfPersonallyIdentifiableInformation")
    if labeling.free_of_adult_content:
        classifiers.append("FreeOfAdultContent")
    if classifiers:
        content["DataAttributes"] = {"ContentClassifiers": classifiers}
    return content


def _output(project: Project) -> dict[str, Any]:
    return _without_none(
        {
            "S3OutputPath": f"{output_folder(project)}/",
            "KmsKeyId": project.labeling.output_kms_key_id,
            "SnsTopicArn": project.labeling.output_sns_topic_arn,
        }
    )


def _human_task(project: Project, template: ObjectUri, workers: int) -> dict[str, Any]:
    labeling = project.labeling
    price = labeling.price_per_task
    return _without_none(
        {
            "WorkteamArn": labeling.workteam_arn,
            "UiConfig": {"UiTemplateS3Uri": str(template)},
            "PreHumanTaskLambdaArn": pre_task_lambda(labeling.region, project.task),
            "TaskKeywords": list(labeling.instructions.keywords),
            "TaskTitle": labeling.instructions.title,
            "TaskDescription": labeling.instructions.description,
            "NumberOfHumanWorkersPerDataObject": workers,
            "TaskTimeLimitInSeconds": labeling.task_time_limit,
            "TaskAvailabilityLifetimeInSeconds": labeling.task_availability,
            "MaxConcurrentTaskCount": labeling.max_concurrent_tasks,
            "AnnotationConsolidationConfig": {
                "AnnotationConsolidationLambdaArn": consolidation_lambda(labeling.region, project.task)
            },
            "PublicWorkforceTaskPrice": price
            and {
                "AmountInUsd": {
                    "Dollars": price.dollars,
                    "Cents": price.cents,
                    "TenthFractionsOfACent": price.tenth_fractions_of_a_cent,
                }
            },
        }
    )


def _algorithms(project: Project) -> dict[str, Any]:
    labeling = project.labeling
    vpc = labeling.vpc and {
        "SecurityGroupIds": list(labeling.vpc.security_group_ids),
        "Subnets": list(labeling.vpc.subnets),
    }
    resources = _without_none({"VolumeKmsKeyId": labeling.volume_kms_key_id, "VpcConfig": vpc})
    return _without_none(
        {
            "LabelingJobAlgorithmSpecificationArn": labeling_algorithm(labeling.region, project.task),
            "InitialActiveLearningModelArn": labeling.initial_model_arn,
            "LabelingJobResourceConfig": resources or None,
        }
    )


def _tags(project: Project, round_key: str) -> list[dict[str, str]]:
    tags = {"roundtruth-project": project.project, "roundtruth-round": round_key, **project.labeling.tags}
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _without_none(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}
