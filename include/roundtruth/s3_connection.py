"""Connections to S3 with a boto3 session's credentials: an obstore client a bucket, and a boto3 client."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from roundtruth.errors import StorageError

if TYPE_CHECKING:
    import boto3


CONCURRENCY = 64
CONCURRENCY_VARIABLE = "ROUNDTRUTH_S3_CONCURRENCY"


@dataclass(frozen=True, kw_only=True)
class RequestLimits:
    """How long S3 may keep a request waiting, for somebody who looks at a page; all in seconds."""

    connect_seconds: float
    silent_seconds: float  # without any byte of an answer
    retry_seconds: float  # after the first try, no other begins
    retries: int


def configured_concurrency() -> int:
    """How many requests may be in flight at once: ROUNDTRUTH_S3_CONCURRENCY, or 64.

    :raises StorageError: when the variable is no whole number over 0.
    """
    text = os.environ.get(CONCURRENCY_VARIABLE, "")
    if not text:
        return CONCURRENCY
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise StorageError(f"{CONCURRENCY_VARIABLE} is {text!r}; give a number of requests from 1 to 1024.")
    return int(text)


def connect(
    session: boto3.Session,
    endpoint_url: str | None,
    concurrency: int,
    *,
    client: Any = None,
    limits: RequestLimits | None = None,
) -> tuple[Callable[[str], S3Store], Any]:
    """What opens the obstore client of a bucket, and the boto3 client: the given one, else a new one.

    :param limits: of obstore's requests; without them, its own: minutes of trying.
    :raises StorageError: when there are no credentials.
    """
    # These import boto3: too slow for Dag parsing.
    from botocore.config import Config
    from obstore.auth.boto3 import Boto3CredentialProvider

    region = session.region_name or "us-east-1"
    try:
        credentials = Boto3CredentialProvider(session)
    except ValueError as error:
        raise StorageError(
            "No AWS credentials were found; set up a profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    options = _options(endpoint_url, limits)

    def open_bucket(bucket: str) -> S3Store:
        return S3Store(bucket, region=region, credential_provider=credentials, **options)

    if client is not None:
        return open_bucket, client
    # boto3 keeps 10 connections; of more requests at once, each would open and close one of its own.
    pool = Config(max_pool_connections=max(concurrency, 10))
    return open_bucket, session.client("s3", endpoint_url=endpoint_url, config=pool)


def _options(endpoint_url: str | None, limits: RequestLimits | None) -> dict[str, Any]:
    client: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if endpoint_url:
        client["allow_http"] = endpoint_url.startswith("http://")
        options |= {"endpoint": endpoint_url, "virtual_hosted_style_request": False}
    if limits:
        client["connect_timeout"] = timedelta(seconds=limits.connect_seconds)
        client["read_timeout"] = timedelta(seconds=limits.silent_seconds)
        retry_timeout = timedelta(seconds=limits.retry_seconds)
        options["retry_config"] = {"max_retries": limits.retries, "retry_timeout": retry_timeout}
    return options | {"client_options": client} if client else options
