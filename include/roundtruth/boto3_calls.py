"""The S3 calls that obstore cannot make: keys it refuses, copies across buckets, is a bucket there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

from roundtruth.errors import StorageError
from roundtruth.stored_objects import Content, ObjectUri, StoredObject, bare_etag


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


def is_refused_by_obstore(key: str) -> bool:
    """Whether object_store takes a key for an invalid path.

    It does with an empty, `.` or `..` part, or a control character. S3 takes all of them, and people's tools
    make some: `folder//photo.jpg` is a common one.
    """
    if (
        key.isprintable()
        and "//" not in key
        and "/." not in key
        and key[:1] not in {"", ".", "/"}
        and key[-1] != "/"
    ):
        return False  # nearly every key, a million times over
    parts = key.split("/")
    return any(part in {"", ".", ".."} for part in parts) or not key.isprintable()


def read(s3_client: Any, uri: ObjectUri, byte_range: tuple[int, int] | None = None) -> Content | None:
    """Read an object, or (start, length) of its bytes; None when there is none."""
    from botocore.exceptions import ClientError

    options = {"Range": f"bytes={byte_range[0]}-{sum(byte_range) - 1}"} if byte_range else {}
    try:
        answer = s3_client.get_object(Bucket=uri.bucket, Key=uri.key, **options)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "InvalidRange":  # it begins at or behind the object's end
            return Content(b"", "")
        _require_absent(s3_client, uri, code, error)
        return None
    return Content(answer["Body"].read(), bare_etag(answer["ETag"]))


def head(s3_client: Any, uri: ObjectUri) -> StoredObject | None:
    """Size, ETag and time of an object, or None when there is none."""
    from botocore.exceptions import ClientError

    try:
        answer = s3_client.head_object(Bucket=uri.bucket, Key=uri.key)
    except ClientError as error:
        _require_absent(s3_client, uri, error.response["Error"]["Code"], error)
        return None
    return StoredObject(
        uri=uri,
        size=answer["ContentLength"],
        etag=bare_etag(answer["ETag"]),
        last_modified=answer["LastModified"].astimezone(UTC),
    )


def has_md5_etag(s3_client: Any, uri: ObjectUri) -> bool:
    """Tell whether S3 made the object's ETag as the MD5 of its bytes: not with keys of KMS or one's own.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html (ETag)
    """
    found = s3_client.head_object(Bucket=uri.bucket, Key=uri.key)
    by_s3 = found.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in found
    return by_s3 and "-" not in found["ETag"]


def _require_absent(s3_client: Any, uri: ObjectUri, code: str, error: Exception) -> None:
    """Tell a missing object from a missing bucket and from every other refusal."""
    require_bucket(s3_client, uri)
    if code not in {"NoSuchKey", "404"}:
        raise StorageError(f"Cannot read {uri}: S3 answers {code}.") from error


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
