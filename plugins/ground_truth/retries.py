"""Which errors are worth another try: a retry policy for tasks, and what is passing trouble of AWS."""

from __future__ import annotations

from airflow.providers.amazon.aws.utils.waiter_with_logging import RETRIABLE_ERROR_CODES
from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as BotoConnectionError

from ground_truth.exceptions import (
    InputManifestConflictError,
    InputManifestError,
    LabelingJobConflictError,
    LabelingJobFailedError,
    LabelingJobNotFoundError,
    LabelingJobRequestError,
)

CONNECTION_ERRORS = (BotoConnectionError, HTTPClientError)
"""botocore's (and aiobotocore's) errors when no answer came: refused, timed out, closed, TLS, proxy."""

FINAL_RULE = RetryRule(
    exception=[
        InputManifestError,
        InputManifestConflictError,
        LabelingJobConflictError,
        LabelingJobFailedError,
        LabelingJobNotFoundError,
        LabelingJobRequestError,
        ParamValidationError,
    ],
    action=RetryAction.FAIL,
    reason="The same call would fail again",
)
CONNECTION_RULE = RetryRule(
    exception=list(CONNECTION_ERRORS),
    action=RetryAction.RETRY,
    reason="The AWS endpoint could not be reached",
)

RETRY_POLICY = ExceptionRetryPolicy(rules=[FINAL_RULE, CONNECTION_RULE])
"""For ``default_args={"retries": …, "retry_policy": RETRY_POLICY}``: contract errors fail at once."""


def is_transient(error: BaseException) -> bool:
    """Tell whether the same call may succeed a little later: throttled, server error, or not reached."""
    if isinstance(error, CONNECTION_ERRORS):
        return True
    if not isinstance(error, ClientError):
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in RETRIABLE_ERROR_CODES or status == 429 or status >= 500


def error_code(error: ClientError) -> str:
    """The AWS error code, such as ``ResourceInUse``."""
    return str(error.response.get("Error", {}).get("Code", ""))
