"""Sensor: wait for a labeling job to be completed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    PokeReturnValue,
    conf,
)

from ground_truth.events import labeling_job_of
from ground_truth.exceptions import GroundTruthError
from ground_truth.hooks import GroundTruthHook
from ground_truth.labeling_job import SUCCESS_STATES, incomplete_message, outcome, raise_if_failed
from ground_truth.links import LabelingJobLink, LabelingPortalLink, persist_links
from ground_truth.retries import is_transient
from ground_truth.triggers import LabelingJobCompleteTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

_LONGEST_JOB = timedelta(days=31)  # Ground Truth ends a job after 30 days


class GroundTruthLabelingJobSensor(AwsBaseSensor[GroundTruthHook]):
    """Wait until a labeling job is completed; status and counters are logged at each look.

    A failed or stopped job raises :class:`~ground_truth.exceptions.LabelingJobFailedError` with the reason
    that Ground Truth gives. Throttling or a lost connection while looking does not end the wait.

    Returns ``job_name``, ``arn``, ``status``, ``output_manifest_uri`` and ``counters`` (``total_labeled``,
    ``human_labeled``, ``machine_labeled``, ``failed_non_retryable_error``, ``unlabeled``). A completed job
    may have left objects without a label: this is logged as a warning and stands in the counters.

    :param job_name: The name of the labeling job. (templated)
    :param poke_interval: Time in seconds between two looks. (default: 60)
    :param timeout: Time in seconds after which the wait ends; Ground Truth ends a job after 30 days.
        (default: 31 days)
    :param deferrable: If True, the sensor waits in the triggerer.
        This mode requires aiobotocore module to be installed. (default: False)
    :param stop_on_kill: Whether to stop the job when a user marks or clears the deferred task. People may be
        mid-task, and a stopped job cannot be started again. (default: False)
    :param aws_conn_id: The Airflow connection used for AWS credentials; the default boto3 behaviour if
        ``None``.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates. See:
        https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html
    :param botocore_config: Configuration dictionary (key-values) for botocore client. See:
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    aws_hook_class = GroundTruthHook
    operator_extra_links = (LabelingJobLink(), LabelingPortalLink())
    template_fields: Sequence[str] = aws_template_fields("job_name")

    def __init__(
        self,
        *,
        job_name: str,
        timeout: timedelta | float = _LONGEST_JOB,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        stop_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        self.job_name = job_name
        self.deferrable = deferrable
        self.stop_on_kill = stop_on_kill
        self._links_are_stored = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait, and return what the job came to."""
        if not self.deferrable:
            return dict(super().execute(context=context))
        return self._result_or_defer(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the job came to, or raise what the trigger found."""
        event = validate_execute_complete_event(event)
        if event["status"] == "timeout":
            raise AirflowSensorTimeout(
                f"Labeling job {self.job_name!r} is not completed after {self.timeout} seconds; it goes on."
            )
        labeling_job_of(event)
        return self._result_or_defer(context)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the job once."""
        try:
            description = self.hook.describe_labeling_job(self.job_name)
        except Exception as error:
            if not is_transient(error):
                raise
            self.log.warning("Could not look at labeling job %s, trying again: %s", self.job_name, error)
            return PokeReturnValue(is_done=False)
        self._store_links(context, description)
        status = description["LabelingJobStatus"]
        self.log.info("Labeling job %s is %s - %s", self.job_name, status, description["LabelCounters"])
        raise_if_failed(description)
        if status not in SUCCESS_STATES:
            return PokeReturnValue(is_done=False)
        result = outcome(description)
        warning = incomplete_message(result)
        if warning:
            self.log.warning("%s", warning)
        return PokeReturnValue(is_done=True, xcom_value=result)

    def _result_or_defer(self, context: Context) -> dict[str, Any]:
        look = self.poke(context)
        if look.is_done:
            return dict(look.xcom_value)
        self.defer(
            trigger=LabelingJobCompleteTrigger(
                job_name=self.job_name,
                stop_on_kill=self.stop_on_kill,
                waiter_delay=self.poke_interval,
                waiter_max_attempts=math.ceil(self.timeout / max(self.poke_interval, 0.01)) + 1,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name="execute_complete",
            # The trigger's own limit comes first; this one outlasts restarts of the triggerer.
            timeout=timedelta(seconds=self.timeout + 2 * self.poke_interval + 60),
        )
        raise GroundTruthError("defer() came back")  # pragma: no cover

    def _store_links(self, context: Context, description: dict[str, Any]) -> None:
        if not self._links_are_stored:
            persist_links(
                context=context,
                operator=self,
                hook=self.hook,
                job_name=description["LabelingJobName"],
                workteam_arn=description["HumanTaskConfig"]["WorkteamArn"],
            )
            self._links_are_stored = True
