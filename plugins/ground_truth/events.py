"""What the triggers of labeling jobs report, turned into a result or an error of the waiting task."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.utils import validate_execute_complete_event

from ground_truth.exceptions import LabelingJobFailedError, LabelingJobNotFoundError, LabelingJobWaitError


def labeling_job_of(event: dict[str, Any] | None) -> str:
    """Return the name of the job that the trigger saw come to the end that was waited for.

    :param event: The payload of the trigger's event.
    :raises LabelingJobFailedError: when the job failed or was stopped.
    :raises LabelingJobNotFoundError: when there is no such job.
    :raises LabelingJobWaitError: when the wait timed out or was refused; the job goes on.
    """
    event = validate_execute_complete_event(event)
    job_name, message = event["job_name"], event.get("message")
    if event["status"] == "success":
        return str(job_name)
    if event["status"] == "failed":
        raise LabelingJobFailedError(job_name, event["job_status"], event.get("failure_reason"))
    if event.get("error_code") == "ResourceNotFound":
        raise LabelingJobNotFoundError(f"There is no labeling job {job_name!r}: {message}")
    raise LabelingJobWaitError(
        f"The wait for labeling job {job_name!r} ended with {event['status']}: {message}"
    )
