"""The hook: create or adopt in every state, stop, the portal, and the waiters, against botocore's model."""

from __future__ import annotations

import json
import re
from typing import ClassVar

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.ground_truth.conftest import connection
from tests.ground_truth.samples import (
    REQUEST,
    STATES,
    WORKTEAM,
    add_describe,
    add_error,
    description,
    stubbed,
)
from tests.sandbox_job import changed

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("aws")]
NAME = REQUEST["LabelingJobName"]


@pytest.fixture
def hook():
    from ground_truth.hooks import GroundTruthHook

    return GroundTruthHook()


@pytest.fixture
def stub(hook):
    stubber = stubbed(hook)
    yield stubber
    stubber.assert_no_pending_responses()


def add_create(stub):
    arn = description()["LabelingJobArn"]
    stub.add_response("create_labeling_job", {"LabelingJobArn": arn}, REQUEST)


class TestCreateOrAdopt:
    def test_absent_is_created(self, hook, stub):
        add_describe(stub, None)
        add_create(stub)
        submitted = hook.create_or_adopt_labeling_job(REQUEST)
        assert (submitted.job_name, submitted.created) == (NAME, True)

    @pytest.mark.parametrize("status", ["Initializing", "InProgress", "Completed"])
    def test_same_request_is_adopted(self, hook, stub, status):
        add_describe(stub, description(status))
        submitted = hook.create_or_adopt_labeling_job(REQUEST)
        assert (submitted.job_name, submitted.created) == (NAME, False)

    @pytest.mark.parametrize("status", ["Failed", "Stopping", "Stopped"])
    def test_ended_job_is_an_error_that_says_what_to_do(self, hook, stub, status):
        from ground_truth.exceptions import LabelingJobFailedError

        add_describe(stub, description(status, FailureReason="no permission"))
        with pytest.raises(LabelingJobFailedError, match=f"{NAME}' is {status}: no permission") as caught:
            hook.create_or_adopt_labeling_job(REQUEST)
        assert "create one with a new name" in str(caught.value)

    @pytest.mark.parametrize("status", STATES)
    def test_other_request_is_a_conflict_in_every_state(self, hook, stub, status):
        from ground_truth.exceptions import LabelingJobConflictError

        theirs = changed(REQUEST, "HumanTaskConfig.NumberOfHumanWorkersPerDataObject", 5)
        add_describe(stub, description(status, theirs))
        with pytest.raises(LabelingJobConflictError) as caught:
            hook.create_or_adopt_labeling_job(REQUEST)
        assert caught.value.differences == ("HumanTaskConfig.NumberOfHumanWorkersPerDataObject: 5 / 3",)

    @pytest.mark.parametrize("status", ["Initializing", "InProgress", "Completed"])
    def test_lost_race_is_adopted(self, hook, stub, status):
        add_describe(stub, None)
        add_error(stub, "create_labeling_job", "ResourceInUse", REQUEST)
        add_describe(stub, description(status))
        assert not hook.create_or_adopt_labeling_job(REQUEST).created

    def test_race_lost_to_another_request_is_a_conflict(self, hook, stub):
        from ground_truth.exceptions import LabelingJobConflictError

        add_describe(stub, None)
        add_error(stub, "create_labeling_job", "ResourceInUse", REQUEST)
        add_describe(stub, description(request=changed(REQUEST, "LabelAttributeName", "other")))
        with pytest.raises(LabelingJobConflictError, match='LabelAttributeName: "other" / "boxes"'):
            hook.create_or_adopt_labeling_job(REQUEST)

    def test_name_in_use_but_not_described_yet_may_be_tried_again(self, hook, stub):
        from ground_truth.exceptions import LabelingJobUnavailableError

        add_describe(stub, None)
        add_error(stub, "create_labeling_job", "ResourceInUse", REQUEST)
        add_describe(stub, None)
        with pytest.raises(LabelingJobUnavailableError, match="try again"):
            hook.create_or_adopt_labeling_job(REQUEST)

    def test_name_that_differs_in_case_is_the_same_job(self, hook, stub):
        add_describe(stub, description(request=changed(REQUEST, "LabelingJobName", NAME.upper())))
        assert hook.create_or_adopt_labeling_job(REQUEST).job_name == NAME.upper()

    def test_validation_comes_before_create_and_not_before_adoption(self, hook, stub):
        seen = []

        def validate(request):
            seen.append(request)
            raise ValueError("too many pens")

        add_describe(stub, None)
        with pytest.raises(ValueError, match="too many pens"):
            hook.create_or_adopt_labeling_job(REQUEST, validate=validate)
        add_describe(stub, description())
        hook.create_or_adopt_labeling_job(REQUEST, validate=validate)
        assert seen == [REQUEST]

    def test_request_that_does_not_fit_the_model_is_never_sent(self, hook, stub):
        from ground_truth.exceptions import LabelingJobRequestError

        broken = changed(REQUEST, "HumanTaskConfig.TaskTitle", None)
        broken["HumanTaskConfig"]["NumberOfHumanWorkersPerDataObject"] = "3"
        broken["Unknown"] = 1
        add_describe(stub, None)
        with pytest.raises(LabelingJobRequestError) as caught:
            hook.create_or_adopt_labeling_job(broken)
        for field in ("TaskTitle", "HumanTaskConfig.NumberOfHumanWorkersPerDataObject", "Unknown"):
            assert field in str(caught.value)

    @pytest.mark.parametrize("name", [None, "", 3])
    def test_request_without_a_name(self, hook, stub, name):
        from ground_truth.exceptions import LabelingJobRequestError

        with pytest.raises(LabelingJobRequestError, match="no LabelingJobName"):
            hook.create_or_adopt_labeling_job({**REQUEST, "LabelingJobName": name})

    def test_refused_request_is_a_contract_error(self, hook, stub):
        from ground_truth.exceptions import LabelingJobRequestError

        add_describe(stub, None)
        add_error(stub, "create_labeling_job", "ValidationException", REQUEST, "TaskTitle is too long")
        with pytest.raises(LabelingJobRequestError, match="TaskTitle is too long"):
            hook.create_or_adopt_labeling_job(REQUEST)

    @pytest.mark.parametrize(
        "code", ["ThrottlingException", "ResourceLimitExceeded", "AccessDeniedException"]
    )
    def test_other_errors_are_left_as_they_are(self, hook, stub, code):
        add_describe(stub, None)
        add_error(stub, "create_labeling_job", code, REQUEST)
        with pytest.raises(ClientError, match=code):
            hook.create_or_adopt_labeling_job(REQUEST)


