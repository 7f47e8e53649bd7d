"""The hook to Ground Truth: boto3's ``sagemaker`` client, and the calls that hold sense of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.exceptions import BotoCoreError, ClientError
from botocore.validate import ParamValidator

from ground_truth.attempts import Attempt, next_request
from ground_truth.exceptions import (
    LabelingJobConflictError,
    LabelingJobNotFoundError,
    LabelingJobRequestError,
    LabelingJobUnavailableError,
)
from ground_truth.labeling_job import RUNNING_STATES, SUCCESS_STATES, failure
from ground_truth.request_comparison import differences
from ground_truth.retries import error_code

_NOT_FOUND_CODES = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


@dataclass(frozen=True, kw_only=True)
class SubmittedJob:
    """A labeling job that is there now; ``created`` tells whether this call made it or found it."""

    job_name: str
    created: bool


class GroundTruthHook(AwsBaseHook):
    """Interact with Amazon SageMaker Ground Truth.

    Provide thin wrapper around :external+boto3:py:class:`boto3.client("sagemaker") <SageMaker.Client>`, with
    waiters for labeling jobs, which botocore lacks: ``labeling_job_complete`` and ``labeling_job_stopped``.

    Additional arguments (such as ``aws_conn_id``) may be specified and
    are passed down to the underlying AwsBaseHook.

    .. seealso::
        - :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "sagemaker"
        super().__init__(*args, **kwargs)

    @cached_property
    def waiter_path(self) -> Path:
        """The waiters of this package; the base class looks inside the amazon provider only."""
        return Path(__file__).with_name("waiters") / "ground_truth.json"

    def describe_labeling_job_or_none(self, job_name: str) -> dict[str, Any] | None:
        """Describe a labeling job.

        :param job_name: The name of the labeling job; upper and lower case are the same to Ground Truth, so
            the ``LabelingJobName`` of the answer may be spelled differently.
        :return: The answer of DescribeLabelingJob, None when there is no such job.
        """
        try:
            return dict(self.conn.describe_labeling_job(LabelingJobName=job_name))
        except ClientError as error:
            if _is_not_found(error):
                return None
            raise

    def describe_labeling_job(self, job_name: str) -> dict[str, Any]:
        """Describe a labeling job that has to be there.

        :param job_name: The name of the labeling job.
        :raises LabelingJobNotFoundError: when there is no such job.
        """
        description = self.describe_labeling_job_or_none(job_name)
        if description is None:
            raise LabelingJobNotFoundError(
                f"There is no labeling job {job_name!r} in region {self.conn_region_name}; "
                "look at the name, the region and the account of the connection."
            )
        return description

    def labeling_job_attempts(self, request: dict[str, Any]) -> list[Attempt]:
        """Find the job of a request and the attempts that followed it, oldest first.

        :param request: The keyword arguments of ``create_labeling_job``.
        :return: None of them when there is no such job; all but the last one ended without being completed.
        :raises LabelingJobConflictError: when a job of one of their names was created from another request.
        """
        found: list[Attempt] = []
        while True:
            description = self.describe_labeling_job_or_none(self._checked_job_name(request))
            if description is None:
                return found
            self._require_same(request, description)
            found.append(Attempt(request=request, description=description))
            if not found[-1].has_failed:
                return found
            request = next_request(found[-1])

    def create_or_adopt_labeling_job(
        self, request: dict[str, Any], *, validate: Callable[[dict[str, Any]], object] | None = None
    ) -> SubmittedJob:
        """Create the labeling job of a request, or take the one that the same request created before.

        CreateLabelingJob takes no client token: the job's name is the idempotency key, so the job is looked
        up before it is created, and looked up again when another call was faster (``ResourceInUse``).

        :param request: The keyword arguments of ``create_labeling_job``.
        :param validate: Called with the request before it is sent; raises when the request is not valid.
        :raises LabelingJobRequestError: when the request does not fit the API's model, or is refused.
        :raises LabelingJobConflictError: when a job of that name was created from another request.
        :raises LabelingJobFailedError: when the job of that name failed, was stopped or is being stopped.
        """
        job_name = self._checked_job_name(request)
        description = self.describe_labeling_job_or_none(job_name)
        if description is not None:
            return self._adopt(request, description)
        self.validate_request(request)
        if validate is not None:
            validate(request)
        if self._create(request):
            self.log.info("Created labeling job %s", job_name)
            return SubmittedJob(job_name=job_name, created=True)
        self.log.info("Labeling job %s was created by another call meanwhile", job_name)
        description = self.describe_labeling_job_or_none(job_name)
        if description is None:
            raise LabelingJobUnavailableError(
                f"The name of job {job_name!r} is in use, but DescribeLabelingJob does not know it yet; "
                "try again."
            )
        return self._adopt(request, description)

    def validate_request(self, request: dict[str, Any]) -> None:
        """Check a request against botocore's model: fields, types, lower bounds. Calls nothing.

        :param request: The keyword arguments of ``create_labeling_job``.
        :raises LabelingJobRequestError: naming every field that does not fit.
        """
        shape = self.conn.meta.service_model.operation_model("CreateLabelingJob").input_shape
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            raise LabelingJobRequestError(
                f"The request of job {request.get('LabelingJobName')!r} does not fit CreateLabelingJob:\n"
                f"{report.generate_report()}"
            )

    def stop_labeling_job_if_running(self, job_name: str) -> str:
        """Stop a labeling job unless it has ended or is being stopped.

        :param job_name: The name of the labeling job.
        :return: The status that was found, before the stop took effect.
        :raises LabelingJobNotFoundError: when there is no such job.
        """
        status = str(self.describe_labeling_job(job_name)["LabelingJobStatus"])
        if status not in RUNNING_STATES:
            self.log.info("Labeling job %s is %s: nothing to stop", job_name, status)
            return status
        try:
            self.conn.stop_labeling_job(LabelingJobName=job_name)
        except ClientError:
            # It may have ended between the two calls, which is as good as stopped.
            status = str(self.describe_labeling_job(job_name)["LabelingJobStatus"])
            if status in RUNNING_STATES:
                raise
        else:
            self.log.info("Asked Ground Truth to stop labeling job %s, which was %s", job_name, status)
        return status

    def labeling_portal_domain(self, workteam_arn: str) -> str | None:
        """Find where the workers of a private team log in.

        :param workteam_arn: The ARN of the work team.
        :return: The host name of the portal; None for vendors and Mechanical Turk, who have their own, and
            when the connection's role may not call DescribeWorkteam.
        """
        if ":workteam/private-crowd/" not in workteam_arn:
            return None
        try:
            workteam = self.conn.describe_workteam(WorkteamName=workteam_arn.rsplit("/", 1)[-1])["Workteam"]
        except (BotoCoreError, ClientError) as error:
            self.log.info("No link to the workers' portal: %s", error)
            return None
        return str(workteam.get("SubDomain", "")).removeprefix("https://").rstrip("/") or None

    @property
    def is_aws(self) -> bool:
        """Whether the endpoint of the connection is AWS itself, so that its console shows the jobs."""
        host = urlsplit(self.conn_client_meta.endpoint_url).hostname or ""
        return host.endswith(_AWS_DOMAINS)

    def _adopt(self, request: dict[str, Any], description: dict[str, Any]) -> SubmittedJob:
        self._require_same(request, description)
        job_name, status = description["LabelingJobName"], description["LabelingJobStatus"]
        if status not in RUNNING_STATES | SUCCESS_STATES:
            raise failure(description)
        self.log.info("Labeling job %s is %s already, from the same request: taking it", job_name, status)
        return SubmittedJob(job_name=job_name, created=False)

    @staticmethod
    def _require_same(request: dict[str, Any], description: dict[str, Any]) -> None:
        found = differences(request, description)
        if found:
            raise LabelingJobConflictError(description["LabelingJobName"], found)

    def _create(self, request: dict[str, Any]) -> bool:
        """Create the job; False when its name was taken meanwhile."""
        try:
            self.conn.create_labeling_job(**request)
        except ClientError as error:
            if error_code(error) == "ResourceInUse":
                return False
            if error_code(error) == "ValidationException":
                raise LabelingJobRequestError(
                    f"Ground Truth refused the request of job {request['LabelingJobName']!r}: {error}"
                ) from error
            raise
        return True

    @staticmethod
    def _checked_job_name(request: dict[str, Any]) -> str:
        name = request.get("LabelingJobName")
        if not isinstance(name, str) or not name:
            raise LabelingJobRequestError(
                "The request has no LabelingJobName: it is the idempotency key, give each job its own."
            )
        return name


def _is_not_found(error: ClientError) -> bool:
    # The model names ResourceNotFound; other Describe calls of SageMaker answer with a ValidationException
    # that says "Requested resource not found" or "Could not find".
    if error_code(error) in _NOT_FOUND_CODES:
        return True
    message = str(error.response.get("Error", {}).get("Message", "")).lower()
    return error_code(error) == "ValidationException" and (
        "resource not found" in message or "could not find" in message
    )
