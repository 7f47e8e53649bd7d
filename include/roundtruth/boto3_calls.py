"""The S3 calls that obstore cannot make: keys it refuses, copies across buckets, is a bucket there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from roundtruth.errors import StorageError
from roundtruth.stored_objects import ObjectUri, StoredObject, bare_etag


def list_objects(s3_client: Any, bucket: str, prefix: str, *, after: str) -> Iterator[StoredObject]:
    """List the objects under a prefix in key order, those after a key only; any key is taken as it is."""
    start = {"StartAfter": after} if after else {}
    paginator = s3_client.get_paginator("list_objects_v2")
    for page in paginator.paginate(Bucket=bucket, Prefix=prefix, **start):
        for entry in page.get("Contents", []):
            yield StoredObject(
                uri=ObjectUri(bucket, entry["Key"]),
                size=entry["Size"],
                etag=bare_etag(entry["ETag"]),
                last_modified=entry["LastModified"].astimezone(UTC),
            )


def copy(s3_client: Any, source: ObjectUri, target: ObjectUri) -> None:
    """Copy an object on the server's side.

    :raises StorageError: when the source or a bucket is missing.
    """
    from botocore.exceptions import ClientError  # imports urllib3: too slow for Dag parsing

    try:
        s3_client.copy_object(
            Bucket=target.bucket, Key=target.key, CopySource={"Bucket": source.bucket, "Key": source.key}
        )
    except ClientError as error:
        require_bucket(s3_client, source)
        require_bucket(s3_client, target)
        code = error.response["Error"]["Code"]
        raise StorageError(f"Cannot copy {source} to {target}: S3 answers {code}.") from error


def copy_if_unchanged(s3_client: Any, source: ObjectUri, target: ObjectUri, etag: str) -> bool:
    """Copy an object on the server's side while it has this ETag (CopySourceIfMatch); tells whether it did.

    :raises StorageError: when a bucket is missing, or S3 refuses for another reason.
    """
    from botocore.exceptions import ClientError

    try:
        s3_client.copy_object(
            Bucket=target.bucket,
            Key=target.key,
            CopySource={"Bucket": source.bucket, "Key": source.key},
            CopySourceIfMatch=f'"{etag}"',
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"PreconditionFailed", "412"}:
            return False
        require_bucket(s3_client, source)
        require_bucket(s3_client, target)
        if code in {"NoSuchKey", "404"}:
            return False
        raise StorageError(f"Cannot copy {source} to {target}: S3 answers {code}.") from error
    return True


def require_bucket(s3_client: Any, uri: ObjectUri) -> None:
    """Ask whether the bucket of an object is there.

    :raises StorageError: when it is not, or does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        s3_client.head_bucket(Bucket=uri.bucket)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "403":
            return  # s3:ListBucket is not granted; the object's own answer says what is wrong
        reason = "does not exist" if code in {"404", "NoSuchBucket"} else f"answers {code}"
        raise StorageError(
            f"Bucket {uri.bucket!r} of {uri} {reason}; check its name, its region and your rights."
        ) from error
    except BotoCoreError as error:
        raise StorageError(f"Bucket {uri.bucket!r} of {uri} cannot be reached: {error}.") from error