class TestDescribe:
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("ResourceNotFound", "no"),
            ("ValidationException", "Requested resource not found."),
            ("ValidationException", "Could not find labeling job"),
        ],
    )
    def test_absent_is_none(self, hook, stub, code, message):
        add_error(stub, "describe_labeling_job", code, {"LabelingJobName": NAME}, message)
        assert hook.describe_labeling_job_or_none(NAME) is None

    @pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException", "ThrottlingException"])
    def test_other_errors_are_not_taken_for_absence(self, hook, stub, code):
        add_error(stub, "describe_labeling_job", code, message="1 validation error detected")
        with pytest.raises(ClientError):
            hook.describe_labeling_job_or_none(NAME)


class TestStop:
    @pytest.mark.parametrize("status", ["Initializing", "InProgress"])
    def test_running_is_stopped(self, hook, stub, status):
        add_describe(stub, description(status))
        stub.add_response("stop_labeling_job", {}, {"LabelingJobName": NAME})
        assert hook.stop_labeling_job_if_running(NAME) == status

    @pytest.mark.parametrize("status", ["Completed", "Failed", "Stopping", "Stopped"])
    def test_ended_is_left_alone(self, hook, stub, status):
        add_describe(stub, description(status))
        assert hook.stop_labeling_job_if_running(NAME) == status

    def test_job_that_ends_between_the_calls(self, hook, stub):
        add_describe(stub, description())
        add_error(stub, "stop_labeling_job", "ValidationException", message="The job is Completed")
        add_describe(stub, description("Completed"))
        assert hook.stop_labeling_job_if_running(NAME) == "Completed"

    def test_refused_stop_of_a_running_job_is_an_error(self, hook, stub):
        add_describe(stub, description())
        add_error(stub, "stop_labeling_job", "AccessDeniedException")
        add_describe(stub, description())
        with pytest.raises(ClientError, match="AccessDenied"):
            hook.stop_labeling_job_if_running(NAME)

    def test_absent_job(self, hook, stub):
        from ground_truth.exceptions import LabelingJobNotFoundError

        add_describe(stub, None)
        with pytest.raises(LabelingJobNotFoundError, match=f"no labeling job '{NAME}' in region us-east-1"):
            hook.stop_labeling_job_if_running(NAME)


