"""AWS's own ARNs for built-in tasks: the Lambda functions before and after a task, algorithms, public team.

Accounts by region: botocore's service model, documentation of HumanTaskConfig (sagemaker/2017-07-24).
"""

from __future__ import annotations

from roundtruth.errors import LabelingRequestError

LAMBDA_ACCOUNTS = {
    "ap-northeast-1": "477331159723",
    "ap-northeast-2": "845288260483",
    "ap-south-1": "565803892007",
    "ap-southeast-1": "377565633583",
    "ap-southeast-2": "454466003867",
    "ca-central-1": "918755190332",
    "eu-central-1": "203001061592",
    "eu-west-1": "568282634449",
    "eu-west-2": "487402164563",
    "us-east-1": "432418664414",
    "us-east-2": "266458841044",
    "us-west-2": "081040173940",
}
ALGORITHM_ACCOUNT = "027400017018"

BUILT_IN_TASK = {"bounding-box": "BoundingBox", "image-classification": "ImageMultiClass"}
BUILT_IN_ALGORITHM = {"bounding-box": "object-detection", "image-classification": "image-classification"}


def pre_task_lambda(region: str, task: str) -> str:
    """The built-in function that turns a manifest line into a worker's task (PRE-)."""
    return f"arn:aws:lambda:{region}:{_account(region)}:function:PRE-{BUILT_IN_TASK[task]}"


def consolidation_lambda(region: str, task: str) -> str:
    """The built-in function that consolidates the workers' answers (ACS-)."""
    return f"arn:aws:lambda:{region}:{_account(region)}:function:ACS-{BUILT_IN_TASK[task]}"


def labeling_algorithm(region: str, task: str) -> str:
    """The algorithm of automated data labeling."""
    return (
        f"arn:aws:sagemaker:{region}:{ALGORITHM_ACCOUNT}:"
        f"labeling-job-algorithm-specification/{BUILT_IN_ALGORITHM[task]}"
    )


def _account(region: str) -> str:
    if region not in LAMBDA_ACCOUNTS:
        raise LabelingRequestError(
            f"labeling.region {region!r} has no built-in Ground Truth functions; "
            f"use one of {', '.join(sorted(LAMBDA_ACCOUNTS))}."
        )
    return LAMBDA_ACCOUNTS[region]
