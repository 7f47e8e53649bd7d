"""Storage with the credentials, region and endpoint of an Airflow connection."""

from __future__ import annotations

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.config import Config

from roundtruth.s3_connection import RequestLimits
from roundtruth.storage import Storage

CONNECTIONS = 32  # as many as Storage has requests in flight; boto3 keeps 10


def connected_storage(aws_conn_id: str) -> Storage:
    """Open S3 as the connection says; the sandbox and AWS differ in the connection alone."""
    return storage_of(s3_hook(aws_conn_id))


def s3_hook(aws_conn_id: str, limits: RequestLimits | None = None) -> S3Hook:
    """The provider's hook, with connections for as many requests as Storage has in flight.

    :param limits: how long it may wait; without them, as long as the connection says.
    """
    given = S3Hook(aws_conn_id=aws_conn_id).config
    more = Config(
        max_pool_connections=max(given.max_pool_connections, CONNECTIONS),
        # Else boto3 signs addresses by version 2 in us-east-1, which objects under KMS keys refuse.
        signature_version=given.signature_version or "s3v4",
    )
    if limits:
        more = more.merge(
            Config(
                connect_timeout=limits.connect_seconds,
                read_timeout=limits.silent_seconds,
                retries={"total_max_attempts": 1},  # boto3 would wait as long for each
            )
        )
    # Merged: a config that is handed in takes the place of the connection's own `config_kwargs`.
    return S3Hook(aws_conn_id=aws_conn_id, config=given.merge(more))


def storage_of(hook: S3Hook, limits: RequestLimits | None = None) -> Storage:
    """Storage with the credentials, region and endpoint of a hook."""
    client = hook.get_conn()
    return Storage.from_session(
        hook.get_session(), endpoint_url=_custom_endpoint(hook), s3_client=client, limits=limits
    )


def _custom_endpoint(hook: S3Hook) -> str | None:
    configured = hook.conn_config.get_service_endpoint_url("s3")
    return str(configured) if configured else None
