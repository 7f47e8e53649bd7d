"""Operators: create a labeling job once and wait for it, stop it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.exceptions import WaiterMaxAttemptsError, WaiterTerminalFailure
from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.amazon.aws.utils.waiter_with_logging import wait
from airflow.providers.common.compat.sdk import conf

from ground_truth.attempts import keep_tries, may_try_again, next_request
from ground_truth.events import labeling_job_of
from ground_truth.exceptions import LabelingJobFailedError, LabelingJobWaitError
from ground_truth.hooks import GroundTruthHook
from ground_truth.labeling_job import (
    STATUS_QUERIES,
    STOPPING_STATES,
    TERMINAL_STATES,
    failure,
    incomplete_message,
    outcome,
)
from ground_truth.links import LabelingJobLink, LabelingPortalLink, persist_links
from ground_truth.triggers import LabelingJobCompleteTrigger, LabelingJobStoppedTrigger
from ground_truth.waiting import ProgressNote, ReconnectingWaiter

if TYPE_CHECKING:
    from airflow.sdk import Context

LONGEST_JOB = 31 * 24 * 3600
"""Seconds: Ground Truth fails a job after 30 days (API reference, LabelingJobStoppingConditions)."""

LABELING_JOBS = "labeling_jobs"
"""XCom key of the names of all attempts of a labeling job, oldest first."""


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
    is an error that shows the differences.

    A job that failed or was stopped fails the task. When a person clears it, the job goes on as its next
    attempt, ``<name>-a2`` and so on, with what is not labeled yet. Marked as success instead, the task leaves
    what there is.

    Returns the name of the last attempt, and pushes the names of all, oldest first, to the XCom
    ``labeling_jobs``, before it waits.

    :param request: The keyword arguments of ``create_labeling_job``. (templated)
    :param validate: Called with the rendered request before it is sent, when there is no job yet; raises
        when the request is not valid. The model of the API is checked in any case.
    :param attempts: How many attempts are made without a person while the job fails by itself; a stopped job
        is never tried again unasked. (default: 1)
    :param wait_for_completion: Whether to wait until the job is completed. (default: False)
    :param stalled_after: Seconds without a newly labeled object after which ``on_stalled`` is called; needs
        ``deferrable``. (default: None)
    :param on_stalled: Called with the context and the trigger's event, with ``job_name`` and ``counters``,
        once for each time the job comes to a standstill; the wait goes on.
    :param waiter_delay: Time in seconds to wait between status checks. (default: 60)
    :param waiter_max_attempts: Maximum number of attempts to check for job completion; None covers the 30
        days after which Ground Truth ends a job, and one more, whatever the delay. (default: None)
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
        attempts: int = 1,
        wait_for_completion: bool = False,
        stalled_after: float | None = None,
        on_stalled: Callable[[Context, dict[str, Any]], object] | None = None,
        waiter_delay: float = 60,
        waiter_max_attempts: int | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        stop_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if waiter_max_attempts is None:
            waiter_max_attempts = math.ceil(LONGEST_JOB / max(waiter_delay, 0.01))
        self.request = request
        self.validate = validate
        self.attempts = attempts
        self.wait_for_completion = wait_for_completion
        self.stalled_after = stalled_after
        self.on_stalled = on_stalled
        self.waiter_delay = waiter_delay
        self.waiter_max_attempts = waiter_max_attempts
        self.deferrable = deferrable
        self.stop_on_kill = stop_on_kill
        self._job_name: str | None = None

    def execute(self, context: Context) -> str:
        """Create or take the job, wait if asked to, and return its name."""
        while True:
            job_name = self._submit(context)
            if not self.wait_for_completion:
                return job_name
            if self.deferrable:
                self._defer(job_name)
            try:
                self._wait(job_name, "labeling_job_complete")
            except LabelingJobFailedError:
                continue  # to the next attempt, or to the same error where there may be none
            return self._completed(job_name)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Return the job's name, go on to the next attempt, or raise what the trigger found."""
        status = (event or {}).get("status")
        if event and status in ("stalled", "progress"):
            if status == "stalled":
                self.log.warning("Labeling job %s stands still: %s", event["job_name"], event["counters"])
                if self.on_stalled is not None:
                    self.on_stalled(context, event)
            self._defer(event["job_name"], event["note"])
        if status == "failed":
            return self.execute(context)
        return self._completed(labeling_job_of(event))

    def on_kill(self) -> None:
        """Stop the job when its task is killed while it waits, if asked to."""
        if self.stop_on_kill and self.wait_for_completion and self._job_name:
            self.hook.stop_labeling_job_if_running(self._job_name)

    def _submit(self, context: Context) -> str:
        """Find the attempts that are there; create the first or the next one where it is due."""
        found = self.hook.labeling_job_attempts(self.request)
        last = found[-1] if found else None
        names: list[str] = [attempt.name for attempt in found]
        retries = int(self.retries or 0)
        if last and last.has_failed:
            again = may_try_again(context, last, number=len(found), automatic=self.attempts, retries=retries)
            if not again:
                self._show(context, names)
                raise failure(last.description)
        if last is None or last.has_failed:
            request = next_request(last) if last else self.request
            submitted = self.hook.create_or_adopt_labeling_job(request, validate=self.validate)
            names.append(submitted.job_name)
        elif last.status in STOPPING_STATES and not self.wait_for_completion:
            raise failure(last.description)
        keep_tries(context, names[-1])
        self._show(context, names)
        self._job_name = names[-1]
        return names[-1]

    def _show(self, context: Context, names: list[str]) -> None:
        context["ti"].xcom_push(key=LABELING_JOBS, value=names)
        persist_links(
            context=context,
            operator=self,
            hook=self.hook,
            job_name=names[-1],
            workteam_arn=self.request.get("HumanTaskConfig", {}).get("WorkteamArn"),
        )

    def _defer(self, job_name: str, note: ProgressNote | None = None) -> None:
        self.defer(
            trigger=LabelingJobCompleteTrigger(
                job_name=job_name,
                stop_on_kill=self.stop_on_kill,
                stalled_after=self.stalled_after,
                note=note,
                **self._trigger_parameters,
            ),
            method_name="execute_complete",
            timeout=self._deferral_timeout,
        )

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
