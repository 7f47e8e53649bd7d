"""Which errors of a task are tried again: what is passing is, what would break the same rule again is not."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import RetryAction
from botocore.exceptions import ClientError, EndpointConnectionError

from labeling.dag_arguments import common_arguments
from labeling.retries import RETRY_POLICY
from roundtruth import errors
from roundtruth.datasets.class_registry import register_classes
from roundtruth.overviews.round_summaries import update_summaries
from tests.memory_store import memory_storage
from tests.project_samples import make_project

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

FINAL = [
    errors.CategoryError,
    errors.ConsensusError,
    errors.LabelingRequestError,
    errors.ManifestError,
    errors.ProjectError,
    errors.QualityError,
    errors.RoundError,
    errors.StaleCandidateError,
    errors.TrainingError,
]
# No task ends with them: an image is counted as unreadable, people move `latest`, the sandbox is no task.
OF_NO_TASK = [errors.RoundtruthError, errors.ImageError, errors.LatestMovedError, errors.SandboxError]
# Another run may be writing at this moment, or S3 may be out of reach.
PASSING = [errors.DatasetError, errors.MissingObjectError, errors.RoundChangedError, errors.StorageError]
THROTTLED = ClientError(
    {"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Describe"
)


@pytest.mark.parametrize("error", FINAL)
def test_a_broken_contract_fails_at_once(error: type[Exception]) -> None:
    assert RETRY_POLICY.evaluate(error("x"), 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize(
    "error",
    [*(error("x") for error in PASSING), THROTTLED, EndpointConnectionError(endpoint_url="u")],
    ids=lambda error: type(error).__name__,
)
def test_what_is_passing_is_tried_again(error: Exception) -> None:
    assert RETRY_POLICY.evaluate(error, 1, 3).action is not RetryAction.FAIL


def test_every_error_is_placed() -> None:
    classes = {value for value in vars(errors).values() if isinstance(value, type)}
    assert classes == {*FINAL, *PASSING, *OF_NO_TASK}, "a new error class has to be placed here"


def test_the_delay_grows_from_try_to_try() -> None:
    arguments: dict[str, Any] = common_arguments(make_project(), "labeling")["default_args"]
    assert arguments["retry_policy"] is RETRY_POLICY
    assert arguments["retry_exponential_backoff"] == 2
    assert arguments["retries"] == 3
    assert "retry_delay" not in arguments, "the deployment says where it begins"


def test_a_race_that_others_keep_winning_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """All change one file at the same moment: nobody broke a rule, Airflow's next try will do."""
    storage = memory_storage()
    monkeypatch.setattr(storage, "write_if_absent", lambda *_: False)
    project = make_project()
    with pytest.raises(errors.StorageError, match="changed by others") as lost:
        register_classes(storage, project.root_uri / "classes.json", ["pen"])
    assert RETRY_POLICY.evaluate(lost.value, 1, 3).action is not RetryAction.FAIL
    assert not update_summaries(storage, project), "a list's file stops no step"
