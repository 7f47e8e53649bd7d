"""Which errors fail a task at once, which are tried again, and that a Dag takes the policy."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
    ReadTimeoutError,
)

pytestmark = pytest.mark.airflow


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Describe")


LOST = [
    EndpointConnectionError(endpoint_url="u"),
    ConnectTimeoutError(endpoint_url="u"),
    ReadTimeoutError(endpoint_url="u"),
    ConnectionClosedError(endpoint_url="u"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_lost_connections_are_transient_and_retried(error):
    from airflow.sdk import RetryAction

    from ground_truth.retries import RETRY_POLICY, is_transient

    assert is_transient(error)
    decision = RETRY_POLICY.evaluate(error, 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is None, "the task's own delay, which grows from try to try"


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (client_error("ThrottlingException"), True),
        (client_error("SlowDown", 503), True),
        (client_error("InternalFailure", 500), True),
        (client_error("Odd", 429), True),
        (client_error("AccessDeniedException"), False),
        (client_error("NoSuchBucket", 404), False),
        (ValueError("x"), False),
    ],
    ids=str,
)
def test_transient(error, transient):
    from ground_truth.retries import is_transient

    assert is_transient(error) is transient


def test_contract_errors_fail_at_once():
    from airflow.sdk import RetryAction

    from ground_truth import exceptions
    from ground_truth.retries import RETRY_POLICY

    final = [
        exceptions.InputManifestError("x"),
        exceptions.InputManifestConflictError("x"),
        exceptions.LabelingJobConflictError("job", ["a: 1 / 2"]),
        exceptions.LabelingJobFailedError("job", "Failed", "x"),
        exceptions.LabelingJobNotFoundError("x"),
        exceptions.LabelingJobRequestError("x"),
        ParamValidationError(report="x"),
    ]
    later = [
        exceptions.LabelingJobUnavailableError("x"),
        exceptions.LabelingJobWaitError("x"),
        exceptions.LabelingJobProgressError("x", {}),
        exceptions.LabelingJobStalledError("x", {}),
        exceptions.GroundTruthError("x"),
        client_error("ThrottlingException"),
    ]
    assert {RETRY_POLICY.evaluate(error, 1, 3).action for error in final} == {RetryAction.FAIL}
    assert {RETRY_POLICY.evaluate(error, 1, 3).action for error in later} == {RetryAction.DEFAULT}
    classes = {value for value in vars(exceptions).values() if isinstance(value, type)}
    own = {one for one in classes if issubclass(one, exceptions.GroundTruthError)}
    placed = {type(error) for error in (*final, *later)}
    assert own == placed - {ParamValidationError, ClientError}, "a new error class has to be placed here"


def test_a_dag_takes_the_policy_as_a_default():
    from airflow.sdk import DAG, ExceptionRetryPolicy
    from airflow.serialization.serialized_objects import DagSerialization

    from ground_truth.operators import GroundTruthStopLabelingJobOperator
    from ground_truth.retries import RETRY_POLICY

    with DAG("d", schedule=None, default_args={"retries": 3, "retry_policy": RETRY_POLICY}) as dag:
        task = GroundTruthStopLabelingJobOperator(task_id="stop", job_name="a")
    assert task.retry_policy is RETRY_POLICY
    DagSerialization.serialize_dag(dag)
    again = ExceptionRetryPolicy.deserialize(RETRY_POLICY.serialize())
    assert again.serialize() == RETRY_POLICY.serialize()
