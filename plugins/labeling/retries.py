"""Which errors of a task are worth another try: AWS's passing troubles are, broken contracts are not."""

from __future__ import annotations

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from ground_truth.retries import RETRY_POLICY as AWS_RETRY_POLICY
from roundtruth.errors import (
    CategoryError,
    ConsensusError,
    LabelingRequestError,
    ManifestError,
    ProjectError,
    QualityError,
    RoundError,
    StaleCandidateError,
    TrainingError,
)

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[
                CategoryError,
                ConsensusError,
                LabelingRequestError,
                ManifestError,
                ProjectError,
                QualityError,
                RoundError,
                StaleCandidateError,
                TrainingError,
            ],
            action=RetryAction.FAIL,
            reason="The same input breaks the same rule again",
        ),
        *AWS_RETRY_POLICY.rules,
    ]
)
