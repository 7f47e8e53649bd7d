"""What CreateLabelingJob refuses beyond botocore's model: the rules that AWS documents in words.

All of these are ValidationExceptions of the call itself. What AWS finds only when it opens the files
(manifest, label categories, template) is in input_data.py: there the job is created and fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from roundtruth.sandbox import constants
from roundtruth.sandbox.protocol import invalid

Request = dict[str, Any]

_LAMBDA = re.compile(r"arn:[^:]+:lambda:(?P<region>[^:]*):(?P<account>\d{12}):function:(?P<name>.*)")


def task_of(request: Request) -> str | None:
    """The built-in task by its pre-annotation Lambda, `BoundingBox`; None for a custom Lambda or none."""
    found = _LAMBDA.fullmatch(request["HumanTaskConfig"].get("PreHumanTaskLambdaArn", ""))
    if not found or not found["name"].startswith("PRE-"):
        return None
    return found["name"].removeprefix("PRE-")


def is_public(request: Request) -> bool:
    """Whether the work team is Amazon Mechanical Turk's."""
    return f":{constants.PUBLIC_ACCOUNT}:workteam/public-crowd/" in request["HumanTaskConfig"]["WorkteamArn"]


def check_request(request: Request, workteam_exists: Callable[[str], bool]) -> None:
    """Raise the ValidationException of the first documented rule that the request breaks."""
    for problem in _problems(request, workteam_exists):
        raise invalid(problem)


def _problems(request: Request, workteam_exists: Callable[[str], bool]) -> Iterator[str]:
    yield from _label_attribute_problems(request)
    yield from _input_problems(request)
    yield from _lambda_problems(request)
    yield from _ui_problems(request)
    yield from _time_problems(request)
    yield from _workforce_problems(request, workteam_exists)
    yield from _algorithm_problems(request)
    yield from _account_problems(request)
    yield from _tag_problems(request)


def _label_attribute_problems(request: Request) -> Iterator[str]:
    name, task = request["LabelAttributeName"], task_of(request)
    if name in {"source", "source-ref"}:
        yield f"LabelAttributeName '{name}' is reserved."
    if name.endswith("-metadata"):
        yield f"LabelAttributeName '{name}' must not end with '-metadata'."
    if task in constants.REF_TASKS and not name.endswith("-ref"):
        yield f"LabelAttributeName '{name}' must end with '-ref' for the task type {task}."
    if task is not None and task not in constants.REF_TASKS and name.endswith("-ref"):
        yield f"LabelAttributeName '{name}' must not end with '-ref' for the task type {task}."


def _input_problems(request: Request) -> Iterator[str]:
    source = request["InputConfig"]["DataSource"]
    if not source:
        yield "InputConfig.DataSource must have an S3DataSource or an SnsDataSource."
    if "S3DataSource" in source and not source["S3DataSource"]["ManifestS3Uri"].startswith("s3://"):
        yield "ManifestS3Uri must be an s3:// URI."


def _lambda_problems(request: Request) -> Iterator[str]:
    task_config = request["HumanTaskConfig"]
    consolidation = task_config.get("AnnotationConsolidationConfig", {})
    tasks = []
    for field, prefix, arn in (
        ("PreHumanTaskLambdaArn", "PRE-", task_config.get("PreHumanTaskLambdaArn")),
        ("AnnotationConsolidationLambdaArn", "ACS-", consolidation.get("AnnotationConsolidationLambdaArn")),
    ):
        found = _LAMBDA.fullmatch(arn or "")
        if not found or not found["name"].startswith(("PRE-", "ACS-")):
            continue
        if found["region"] != constants.REGION:
            yield f"{field} {arn} must be in the region of the labeling job, {constants.REGION}."
        if found["account"] != constants.LAMBDA_ACCOUNTS[constants.REGION]:
            yield f"{field} {arn} is not a built-in function of {constants.REGION}."
        if not found["name"].startswith(prefix) or found["name"][4:] not in constants.TASKS:
            yield f"{field} {arn} is not a built-in {prefix} function."
        tasks.append(found["name"][4:])
    if len(set(tasks)) > 1:
        yield f"PreHumanTaskLambdaArn and AnnotationConsolidationLambdaArn are of different tasks: {tasks}."
    if len(tasks) == 1 and task_of(request) and tasks[0] != "PassThrough" and not consolidation:
        yield f"AnnotationConsolidationConfig is required for the task type {tasks[0]}."


