"""What DescribeLabelingJob says about a job: its status, its counters, whether it came to a good end."""

from __future__ import annotations

from typing import Any

from ground_truth.exceptions import LabelingJobFailedError

RUNNING_STATES = frozenset({"Initializing", "InProgress"})
SUCCESS_STATES = frozenset({"Completed"})
FAILURE_STATES = frozenset({"Failed", "Stopped"})
STOPPING_STATES = frozenset({"Stopping"})
TERMINAL_STATES = SUCCESS_STATES | FAILURE_STATES

STATUS_QUERIES = ["LabelingJobStatus", "LabelCounters", "FailureReason"]
"""JMESPath of what is logged at each look at a job."""

_COUNTERS = {
    "total_labeled": "TotalLabeled",
    "human_labeled": "HumanLabeled",
    "machine_labeled": "MachineLabeled",
    "failed_non_retryable_error": "FailedNonRetryableError",
    "unlabeled": "Unlabeled",
}


def outcome(description: dict[str, Any]) -> dict[str, Any]:
    """Shorten a DescribeLabelingJob answer to what later tasks need; small enough for XCom.

    :return: ``job_name``, ``arn``, ``status``, ``output_manifest_uri`` (None as long as there is no output)
        and ``counters``: ``total_labeled``, ``human_labeled``, ``machine_labeled``,
        ``failed_non_retryable_error`` and ``unlabeled``, in objects.
    """
    counters = description["LabelCounters"]
    return {
        "job_name": description["LabelingJobName"],
        "arn": description["LabelingJobArn"],
        "status": description["LabelingJobStatus"],
        "output_manifest_uri": description.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri"),
        "counters": {ours: int(counters.get(theirs, 0)) for ours, theirs in _COUNTERS.items()},
    }


def raise_if_failed(description: dict[str, Any]) -> None:
    """Do nothing as long as a job runs or when it is completed.

    :raises LabelingJobFailedError: when the job failed or was stopped.
    """
    if description["LabelingJobStatus"] in FAILURE_STATES:
        raise failure(description)


def failure(description: dict[str, Any]) -> LabelingJobFailedError:
    """The error of a job that will not be completed."""
    return LabelingJobFailedError(
        description["LabelingJobName"],
        description["LabelingJobStatus"],
        description.get("FailureReason") or None,
    )


def incomplete_message(result: dict[str, Any]) -> str | None:
    """Say what a completed job left without a label, or None: ``Completed`` does not mean all was labeled.

    The console shows such a job as "Complete with labeling errors" (aws/amazon-sagemaker-examples#2928).

    :param result: What :func:`outcome` returned.
    """
    counters = result["counters"]
    if not counters["unlabeled"] and not counters["failed_non_retryable_error"]:
        return None
    return (
        f"Labeling job {result['job_name']!r} is {result['status']} with {counters['total_labeled']} objects "
        f"labeled, {counters['unlabeled']} not labeled and {counters['failed_non_retryable_error']} failed"
    )
