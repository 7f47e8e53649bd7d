"""Triggers: wait in the triggerer for a labeling job to be completed, or to have stopped."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.exceptions import AirflowException
from airflow.providers.amazon.aws.exceptions import WaiterMaxAttemptsError, WaiterTerminalFailure
from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger
from airflow.providers.amazon.aws.utils.waiter_with_logging import async_wait
from airflow.triggers.base import TriggerEvent
from asgiref.sync import sync_to_async

from ground_truth.exceptions import LabelingJobProgressError, LabelingJobStalledError
from ground_truth.hooks import GroundTruthHook
from ground_truth.labeling_job import STATUS_QUERIES
from ground_truth.waiting import AsyncReconnectingWaiter, Progress, ProgressNote, first_note


class _LabelingJobTrigger(AwsBaseWaiterTrigger):
    """Wait for a labeling job with one of the waiters of :class:`~ground_truth.hooks.GroundTruthHook`.

    Fires one event, always: ``status`` is ``success``, ``failed`` (with ``job_status`` and
    ``failure_reason``), ``stalled`` or ``progress`` (both with ``counters`` and the ``note`` to defer with),
    ``timeout`` or ``error`` (with ``error_code`` where AWS gave one); ``job_name`` and ``message`` go with
    it.
    """

    aws_hook_class = GroundTruthHook
    stalled_after: float | None = None
    note: ProgressNote | None = None

    def __init__(self, *, job_name: str, stop_on_kill: bool, waiter_name: str, **kwargs: Any) -> None:
        super().__init__(
            serialized_fields={"job_name": job_name, "stop_on_kill": stop_on_kill},
            waiter_name=waiter_name,
            waiter_args={"LabelingJobName": job_name},
            failure_message=f"Labeling job {job_name} did not complete",
            status_message=f"Labeling job {job_name} is",
            status_queries=STATUS_QUERIES,
            return_key="job_name",
            return_value=job_name,
            **kwargs,
        )
        self.job_name = job_name
        self.stop_on_kill = stop_on_kill

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; unlike the base class, outlast a lost connection and make an event of every error."""
        try:
            hook = self.hook()
            async with await hook.get_async_conn() as client:
                waiter = await sync_to_async(hook.get_waiter)(
                    self.waiter_name, deferrable=True, client=client
                )
                await async_wait(
                    AsyncReconnectingWaiter(waiter, Progress(self.stalled_after, self.note)),
                    self.waiter_delay,
                    self.attempts,
                    self.waiter_args,
                    self.failure_message,
                    self.status_message,
                    self.status_queries,
                )
        except Exception as error:
            is_note = isinstance(error, LabelingJobProgressError)
            self.log.log(
                logging.INFO if is_note else logging.WARNING,
                "The wait for labeling job %s %s: %s",
                self.job_name,
                "pauses" if is_note else "ended",
                error,
            )
            yield self._event_from_exception(error)
        else:
            yield TriggerEvent({"status": "success", "job_name": self.job_name})

    def _event_from_exception(self, error: Exception) -> TriggerEvent:
        event: dict[str, Any] = {"status": "error", "job_name": self.job_name, "message": str(error)}
        if isinstance(error, LabelingJobProgressError):
            is_stalled = isinstance(error, LabelingJobStalledError)
            event["status"] = "stalled" if is_stalled else "progress"
            event |= {"counters": error.note["counters"], "note": error.note}
        elif isinstance(error, WaiterTerminalFailure):
            event["status"] = "failed"
            event["job_status"] = error.last_response["LabelingJobStatus"]
            event["failure_reason"] = error.last_response.get("FailureReason") or None
        elif isinstance(error, WaiterMaxAttemptsError):
            event["status"] = "timeout"
        elif isinstance(error, AirflowException):
            # async_wait raises this for an error answer, while it handles the WaiterError that holds it.
            answer = getattr(error.__context__, "last_response", {})
            event["error_code"] = answer.get("Error", {}).get("Code")
        return TriggerEvent(event)

    async def on_kill(self) -> None:
        """Stop the job when a user marks or clears the deferred task, if asked to: people may be mid-task."""
        if not self.stop_on_kill:
            self.log.info("Labeling job %s goes on: stop_on_kill is not set", self.job_name)
            return
        try:
            await sync_to_async(self.hook().stop_labeling_job_if_running)(self.job_name)
        except Exception:
            self.log.exception("Labeling job %s could not be stopped; it may still run", self.job_name)


class LabelingJobCompleteTrigger(_LabelingJobTrigger):
    """Wait until a labeling job is completed; a failed or stopped job is an event, not an exception.

    :param job_name: The name of the labeling job.
    :param stop_on_kill: Whether to stop the labeling job when a user marks or clears the deferred task.
    :param stalled_after: Seconds without a newly labeled object after which the event ``stalled`` is fired.
    :param note: What is known of the job's progress; with ``stalled_after`` it begins now.
    :param waiter_delay: The amount of time in seconds to wait between attempts.
    :param waiter_max_attempts: The maximum number of attempts to be made.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: The AWS region where the job runs. Used to build the hook.
    :param verify: Whether or not to verify SSL certificates. Used to build the hook.
    :param botocore_config: Configuration dictionary for the botocore client. Used to build the hook.
    """

    def __init__(
        self,
        *,
        job_name: str,
        stop_on_kill: bool = False,
        stalled_after: float | None = None,
        note: ProgressNote | None = None,
        waiter_delay: float = 60,
        waiter_max_attempts: int = 44_640,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            job_name=job_name,
            stop_on_kill=stop_on_kill,
            waiter_name="labeling_job_complete",
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
        )
        self.stalled_after = stalled_after
        self.note = note if stalled_after is None else note or first_note()
        self.serialized_fields |= {"stalled_after": stalled_after, "note": self.note}


class LabelingJobStoppedTrigger(_LabelingJobTrigger):
    """Wait until a labeling job does not run any more, whatever its end.

    :param job_name: The name of the labeling job.
    :param waiter_delay: The amount of time in seconds to wait between attempts.
    :param waiter_max_attempts: The maximum number of attempts to be made.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: The AWS region where the job runs. Used to build the hook.
    :param verify: Whether or not to verify SSL certificates. Used to build the hook.
    :param botocore_config: Configuration dictionary for the botocore client. Used to build the hook.
    """

    def __init__(
        self,
        *,
        job_name: str,
        waiter_delay: float = 15,
        waiter_max_attempts: int = 240,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            job_name=job_name,
            stop_on_kill=False,
            waiter_name="labeling_job_stopped",
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            botocore_config=botocore_config,
        )
        del self.serialized_fields["stop_on_kill"]