class TestPortal:
    @pytest.mark.parametrize(
        "domain", ["abc.labeling.us-east-1.sagemaker.aws", "https://abc.labeling.us-east-1.sagemaker.aws/"]
    )
    def test_private_team(self, hook, stub, domain):
        team = {
            "WorkteamName": "pens",
            "MemberDefinitions": [{"OidcMemberDefinition": {"Groups": ["a"]}}],
            "WorkteamArn": WORKTEAM,
            "Description": "d",
            "SubDomain": domain,
        }
        stub.add_response("describe_workteam", {"Workteam": team}, {"WorkteamName": "pens"})
        assert hook.labeling_portal_domain(WORKTEAM) == "abc.labeling.us-east-1.sagemaker.aws"

    @pytest.mark.parametrize("team", ["public-crowd/default", "vendor-crowd/acme"])
    def test_others_have_a_portal_of_their_own(self, hook, stub, team):
        assert hook.labeling_portal_domain(WORKTEAM.replace("private-crowd/pens", team)) is None

    def test_no_permission_is_no_link(self, hook, stub):
        add_error(stub, "describe_workteam", "AccessDeniedException")
        assert hook.labeling_portal_domain(WORKTEAM) is None


@pytest.mark.parametrize(
    ("region", "endpoint", "is_aws"),
    [
        ("us-east-1", None, True),
        ("cn-north-1", None, True),
        ("us-gov-west-1", None, True),
        ("us-east-1", "https://vpce-1.api.sagemaker.us-east-1.vpce.amazonaws.com", True),
        ("us-east-1", "http://127.0.0.1:5000", False),
        ("us-east-1", "https://amazonaws.com.example.org", False),
    ],
)
def test_is_aws(hook, monkeypatch, region, endpoint, is_aws):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(endpoint, region))
    assert hook.is_aws is is_aws


class TestWaiters:
    OUTCOMES: ClassVar = {
        "labeling_job_complete": {"Completed": "success", "Failed": "failure", "Stopped": "failure"},
        "labeling_job_stopped": {"Completed": "success", "Failed": "success", "Stopped": "success"},
    }

    def test_listed(self, hook):
        assert set(self.OUTCOMES) <= set(hook.list_waiters())

    @pytest.mark.parametrize("waiter", OUTCOMES)
    def test_every_status_is_named(self, hook, waiter):
        acceptors = json.loads(hook.waiter_path.read_text())["waiters"][waiter]["acceptors"]
        named = {a["expected"]: a["state"] for a in acceptors if a["matcher"] == "path"}
        enum = hook.conn.meta.service_model.shape_for("LabelingJobStatus").enum
        assert set(named) == set(enum) == set(STATES)
        assert named == {status: self.OUTCOMES[waiter].get(status, "retry") for status in STATES}

    @pytest.mark.parametrize("waiter", OUTCOMES)
    @pytest.mark.parametrize("status", STATES)
    def test_each_status(self, hook, stub, waiter, status):
        expected = self.OUTCOMES[waiter].get(status, "retry")
        add_describe(stub, description(status))
        wait = hook.get_waiter(waiter).wait
        arguments = {"LabelingJobName": NAME, "WaiterConfig": {"Delay": 0, "MaxAttempts": 1}}
        if expected == "success":
            wait(**arguments)
        else:
            reason = {"failure": "terminal failure", "retry": "Max attempts exceeded"}[expected]
            with pytest.raises(WaiterError, match=reason):
                wait(**arguments)

    @pytest.mark.parametrize("waiter", OUTCOMES)
    def test_throttling_is_outlasted(self, hook, stub, waiter):
        add_describe(stub, description("Initializing"))
        add_error(stub, "describe_labeling_job", "ThrottlingException")
        add_describe(stub, description("Completed"))
        hook.get_waiter(waiter).wait(LabelingJobName=NAME, WaiterConfig={"Delay": 0, "MaxAttempts": 3})

    def test_names_state_the_goal_in_snake_case(self, hook):
        for name in json.loads(hook.waiter_path.read_text())["waiters"]:
            assert re.fullmatch("labeling_job_[a-z]+", name)
