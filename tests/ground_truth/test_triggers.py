"""Triggers of labeling jobs against the sandbox over HTTP, as the triggerer runs them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.ground_truth.conftest import connection
from tests.sandbox_job import job_request, put_images, wait_for_job

pytestmark = pytest.mark.airflow


def first_event(trigger: Any) -> dict[str, Any]:
    """What the trigger fires, after the round trip through the database that the triggerer makes."""
    path, arguments = trigger.serialize()
    arguments = json.loads(json.dumps(arguments))
    module, _, name = path.rpartition(".")
    assert module == type(trigger).__module__
    again = type(trigger)(**arguments)
    assert name == type(again).__name__
    assert again.serialize() == (path, arguments)

    async def run() -> list[Any]:
        return [event.payload async for event in again.run()]

    events = asyncio.run(run())
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0]))
    return payload


@pytest.fixture
def trigger(aws_sandbox):
    from ground_truth.triggers import LabelingJobCompleteTrigger

    def make(job_name: str, **more: Any):
        return LabelingJobCompleteTrigger(
            **{"job_name": job_name, "waiter_delay": 0.05, "waiter_max_attempts": 200, **more}
        )

    return make


@pytest.fixture
def job(sagemaker_client, s3_client, bucket):
    """Create a job of the test's own, of four images."""

    def create(name: str = f"job-{bucket[5:]}"):
        uris = put_images(s3_client, bucket, 4)
        sagemaker_client.create_labeling_job(**job_request(s3_client, bucket, name, uris))
        return name

    return create


def test_completed(trigger, job):
    assert first_event(trigger(name := job())) == {"status": "success", "job_name": name}


def test_failed_is_an_event_with_the_reason(trigger, job, set_faults):
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(fail="ClientError: the role may not read the bucket", after=0.5),))
    event = first_event(trigger(job()))
    assert (event["status"], event["job_status"]) == ("failed", "Failed")
    assert event["failure_reason"] == "ClientError: the role may not read the bucket"


def test_stopped_is_an_event(trigger, job, set_faults):
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stop=True, after=0.5),))
    event = first_event(trigger(job()))
    assert (event["status"], event["job_status"]) == ("failed", "Stopped")


def test_too_many_looks_is_a_timeout(trigger, job, set_faults):
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stall=True),))
    event = first_event(trigger(name := job(), waiter_max_attempts=3))
    assert event == {"status": "timeout", "job_name": name, "message": "Waiter error: max attempts reached"}


def test_absent_job_is_an_error_event(trigger):
    event = first_event(trigger("no-such-job"))
    assert (event["status"], event["error_code"]) == ("error", "ResourceNotFound")


def test_throttling_is_outlasted(trigger, job, set_faults):
    from roundtruth.sandbox.faults import CallFault

    name = job()
    set_faults(calls=(CallFault(operations=("DescribeLabelingJob",), next=5),))
    assert first_event(trigger(name))["status"] == "success"


def test_server_errors_are_outlasted(trigger, job, set_faults):
    from roundtruth.sandbox.faults import CallFault

    name = job()
    set_faults(
        calls=(CallFault(operations=("DescribeLabelingJob",), next=3, code="InternalFailure", status=500),)
    )
    assert first_event(trigger(name))["status"] == "success"


def test_no_permission_is_an_error_event(trigger, job, set_faults):
    from roundtruth.sandbox.faults import CallFault

    name = job()
    set_faults(calls=(CallFault(operations=("Describe*",), share=1.0, code="AccessDeniedException"),))
    event = first_event(trigger(name))
    assert (event["status"], event["error_code"]) == ("error", "AccessDeniedException")


def test_lost_connection_counts_as_a_look(trigger, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection("http://127.0.0.1:9"))
    event = first_event(trigger("any", waiter_max_attempts=3))
    assert event["status"] == "timeout"


