"""Storage whose buckets are obstore's own in-memory stores: hundreds of images a test without a server."""

from __future__ import annotations

import functools
from io import BytesIO
from typing import Any

from obstore.store import MemoryStore
from PIL import Image

from roundtruth.storage import ObjectUri, Storage


class _EveryBucketIsThere:
    def head_bucket(self, **_: Any) -> dict[str, Any]:
        return {}


def memory_storage() -> Storage:
    """Storage in which every bucket is there, empty."""
    return Storage(lambda _: MemoryStore(), _EveryBucketIsThere())  # type: ignore[arg-type,return-value]


@functools.cache
def blank_png(width: int, height: int) -> bytes:
    """A PNG of this size with nothing on it."""
    content = BytesIO()
    Image.new("1", (width, height)).save(content, "PNG")
    return content.getvalue()


def put_blank(storage: Storage, uri: str, width: int = 320, height: int = 240) -> str:
    """Put an image without content; returns its URI."""
    storage.write(ObjectUri.parse(uri), blank_png(width, height))
    return uri
