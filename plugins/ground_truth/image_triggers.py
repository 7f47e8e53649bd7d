"""Trigger: wait in the triggerer for new images to have arrived in S3."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from ground_truth.images import Expectation, Look, Tally, read_known_images
from ground_truth.retries import is_transient


class ImagesArrivedTrigger(BaseTrigger):
    """Wait until enough new images lie under an S3 prefix and no more are arriving.

    Fires one event: ``status`` is ``success``, ``timeout`` or ``error``, with ``images`` (how many the last
    look showed), ``newest`` (when the newest was last modified, ISO 8601) and ``message``. ``timeout`` also
    comes at once when the time given by ``modified_until`` has passed with too few images: no other can
    come.

    :param bucket: The S3 bucket.
    :param prefix: Only keys with this prefix count.
    :param minimum_images: How many new images there have to be.
    :param settle_seconds: How long the newest image has to lie there.
    :param modified_after: Only images last modified after this moment count (ISO 8601 with offset).
    :param modified_until: Only images last modified at this moment or before count (ISO 8601 with offset).
    :param known_images_uri: S3 URI of a list of images that do not count: UTF-8, a line ``etag<TAB>key``
        each.
    :param poke_interval: Time in seconds between two looks.
    :param deadline: When to give up (ISO 8601 with offset); absolute, so that it outlasts a restart.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: The AWS region of the bucket. Used to build the hook.
    :param verify: Whether or not to verify SSL certificates. Used to build the hook.
    :param botocore_config: Configuration dictionary for the botocore client. Used to build the hook.
    """

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        minimum_images: int = 1,
        settle_seconds: float = 300,
        modified_after: str | None = None,
        modified_until: str | None = None,
        known_images_uri: str | None = None,
        poke_interval: float = 300,
        deadline: str | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.bucket = bucket
        self.prefix = prefix
        self.minimum_images = minimum_images
        self.settle_seconds = settle_seconds
        self.modified_after = modified_after
        self.modified_until = modified_until
        self.known_images_uri = known_images_uri
        self.poke_interval = poke_interval
        self.deadline = deadline
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Serialize ImagesArrivedTrigger arguments and classpath."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "bucket": self.bucket,
                "prefix": self.prefix,
                "minimum_images": self.minimum_images,
                "settle_seconds": self.settle_seconds,
                "modified_after": self.modified_after,
                "modified_until": self.modified_until,
                "known_images_uri": self.known_images_uri,
                "poke_interval": self.poke_interval,
                "deadline": self.deadline,
                "aws_conn_id": self.aws_conn_id,
                "region_name": self.region_name,
                "verify": self.verify,
                "botocore_config": self.botocore_config,
            },
        )

    def hook(self) -> S3Hook:
        """Build the hook this trigger lists with."""
        return S3Hook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there are enough images and no more are arriving, or the deadline has come."""
        try:
            async with await self.hook().get_async_conn() as client:
                event = await self._wait(client)
        except Exception as error:
            event = {"status": "error", "message": f"{type(error).__name__}: {error}"}
        yield TriggerEvent(event)

    @property
    def expectation(self) -> Expectation:
        """What images are waited for."""
        return Expectation(
            minimum_images=self.minimum_images,
            settle_seconds=self.settle_seconds,
            modified_after=_moment(self.modified_after),
            modified_until=_moment(self.modified_until),
        )

    async def _wait(self, client: Any) -> dict[str, Any]:
        expectation, deadline = self.expectation, _moment(self.deadline)
        known = await self._known_images(client)
        place = f"s3://{self.bucket}/{self.prefix}"
        previous: Look | None = None
        while True:
            look = await self._look(client, Tally(expectation, known))
            now = datetime.now(UTC)
            if look is not None:
                self.log.info("%s: %s; %s needed", place, look, self.minimum_images)
                if expectation.met(look, previous, now):
                    return _event("success", look, f"{place}: {look}")
                if expectation.closed(now):
                    reason = f"no other can come after {self.modified_until}"
                    return _event(
                        "timeout", look, f"{place}: {look}; {self.minimum_images} needed, and {reason}"
                    )
                previous = look
            if deadline is not None and now >= deadline:
                return self._time_is_up(place, previous)
            remaining = (deadline - now).total_seconds() if deadline is not None else self.poke_interval
            await asyncio.sleep(min(self.poke_interval, remaining))

    def _time_is_up(self, place: str, last: Look | None) -> dict[str, Any]:
        """Decide by the last look: images that are there are taken, also while others are still arriving."""
        if last is None:  # what lies there is not known: no reason to give a round up
            return _event("error", None, f"{place}: no listing succeeded, time is up")
        enough = last.images >= self.minimum_images
        message = f"{place}: {last}; {self.minimum_images} needed, time is up"
        return _event("success" if enough else "timeout", last, message)

    async def _look(self, client: Any, tally: Tally) -> Look | None:
        """List once; None when S3 was throttling or out of reach."""
        try:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            async for page in pages:
                tally.add(page.get("Contents", []))
        except Exception as error:
            if not is_transient(error):
                raise
            self.log.warning("The listing failed, looking again in %s s: %s", self.poke_interval, error)
            return None
        return tally.look()

    async def _known_images(self, client: Any) -> frozenset[str]:
        if not self.known_images_uri:
            return frozenset()
        bucket, key = S3Hook.parse_s3_url(self.known_images_uri)
        answer = await client.get_object(Bucket=bucket, Key=key)
        async with answer["Body"] as body:
            return read_known_images(await body.read(), name=self.known_images_uri)


def _event(status: str, look: Look | None, message: str) -> dict[str, Any]:
    newest = look.newest.isoformat() if look and look.newest else None
    return {"status": status, "images": look.images if look else 0, "newest": newest, "message": message}


def _moment(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None