def _ui_problems(request: Request) -> Iterator[str]:
    ui, task = request["HumanTaskConfig"]["UiConfig"], task_of(request)
    if len(ui) != 1:
        yield "UiConfig must have exactly one of UiTemplateS3Uri and HumanTaskUiArn."
    needs_arn = task in constants.LONG_TASKS or task == "NamedEntityRecognition"
    if needs_arn and "HumanTaskUiArn" not in ui:
        yield f"UiConfig.HumanTaskUiArn is required for the task type {task}."
    if task and not needs_arn and "UiTemplateS3Uri" not in ui:
        yield f"UiConfig.UiTemplateS3Uri is required for the task type {task}."
    needs_labels = task not in {None, "PassThrough"}
    if needs_labels and "LabelCategoryConfigS3Uri" not in request:
        yield f"LabelCategoryConfigS3Uri is required for the task type {task}."


def _time_problems(request: Request) -> Iterator[str]:
    config, task = request["HumanTaskConfig"], task_of(request)
    longest = 2_592_000 if task in constants.LONG_TASKS else 28_800
    if config["TaskTimeLimitInSeconds"] > longest:
        yield f"TaskTimeLimitInSeconds must be at most {longest} for this task type."
    available = 43_200 if is_public(request) else 2_592_000
    if config.get("TaskAvailabilityLifetimeInSeconds", 0) > available:
        yield f"TaskAvailabilityLifetimeInSeconds must be at most {available} for this workforce."


def _workforce_problems(request: Request, workteam_exists: Callable[[str], bool]) -> Iterator[str]:
    config, task = request["HumanTaskConfig"], task_of(request)
    if not workteam_exists(config["WorkteamArn"]):
        yield f"Work team {config['WorkteamArn']} does not exist."
    price = config.get("PublicWorkforceTaskPrice", {}).get("AmountInUsd")
    if not is_public(request):
        if price is not None:
            yield "PublicWorkforceTaskPrice is for the public workforce only."
        return
    if task in constants.LONG_TASKS:
        yield f"The public workforce cannot be used for the task type {task}."
    if price is None:
        yield "PublicWorkforceTaskPrice.AmountInUsd is required for the public workforce."
        return
    tenths = (
        1000 * price.get("Dollars", 0) + 10 * price.get("Cents", 0) + price.get("TenthFractionsOfACent", 0)
    )
    allowed = _prices(task)
    if tenths not in [round(1000 * step) for step in allowed]:
        steps = ", ".join(f"{step:.3f}" for step in allowed)
        yield f"PublicWorkforceTaskPrice {tenths / 1000:.3f} USD is not one of the allowed prices: {steps}."


def _prices(task: str | None) -> tuple[float, ...]:
    if task and "SemanticSegmentation" in task:
        return constants.SEGMENTATION_PRICES
    return constants.BOX_PRICES if task and task.endswith("BoundingBox") else constants.OTHER_PRICES


def _algorithm_problems(request: Request) -> Iterator[str]:
    config = request.get("LabelingJobAlgorithmsConfig")
    if config is None:
        return
    arn = config["LabelingJobAlgorithmSpecificationArn"]
    owner = f":{constants.REGION}:{constants.ALGORITHM_ACCOUNT}:labeling-job-algorithm-specification/"
    if owner not in arn:
        yield f"{arn} is not an auto-labeling algorithm of {constants.REGION}."
    if "SnsDataSource" in request["InputConfig"]["DataSource"]:
        yield "Automated data labeling is not supported for streaming labeling jobs."


def _account_problems(request: Request) -> Iterator[str]:
    role, team = request["RoleArn"], request["HumanTaskConfig"]["WorkteamArn"]
    if f"::{constants.ACCOUNT}:role/" not in role:
        yield (
            f"Could not assume role {role}. Please ensure that the role exists and allows principal "
            "'sagemaker.amazonaws.com' to assume the role."
        )
    if f":sagemaker:{constants.REGION}:" not in team:
        yield f"WorkteamArn {team} must be in the region of the labeling job, {constants.REGION}."


def _tag_problems(request: Request) -> Iterator[str]:
    keys = [tag["Key"] for tag in request.get("Tags", [])]
    if len(set(keys)) < len(keys):
        yield "Tags must not have the same key twice."
    if any(key.lower().startswith("aws:") for key in keys):
        yield "Tag keys must not begin with 'aws:'."
