"""What a task makes of a trigger's event."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.airflow


def test_success():
    from ground_truth.events import labeling_job_of

    assert labeling_job_of({"status": "success", "job_name": "pens-1"}) == "pens-1"


@pytest.mark.parametrize(
    ("event", "error", "message"),
    [
        (
            {"status": "failed", "job_status": "Failed", "failure_reason": "no access", "message": "m"},
            "LabelingJobFailedError",
            "'pens-1' is Failed: no access",
        ),
        (
            {"status": "failed", "job_status": "Stopped", "failure_reason": None, "message": "m"},
            "LabelingJobFailedError",
            "'pens-1' is Stopped: no failure reason given",
        ),
        (
            {"status": "error", "error_code": "ResourceNotFound", "message": "m"},
            "LabelingJobNotFoundError",
            "no labeling job",
        ),
        (
            {"status": "error", "error_code": "AccessDenied", "message": "not you"},
            "LabelingJobWaitError",
            "not you",
        ),
        ({"status": "timeout", "message": "max attempts"}, "LabelingJobWaitError", "timeout: max attempts"),
    ],
)
def test_errors(event, error, message):
    from ground_truth import exceptions
    from ground_truth.events import labeling_job_of

    with pytest.raises(getattr(exceptions, error), match=message):
        labeling_job_of({"job_name": "pens-1", **event})


def test_no_event():
    from airflow.providers.common.compat.sdk import AirflowException

    from ground_truth.events import labeling_job_of

    with pytest.raises(AirflowException, match="event is None"):
        labeling_job_of(None)
