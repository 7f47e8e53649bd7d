"""Operators: write the input manifest of a labeling job, create the job once, stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.exceptions import WaiterMaxAttemptsError, WaiterTerminalFailure
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import conf

from ground_truth.events import labeling_job_of
from ground_truth.exceptions import LabelingJobWaitError
from ground_truth.hooks import GroundTruthHook
from ground_truth.input_manifest import manifest_bytes, read_rows
from ground_truth.labeling_job import STATUS_QUERIES, TERMINAL_STATES, failure, incomplete_message, outcome
from ground_truth.links import LabelingJobLink, LabelingPortalLink, persist_links
from ground_truth.manifest_upload import object_count, put_manifest
from ground_truth.triggers import LabelingJobCompleteTrigger, LabelingJobStoppedTrigger
from ground_truth.waiting import ReconnectingWaiter

if TYPE_CHECKING:
    from airflow.sdk import Context


class GroundTruthBuildManifestOperator(AwsBaseOperator[S3Hook]):
    """Write the input manifest of a labeling job to S3.

    The rows are checked against the limits of Ground Truth. When the same manifest lies there already
    nothing is written; another one is not replaced unless asked for, since a job may have been created from
    it.

    :param manifest_uri: The S3 URI to write to. (templated)
    :param rows: What to label, an entry an object: its S3 URI, or a mapping with ``source-ref`` and further
        attributes that Ground Truth passes through. Exactly one of ``rows`` and ``images_uri``. (templated)
    :param images_uri: The S3 URI of a JSON array or of JSON Lines that hold such rows. (templated)
    :param replace: Whether to replace another manifest of the same name. (default: False)
    :param kms_key_id: The KMS key to encrypt the manifest with; the bucket's own encryption when absent.
        (templated)
    :param aws_conn_id: The Airflow connection used for AWS credentials; the default boto3 behaviour if
        ``None``.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates. See:
        https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html
    :param botocore_config: Configuration dictionary (key-values) for botocore client. See:
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    aws_hook_class = S3Hook
    template_fields: Sequence[str] = aws_template_fields("manifest_uri", "rows", "images_uri", "kms_key_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"rows": "json"}

    def __init__(
        self,
        *,
        manifest_uri: str,
        rows: Sequence[str | Mapping[str, Any]] | None = None,
        images_uri: str | None = None,
        replace: bool = False,
        kms_key_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.manifest_uri = manifest_uri
        self.rows = rows
        self.images_uri = images_uri
        self.replace = replace
        self.kms_key_id = kms_key_id

    def execute(self, context: Context) -> str:
        """Write the manifest and return its S3 URI."""
        if (self.rows is None) == (self.images_uri is None):
            raise ValueError("Exactly one of rows and images_uri has to be given.")
        rows = self.rows if self.images_uri is None else self._read(self.images_uri)
        content = manifest_bytes(rows or [])
        if put_manifest(
            self.hook, self.manifest_uri, content, replace=self.replace, kms_key_id=self.kms_key_id
        ):
            self.log.info(
                "Wrote %s: %s objects, %s bytes", self.manifest_uri, object_count(content), len(content)
            )
        else:
            self.log.info("%s holds this manifest already: nothing written", self.manifest_uri)
        return self.manifest_uri

    def _read(self, uri: str) -> list[str | dict[str, Any]]:
        bucket, key = S3Hook.parse_s3_url(uri)
        return read_rows(self.hook.conn.get_object(Bucket=bucket, Key=key)["Body"].read(), name=uri)


class _LabelingJobOperator(AwsBaseOperator[GroundTruthHook]):
    """What the operators of labeling jobs share: the links and the wait."""

    aws_hook_class = GroundTruthHook
    operator_extra_links = (LabelingJobLink(), LabelingPortalLink())

    waiter_delay: float
    waiter_max_attempts: int

    def _wait(self, job_name: str, waiter_name: str) -> None:
        """Wait in the worker, logging status and counters at each look."""
        try:
            wait(
                waiter=ReconnectingWaiter(self.hook.get_waiter(waiter_name)),
                waiter_delay=self.waiter_delay,
                waiter_max_attempts=self.waiter_max_attempts,
                args={"LabelingJobName": job_name},
                failure_message=f"Labeling job {job_name} did not complete",
                status_message=f"Labeling job {job_name} is",
                status_args=STATUS_QUERIES,
            )
        except WaiterTerminalFailure as error:
            raise failure(error.last_response) from error
        except WaiterMaxAttemptsError as error:
            raise LabelingJobWaitError(
                f"Labeling job {job_name!r} runs on after the wait: {error}"
            ) from error

    @property
    def _trigger_parameters(self) -> dict[str, Any]:
        return {
            "waiter_delay": self.waiter_delay,
            "waiter_max_attempts": self.waiter_max_attempts,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": self.botocore_config,
        }

    @property
    def _deferral_timeout(self) -> timedelta:
        """A limit that outlasts restarts of the triggerer, where the trigger counts its looks anew."""
        return timedelta(seconds=self.waiter_delay * (self.waiter_max_attempts + 2) + 60)


class GroundTruthCreateLabelingJobOperator(_LabelingJobOperator):
    """Create a labeling job, once, however often the task runs.

    The job's name is the idempotency key. A job of that name that was created from the same request and that
    runs or is completed is taken as it is, so a worker may be killed at any moment and the task tried again:
    people never get, and nobody pays for, the same labeling twice. A job of that name from another request
    is an error that shows the differences; a failed or stopped one is an error as well, since its name stays
    taken.

    :param request: The keyword arguments of ``create_labeling_job``. (templated)
    :param validate: Called with the rendered request before it is sent, when there is no job yet; raises
        when the request is not valid. The model of the API is checked in any case.
    :param wait_for_completion: Whether to wait until the job is completed. (default: False)
    :param waiter_delay: Time in seconds to wait between status checks. (default: 60)
    :param waiter_max_attempts: Maximum number of attempts to check for job completion; the default covers
        the 30 days after which Ground Truth ends a job. (default: 44640)
    :param deferrable: If True, the operator waits in the triggerer; nothing without ``wait_for_completion``.
        This mode requires aiobotocore module to be installed. (default: False)
    :param stop_on_kill: Whether to stop the job when the waiting task is killed. People may be mid-task, and
        a stopped job cannot be started again. (default: False)
    :param aws_conn_id: The Airflow connection used for AWS credentials; the default boto3 behaviour if
        ``None``.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates. See:
        https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html
    :param botocore_config: Configuration dictionary (key-values) for botocore client. See:
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    template_fields: Sequence[str] = aws_template_fields("request")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}

    def __init__(
        self,
        *,
        request: dict[str, Any],
        validate: Callable[[dict[str, Any]], object] | None = None,
        wait_for_completion: bool = False,
        waiter_delay: float = 60,
        waiter_max_attempts: int = 44_640,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        stop_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request = request
        self.validate = validate
        self.wait_for_completion = wait_for_completion
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.deferrable = deferrable
        self.stop_on_kill = stop_on_kill
        self._job_name: str | None = None

    def execute(self, context: Context) -> str:
        """Create or take the job, wait if asked to, and return its name."""
        job_name: str = self.hook.create_or_adopt_labeling_job(self.request, validate=self.validate).job_name
        self._job_name = job_name
        persist_links(
            context=context,
            operator=self,
            hook=self.hook,
            job_name=job_name,
            workteam_arn=self.request.get("HumanTaskConfig", {}).get("WorkteamArn"),
        )
        if not self.wait_for_completion:
            return job_name
        if self.deferrable:
            self.defer(
                trigger=LabelingJobCompleteTrigger(
                    job_name=job_name, stop_on_kill=self.stop_on_kill, **self._trigger_parameters
                ),
                method_name="execute_complete",
                timeout=self._deferral_timeout,
            )
        self._wait(job_name, "labeling_job_complete")
        return self._completed(job_name)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Return the job's name, or raise what the trigger found."""
        return self._completed(labeling_job_of(event))

    def on_kill(self) -> None:
        """Stop the job when its task is killed while it waits, if asked to."""
        if self.stop_on_kill and self.wait_for_completion and self._job_name:
            self.hook.stop_labeling_job_if_running(self._job_name)

    def _completed(self, job_name: str) -> str:
        result = outcome(self.hook.describe_labeling_job(job_name))
        warning = incomplete_message(result)
        if warning:
            self.log.warning("%s", warning)
        return job_name


class GroundTruthStopLabelingJobOperator(_LabelingJobOperator):
    """Stop a labeling job; one that has ended already is a success. Labels made so far are in its output.

    :param job_name: The name of the labeling job. (templated)
    :param wait_for_completion: Whether to wait until the job does not run any more. (default: True)
    :param waiter_delay: Time in seconds to wait between status checks. (default: 15)
    :param waiter_max_attempts: Maximum number of attempts to check for job completion. (default: 240)
    :param deferrable: If True, the operator waits in the triggerer; nothing without ``wait_for_completion``.
        This mode requires aiobotocore module to be installed. (default: False)
    :param aws_conn_id: The Airflow connection used for AWS credentials; the default boto3 behaviour if
        ``None``.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates. See:
        https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html
    :param botocore_config: Configuration dictionary (key-values) for botocore client. See:
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    template_fields: Sequence[str] = aws_template_fields("job_name")

    def __init__(
        self,
        *,
        job_name: str,
        wait_for_completion: bool = True,
        waiter_delay: float = 15,
        waiter_max_attempts: int = 240,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name = job_name
        self.wait_for_completion = wait_for_completion
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.deferrable = deferrable

    def execute(self, context: Context) -> str:
        """Stop the job if it runs, wait if asked to, and return its name."""
        status = self.hook.stop_labeling_job_if_running(self.job_name)
        persist_links(context=context, operator=self, hook=self.hook, job_name=self.job_name)
        if not self.wait_for_completion or status in TERMINAL_STATES:
            return self.job_name
        if self.deferrable:
            self.defer(
                trigger=LabelingJobStoppedTrigger(job_name=self.job_name, **self._trigger_parameters),
                method_name="execute_complete",
                timeout=self._deferral_timeout,
            )
        self._wait(self.job_name, "labeling_job_stopped")
        return self.job_name

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Return the job's name, or raise what the trigger found."""
        return labeling_job_of(event)
