"""Where an object lies and what is known of it: S3 URIs, local paths, listings.

Structs of msgspec: a listing makes two a key, and frozen dataclasses take five times as long to make.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from roundtruth.errors import StorageError


class ObjectUri(msgspec.Struct, frozen=True, order=True):
    """An S3 object or prefix (``s3://bucket/key``), or a local path (``bucket`` is empty)."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> ObjectUri:
        """Read ``s3://bucket/key`` or a local path.

        :raises StorageError: when the S3 URI names no bucket, or the scheme is another one.
        """
        if text.startswith("s3://"):
            bucket, _, key = text.removeprefix("s3://").partition("/")
            if not bucket:
                raise StorageError(f"{text!r} names no bucket; write s3://bucket/key.")
            return cls(bucket, key)
        if "://" in text and not text.startswith("file://"):
            raise StorageError(f"{text!r} is neither an s3:// URI nor a local path.")
        return cls("", str(Path(text.removeprefix("file://")).expanduser().absolute()))

    @property
    def is_local(self) -> bool:
        """Whether this is a path on this machine."""
        return not self.bucket

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rstrip("/").rpartition("/")[2]

    @property
    def folder_key(self) -> str:
        """The key with a slash at its end, as S3 lists what is under it; empty for a whole bucket."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    def __truediv__(self, part: str) -> ObjectUri:
        return ObjectUri(self.bucket, f"{self.key.rstrip('/')}/{part}" if self.key else part)

    def __str__(self) -> str:
        return self.key if self.is_local else f"s3://{self.bucket}/{self.key}"


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing tells of one object; ``etag`` is without quotes, ``size`` in bytes."""

    uri: ObjectUri
    size: int
    etag: str
    last_modified: datetime


class Content(msgspec.Struct, frozen=True):
    """An object's bytes and the ETag they had when they were read."""

    data: bytes
    etag: str


class ConditionalCopy(msgspec.Struct, frozen=True):
    """A copy to be made only while the source has this ETag, which is without quotes."""

    source: ObjectUri
    target: ObjectUri
    etag: str


def bare_etag(etag: str | None) -> str:
    """An ETag without the quotes that S3 puts around it."""
    return (etag or "").strip('"')


def stored_object(bucket: str, meta: Any) -> StoredObject:
    """What obstore tells of an object (its ObjectMeta), as ours."""
    return StoredObject(
        uri=ObjectUri(bucket, meta["path"]),
        size=meta["size"],
        etag=bare_etag(meta["e_tag"]),
        last_modified=meta["last_modified"],
    )
