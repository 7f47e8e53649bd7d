"""Sensor: wait for new images to have arrived in S3."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils import validate_execute_complete_event
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    PokeReturnValue,
    conf,
    poke_mode_only,
)
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR

from ground_truth.exceptions import GroundTruthError
from ground_truth.image_triggers import ImagesArrivedTrigger
from ground_truth.images import Expectation, Look, Tally, read_known_images
from ground_truth.retries import is_transient

if TYPE_CHECKING:
    from airflow.sdk import Context


@poke_mode_only
class S3ImagesArrivedSensor(AwsBaseSensor[S3Hook]):
    """Wait until enough new images lie under an S3 prefix and no more are arriving.

    Objects whose key ends in ``.jpg``, ``.jpeg`` or ``.png`` and that hold any bytes count. They have
    stopped arriving when the newest is older than ``settle_seconds`` and two looks in a row saw the same.
    When the time given by ``modified_until`` has passed no other can come: one look decides, which is what a
    backfill needs.

    When time is up, enough images that are there are taken, also while others are still arriving.

    Returns ``images`` (how many) and ``newest`` (when the newest was last modified, ISO 8601). With
    ``soft_fail`` too few images in time skip the task, with a message that gives the counts.

    :param bucket: The S3 bucket. (templated)
    :param prefix: Only keys with this prefix count. (templated)
    :param minimum_images: How many new images there have to be; with 0 nothing is waited for. (default: 1)
    :param settle_seconds: How long the newest image has to lie there. (default: 300)
    :param modified_after: Only images last modified after this moment count; a datetime with time zone or
        ISO 8601 with offset. (templated)
    :param modified_until: Only images last modified at this moment or before count. (templated)
    :param known_images_uri: S3 URI of a list of images that do not count: UTF-8, a line ``etag<TAB>key``
        each, ETags without quotes. (templated)
    :param poke_interval: Time in seconds between two looks. (default: 60)
    :param timeout: Time in seconds after which the wait ends.
    :param deferrable: If True, the sensor waits in the triggerer.
        This mode requires aiobotocore module to be installed. (default: False)
    :param aws_conn_id: The Airflow connection used for AWS credentials; the default boto3 behaviour if
        ``None``.
    :param region_name: AWS region_name. If not specified then the default boto3 behaviour is used.
    :param verify: Whether or not to verify SSL certificates. See:
        https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html
    :param botocore_config: Configuration dictionary (key-values) for botocore client. See:
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    aws_hook_class = S3Hook
    template_fields: Sequence[str] = aws_template_fields(
        "bucket", "prefix", "minimum_images", "modified_after", "modified_until", "known_images_uri"
    )

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        minimum_images: int = 1,
        settle_seconds: float = 300,
        modified_after: datetime | str | None = None,
        modified_until: datetime | str | None = None,
        known_images_uri: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.prefix = prefix
        self.minimum_images = minimum_images
        self.settle_seconds = settle_seconds
        self.modified_after = modified_after
        self.modified_until = modified_until
        self.known_images_uri = known_images_uri
        self.deferrable = deferrable
        self._previous: Look | None = None
        self._known: frozenset[str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait, and return how many images there are."""
        if not int(self.minimum_images):
            self.log.info("No image is waited for")
            return {"images": 0, "newest": None}
        if self.deferrable:
            self.defer(
                trigger=self._trigger(),
                method_name="execute_complete",
                # The trigger's own deadline comes first and gives the counts.
                timeout=timedelta(seconds=self.timeout + 2 * self.poke_interval + 60),
            )
        try:
            return dict(super().execute(context=context))
        except (AirflowSensorTimeout, AirflowSkipException) as end:
            if self._previous is not None and self._previous.images >= int(self.minimum_images):
                return _result(self._previous)
            raise type(end)(f"{self._place}: {self._previous}; {self.minimum_images} needed. {end}") from end

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return how many images there are, or raise what the trigger found."""
        event = validate_execute_complete_event(event)
        if event["status"] == "timeout":
            raise AirflowSensorTimeout(event["message"])
        if event["status"] != "success":
            raise GroundTruthError(f"Looking for images under {self._place} failed: {event['message']}")
        self.log.info("%s", event["message"])
        return {"images": event["images"], "newest": event["newest"]}

    def resume_execution(
        self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context
    ) -> dict[str, Any]:
        """Keep the counts in the message of a skip; the base class puts its own there.

        When no triggerer ran for so long that Airflow ended the wait, nobody has looked: this looks once.
        """
        try:
            return dict(super().resume_execution(next_method, next_kwargs, context))
        except (AirflowSensorTimeout, AirflowSkipException) as end:
            if next_method == TRIGGER_FAIL_REPR:
                look = self._look(self._expectation())
                self.log.info("%s: %s; %s needed", self._place, look, self.minimum_images)
                if look.images >= int(self.minimum_images):
                    return _result(look)
            raise type(end)(str(end.__cause__ or end)) from end

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once, in the worker."""
        expectation = self._expectation()
        try:
            look = self._look(expectation)
        except Exception as error:
            if not is_transient(error):
                raise
            self.log.warning("The listing of %s failed, looking again: %s", self._place, error)
            return PokeReturnValue(is_done=False)
        self.log.info("%s: %s; %s needed", self._place, look, self.minimum_images)
        previous, self._previous = self._previous, look
        now = datetime.now(UTC)
        if expectation.met(look, previous, now):
            return PokeReturnValue(is_done=True, xcom_value=_result(look))
        if expectation.closed(now):
            raise AirflowSensorTimeout(f"No other image can come after {self.modified_until}.")
        return PokeReturnValue(is_done=False)

    @property
    def _place(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def _expectation(self) -> Expectation:
        return self._trigger().expectation

    def _look(self, expectation: Expectation) -> Look:
        if self._known is None:
            self._known = frozenset()
            if self.known_images_uri:
                bucket, key = S3Hook.parse_s3_url(self.known_images_uri)
                content = self.hook.conn.get_object(Bucket=bucket, Key=key)["Body"].read()
                self._known = read_known_images(content, name=self.known_images_uri)
        tally = Tally(expectation, self._known)
        pages = self.hook.conn.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix
        )
        for page in pages:
            tally.add(page.get("Contents", []))
        return tally.look()

    def _trigger(self) -> ImagesArrivedTrigger:
        return ImagesArrivedTrigger(
            bucket=self.bucket,
            prefix=self.prefix,
            minimum_images=int(self.minimum_images),
            settle_seconds=self.settle_seconds,
            modified_after=_iso(self.modified_after, "modified_after"),
            modified_until=_iso(self.modified_until, "modified_until"),
            known_images_uri=self.known_images_uri or None,
            poke_interval=self.poke_interval,
            deadline=(datetime.now(UTC) + timedelta(seconds=self.timeout)).isoformat(),
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )


def _result(look: Look) -> dict[str, Any]:
    return {"images": look.images, "newest": look.newest.isoformat() if look.newest else None}


def _iso(moment: datetime | str | None, name: str) -> str | None:
    """The moment as ISO 8601 with offset; what a template left empty is None."""
    if not moment:
        return None
    parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    if parsed.tzinfo is None:
        raise ValueError(f"{name} has to carry a time zone, {moment} has none.")
    return parsed.isoformat()