def test_endpoint_that_comes_back(trigger, job, sandbox, monkeypatch):
    """The first looks find nobody; then the endpoint is there and the wait goes on to its end."""
    from ground_truth import waiting

    name = job()
    lost = iter([True, True, False])
    real = waiting.AsyncReconnectingWaiter.__init__

    def init(self, waiter, *rest):
        real(self, _Flaky(waiter, lost), *rest)

    monkeypatch.setattr(waiting.AsyncReconnectingWaiter, "__init__", init)
    assert first_event(trigger(name))["status"] == "success"
    assert next(lost, None) is None


class _Flaky:
    """A waiter whose first looks lose the connection."""

    def __init__(self, waiter: Any, lost: Any) -> None:
        self.waiter, self.lost, self.name = waiter, lost, waiter.name

    async def wait(self, **arguments: Any) -> None:
        from botocore.exceptions import ReadTimeoutError

        if next(self.lost, False):
            raise ReadTimeoutError(endpoint_url="http://gone")
        await self.waiter.wait(**arguments)


def test_client_that_cannot_be_made_is_an_event_too(trigger, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    event = first_event(trigger("any", aws_conn_id=None))
    assert (event["status"], event["message"]) == ("error", "You must specify a region.")


@pytest.mark.parametrize(("stop_on_kill", "stopped"), [(False, False), (True, True)])
def test_on_kill_stops_the_job_only_when_asked(
    trigger, job, sagemaker_client, set_faults, stop_on_kill, stopped
):
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stall=True),))
    name = job()
    asyncio.run(trigger(name, stop_on_kill=stop_on_kill).on_kill())
    status = sagemaker_client.describe_labeling_job(LabelingJobName=name)["LabelingJobStatus"]
    assert (status in {"Stopping", "Stopped"}) is stopped
    set_faults()
    assert wait_for_job(sagemaker_client, name)["LabelingJobStatus"] == (
        "Stopped" if stopped else "Completed"
    )


def test_on_kill_never_raises(trigger):
    asyncio.run(trigger("no-such-job", stop_on_kill=True).on_kill())


def test_cleanup_leaves_the_job_alone(trigger, job, sagemaker_client):
    """A restart of the triggerer must not stop what people work on."""
    name = job()
    asyncio.run(trigger(name, stop_on_kill=True).cleanup())
    assert wait_for_job(sagemaker_client, name)["LabelingJobStatus"] == "Completed"


def test_stopped_trigger_takes_any_end(aws_sandbox, job, sagemaker_client, set_faults):
    from ground_truth.triggers import LabelingJobStoppedTrigger
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stall=True),))  # else it may be over before it is stopped
    name = job()
    sagemaker_client.stop_labeling_job(LabelingJobName=name)
    event = first_event(LabelingJobStoppedTrigger(job_name=name, waiter_delay=0.05, waiter_max_attempts=1200))
    assert event == {"status": "success", "job_name": name}


def test_event_loop_is_not_blocked(trigger, job, set_faults):
    """Other triggers go on while this one waits."""
    from roundtruth.sandbox.faults import JobFault

    set_faults(jobs=(JobFault(stall=True),))
    name = job()
    gaps: list[float] = []

    async def beat() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - before)
            before = now

    async def run() -> None:
        waiting = trigger(name, waiter_delay=0.1, waiter_max_attempts=6)
        async with await waiting.hook().get_async_conn():
            pass  # the first client of a process loads the API's model; not what is measured
        beating = asyncio.create_task(beat())
        async for _ in waiting.run():
            pass
        beating.cancel()

    asyncio.run(run())
    assert len(gaps) > 10
    assert max(gaps) < 2.0


def test_waiter_defaults_cover_the_longest_job():
    from ground_truth.triggers import LabelingJobCompleteTrigger

    made = LabelingJobCompleteTrigger(job_name="a")
    assert made.waiter_delay * made.attempts > 30 * 24 * 3600
