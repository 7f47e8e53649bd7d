"""The sensor of arriving images against S3 over HTTP: in the worker, and in the triggerer."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from tests.ground_truth.conftest import connection
from tests.ground_truth.test_operators import deferral
from tests.ground_truth.test_triggers import first_event

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("aws_sandbox")]


def sensor(bucket: str, **more: Any) -> Any:
    from ground_truth.image_sensors import S3ImagesArrivedSensor

    return S3ImagesArrivedSensor(
        task_id="images",
        **{
            "bucket": bucket,
            "prefix": "images/",
            "settle_seconds": 0,
            "poke_interval": 0.05,
            "timeout": 10,
            **more,
        },
    )


def run(waiting: Any, context: Any, deferrable: bool) -> Any:
    """Run the sensor to its end as Airflow would: in the worker, or through the triggerer and back."""
    waiting.deferrable = deferrable
    if not deferrable:
        return waiting.execute(context)
    deferred = deferral(waiting, context)
    event = first_event(deferred.trigger)
    return waiting.resume_execution(deferred.method_name, {"event": event}, context)


@pytest.fixture
def put(s3_client, bucket):
    """Put objects of a byte each, or of none."""

    def put_objects(*keys: str, body: bytes = b"x") -> None:
        for key in keys:
            s3_client.put_object(Bucket=bucket, Key=key, Body=body)

    return put_objects


both = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


@both
def test_enough_images(put, bucket, context, deferrable):
    put("images/1.jpg", "images/deep/er/펜 #2%.PNG", "images/notes.txt", "other/3.jpg")
    put("images/empty.jpg", body=b"")
    result = run(sensor(bucket, minimum_images=2), context, deferrable)
    assert result["images"] == 2
    assert datetime.fromisoformat(result["newest"]).tzinfo is not None


@both
@pytest.mark.parametrize("soft_fail", [False, True])
def test_too_few_in_time(put, bucket, context, deferrable, soft_fail):
    from airflow.providers.common.compat.sdk import AirflowSensorTimeout, AirflowSkipException

    put("images/1.jpg")
    waiting = sensor(bucket, minimum_images=2, timeout=0.3, soft_fail=soft_fail)
    with pytest.raises(AirflowSkipException if soft_fail else AirflowSensorTimeout) as caught:
        run(waiting, context, deferrable)
    assert f"s3://{bucket}/images/: 1 new images" in str(caught.value)
    assert "2 needed" in str(caught.value)


@both
def test_images_still_arriving(put, bucket, context, deferrable):
    """Images come one after the other; the sensor lets the last of them arrive."""
    arrived: list[float] = []

    def upload() -> None:
        for number in range(6):
            put(f"images/{number}.jpg")
            arrived.append(time.monotonic())
            time.sleep(0.4)

    put("images/first.jpg")
    uploading = threading.Thread(target=upload)
    uploading.start()
    # S3 tells whole seconds, so the newest may look up to one second older than it is.
    result = run(sensor(bucket, minimum_images=2, settle_seconds=3, timeout=30), context, deferrable)
    uploading.join()
    assert result["images"] == 7
    assert time.monotonic() - arrived[-1] >= 1


@both
def test_known_images_do_not_count(put, bucket, context, s3_client, deferrable):
    put("images/1.jpg", "images/2.jpg")
    etag = s3_client.head_object(Bucket=bucket, Key="images/1.jpg")["ETag"].strip('"')
    s3_client.put_object(Bucket=bucket, Key="known.tsv", Body=f"{etag}\timages/1.jpg\n".encode())
    waiting = sensor(bucket, known_images_uri=f"s3://{bucket}/known.tsv")
    assert run(waiting, context, deferrable)["images"] == 1


@both
def test_window_that_has_closed_is_decided_by_one_look(put, bucket, context, deferrable):
    from airflow.providers.common.compat.sdk import AirflowSkipException

    put("images/1.jpg")
    now = datetime.now(UTC)
    window = {"modified_after": now - timedelta(days=8), "modified_until": now - timedelta(days=1)}
    waiting = sensor(bucket, poke_interval=3600, timeout=7200, soft_fail=True, **window)
    with pytest.raises(AirflowSkipException, match="0 new images"):
        run(waiting, context, deferrable)
    time.sleep(1.1)
    inside = {"modified_after": (now - timedelta(days=8)).isoformat(), "modified_until": datetime.now(UTC)}
    assert run(sensor(bucket, poke_interval=3600, timeout=7200, **inside), context, deferrable)["images"] == 1


@both
def test_throttled_listing_is_outlasted(put, bucket, context, set_faults, deferrable):
    from roundtruth.sandbox.faults import CallFault

    put("images/1.jpg")
    fault = CallFault(service="s3", operations=("LIST *",), code="SlowDown", status=503, next=3)
    set_faults(calls=(fault,))
    assert run(sensor(bucket), context, deferrable)["images"] == 1


def test_lost_connection_is_an_error_at_the_deadline_and_no_skip(bucket, context, monkeypatch):
    """Nobody knows what lies there: the task is tried again instead of giving the round up."""
    from ground_truth.exceptions import GroundTruthError

    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection("http://127.0.0.1:9"))
    with pytest.raises(GroundTruthError, match="no listing succeeded"):
        run(sensor(bucket, timeout=0.3, soft_fail=True), context, deferrable=True)


@both
def test_images_that_are_there_when_time_is_up_are_taken(put, bucket, context, deferrable):
    """A slow triggerer may look once and then be late; a round must not be skipped for that."""
    put("images/1.jpg")
    waiting = sensor(bucket, settle_seconds=60, timeout=0.3, soft_fail=True)
    assert run(waiting, context, deferrable)["images"] == 1


@pytest.mark.parametrize("images", [0, 1])
def test_a_triggerer_that_was_down_all_the_time(put, bucket, context, images):
    """Airflow ends the wait from outside, and the resumed task looks for itself."""
    from airflow.providers.common.compat.sdk import AirflowSkipException
    from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR

    put(*(f"images/{number}.jpg" for number in range(images)))
    waiting = sensor(bucket, soft_fail=True, deferrable=True)
    resume = partial(waiting.resume_execution, TRIGGER_FAIL_REPR, {"error": "Trigger timeout"}, context)
    if images:
        assert resume()["images"] == 1
    else:
        with pytest.raises(AirflowSkipException):
            resume()


@both
def test_missing_bucket_is_an_error_at_once(context, deferrable):
    with pytest.raises(Exception, match="NoSuchBucket"):
        run(sensor("no-such-bucket-here"), context, deferrable)


def test_missing_list_of_known_images_is_an_error(bucket, context):
    from ground_truth.exceptions import GroundTruthError

    with pytest.raises(GroundTruthError, match="NoSuchKey"):
        run(sensor(bucket, known_images_uri=f"s3://{bucket}/none"), context, deferrable=True)


def test_moment_without_zone_is_refused(bucket, context):
    with pytest.raises(ValueError, match="modified_after has to carry a time zone"):
        sensor(bucket, modified_after="2026-11-16T06:00:00", deferrable=True).execute(context)


def test_reschedule_mode_is_refused(bucket):
    with pytest.raises(ValueError, match="poke"):
        sensor(bucket, mode="reschedule")


def test_deadline_outlasts_a_restart_of_the_triggerer(put, bucket, context):
    """The trigger starts again from its serialized form with the deadline it had."""
    waiting = sensor(bucket, minimum_images=1, timeout=0.5, deferrable=True)
    trigger = deferral(waiting, context).trigger
    time.sleep(0.6)
    began = time.monotonic()
    assert first_event(trigger)["status"] == "timeout"
    assert time.monotonic() - began < 5


def test_more_than_one_page_of_keys(bucket, s3_client, put, context, monkeypatch):
    put(*(f"images/{number:04d}.jpg" for number in range(25)))
    from botocore.client import BaseClient

    real = BaseClient._make_api_call

    def small_pages(self, operation, arguments):
        if operation == "ListObjectsV2":
            arguments = {**arguments, "MaxKeys": 10}
        return real(self, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", small_pages)
    assert run(sensor(bucket), context, deferrable=False)["images"] == 25


def test_event_loop_is_not_blocked(bucket, put, context):
    put("images/1.jpg")
    trigger = deferral(sensor(bucket, deferrable=True, settle_seconds=1), context).trigger
    gaps: list[float] = []

    async def beat() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - before)
            before = now

    async def go() -> None:
        async with await trigger.hook().get_async_conn():
            pass  # the first client of a process loads the API's model; not what is measured
        beating = asyncio.create_task(beat())
        async for _ in trigger.run():
            pass
        beating.cancel()

    asyncio.run(go())
    assert len(gaps) > 5
    assert max(gaps) < 2.0
