"""What a description comes to: the small result, failures, and what a completed job left without a label."""

from __future__ import annotations

import json

import pytest

from tests.ground_truth.samples import COUNTERS, STATES, description

pytestmark = pytest.mark.airflow


def test_outcome_is_small_json():
    from ground_truth.labeling_job import outcome

    result = outcome(description("Completed"))
    assert json.loads(json.dumps(result)) == {
        "job_name": "pens-2026-11-16-1",
        "arn": "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/pens-2026-11-16-1",
        "status": "Completed",
        "output_manifest_uri": "s3://bucket/out/pens/output.manifest",
        "counters": {
            "total_labeled": 60,
            "human_labeled": 60,
            "machine_labeled": 0,
            "failed_non_retryable_error": 0,
            "unlabeled": 0,
        },
    }
    assert outcome(description("InProgress"))["output_manifest_uri"] is None


@pytest.mark.parametrize("status", STATES)
def test_failed_and_stopped_raise(status):
    from ground_truth.exceptions import LabelingJobFailedError
    from ground_truth.labeling_job import raise_if_failed

    if status in {"Failed", "Stopped"}:
        with pytest.raises(LabelingJobFailedError, match=status) as caught:
            raise_if_failed(description(status))
        expected = "ClientError: no permission to read the bucket" if status == "Failed" else None
        assert caught.value.failure_reason == expected
    else:
        raise_if_failed(description(status))


def test_states_of_the_api_are_covered():
    from ground_truth import labeling_job

    assert (
        set(STATES)
        == labeling_job.RUNNING_STATES | labeling_job.STOPPING_STATES | labeling_job.TERMINAL_STATES
    )


@pytest.mark.parametrize(
    ("counters", "message"),
    [
        ({}, None),
        ({"Unlabeled": 3}, "60 objects labeled, 3 not labeled and 0 failed"),
        ({"FailedNonRetryableError": 2}, "60 objects labeled, 0 not labeled and 2 failed"),
    ],
)
def test_incomplete_message(counters, message):
    from ground_truth.labeling_job import incomplete_message, outcome

    found = incomplete_message(outcome(description("Completed", LabelCounters=COUNTERS | counters)))
    assert found is None if message is None else message in found
