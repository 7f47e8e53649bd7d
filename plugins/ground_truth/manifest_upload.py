"""Put an input manifest to S3 once: the same again changes nothing, another one is refused."""

from __future__ import annotations

from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.exceptions import ClientError

from ground_truth.exceptions import InputManifestConflictError
from ground_truth.retries import error_code

_ABSENT_CODES = frozenset({"NoSuchKey", "404"})
_TAKEN_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


def put_manifest(
    hook: S3Hook, uri: str, content: bytes, *, replace: bool = False, kms_key_id: str | None = None
) -> bool:
    """Write a manifest unless it lies there already.

    :param hook: The hook to write with.
    :param uri: The S3 URI to write to.
    :param content: The bytes of the manifest.
    :param replace: Whether another manifest of that name may be replaced.
    :param kms_key_id: The KMS key to encrypt with; the bucket's own encryption when absent.
    :return: Whether anything was written.
    :raises InputManifestConflictError: when another manifest lies there and may not be replaced.
    """
    found = _read(hook, uri)
    if found == content:
        return False
    if found is not None and not replace:
        raise _conflict(uri, found, content)
    options: dict[str, Any] = {"ContentType": "application/jsonlines"}
    if kms_key_id:
        options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}
    if not replace:
        options["IfNoneMatch"] = "*"
    bucket, key = S3Hook.parse_s3_url(uri)
    try:
        hook.conn.put_object(Bucket=bucket, Key=key, Body=content, **options)
    except ClientError as error:
        if error_code(error) not in _TAKEN_CODES:
            raise
        found = _read(hook, uri)  # another call wrote between the look and the write
        if found == content:
            return False
        if found is None:
            raise
        raise _conflict(uri, found, content) from error
    return True


def object_count(content: bytes) -> int:
    """How many objects to label a manifest holds."""
    return content.count(b"\n")


def _read(hook: S3Hook, uri: str) -> bytes | None:
    bucket, key = S3Hook.parse_s3_url(uri)
    try:
        return bytes(hook.conn.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error_code(error) in _ABSENT_CODES:
            return None
        raise


def _conflict(uri: str, found: bytes, content: bytes) -> InputManifestConflictError:
    return InputManifestConflictError(
        f"{uri} holds another input manifest: {object_count(found)} objects in {len(found)} bytes, "
        f"this one has {object_count(content)} in {len(content)}. "
        "Write to another key, or set replace when no job was created from it."
    )
