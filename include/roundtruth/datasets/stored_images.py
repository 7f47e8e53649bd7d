"""Whether an image in S3 is, byte for byte, the one that a version holds."""

from __future__ import annotations

import hashlib
from typing import Any

from roundtruth.storage import ObjectUri, Storage, StoredObject

# Read at once; images of any size are hashed in this much memory a thread.
BLOCK_BYTES = 8 * 1024 * 1024


def is_hashable(etag: str) -> bool:
    """Tell whether an ETag may be the MD5 of the bytes; that of an upload in parts ends in ``-2``."""
    return len(etag) == 32 and "-" not in etag


def image_bytes_problem(storage: Storage, stored: StoredObject) -> tuple[str, bool]:
    """Read an image and hash it; its ETag and size are right already.

    :returns: what is wrong, empty where nothing is; and whether there was nothing to compare the bytes with:
        an ETag is no MD5 after an upload in parts, or with a key of KMS or the uploader's own.
    """
    if not is_hashable(stored.etag):
        return "", True
    if _md5(storage, stored.uri, stored.size) == stored.etag:
        return "", False
    if not storage.has_md5_etag(stored.uri):
        return "", True
    return f"has other bytes than its ETag says ({stored.uri}): they were damaged where they lie", False


def is_image_as_read(storage: Storage, uri: ObjectUri, etag: str, data: bytes) -> bool:
    """Tell whether bytes that were read under an ETag are those it stands for, as far as it is an MD5."""
    if not is_hashable(etag) or hashlib.md5(data, usedforsecurity=False).hexdigest() == etag:
        return True
    return not storage.has_md5_etag(uri)


def _md5(storage: Storage, uri: ObjectUri, size: int) -> str:
    md5: Any = hashlib.md5(usedforsecurity=False)
    for start in range(0, size, BLOCK_BYTES):
        md5.update(storage.read_range(uri, start, min(BLOCK_BYTES, size - start)))
    digest: str = md5.hexdigest()
    return digest
