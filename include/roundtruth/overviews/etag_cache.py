"""Decoded objects of S3 kept in memory while their ETag holds, so that a page costs HEAD requests alone."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from roundtruth.storage import ObjectUri, Storage

Decoded = TypeVar("Decoded")
Weigh = Callable[[Any, int], int]
MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class _Kept:
    etag: str
    value: Any
    weight: int


class EtagCache:
    """What was read from one storage, the least recently used leaves first; thread-safe.

    :param most_bytes: what all values together may take, by their own word (``weigh``) or their size in S3.
    """

    def __init__(self, storage: Storage, *, most_bytes: int = MOST_BYTES) -> None:
        self.storage = storage
        self._most_bytes = most_bytes
        self._weight = 0
        self._kept: OrderedDict[tuple[ObjectUri, str], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self,
        uri: ObjectUri,
        decode: Callable[[bytes], Decoded],
        *,
        kind: str,
        immutable: bool = False,
        weigh: Weigh | None = None,
    ) -> Decoded | None:
        """The decoded object, or None when there is none; read again only when its ETag is another one.

        :param kind: what ``decode`` makes of it: the same object may be kept in several forms.
        :param immutable: the key is never written again, so that nothing is asked once it was read.
        :param weigh: bytes that the value takes, of the value and its size in S3; default: that size.
        :raises StorageError: when S3 refuses.
        """
        key = (uri, kind)
        kept = self._use(key)
        if kept is not None and immutable:
            value: Decoded = kept.value
            return value
        if kept is not None:
            stored = self.storage.head(uri)
            if stored is None:
                return None
            if stored.etag == kept.etag:
                value = kept.value
                return value  # noqa: RET504  # typed on the way
        content = self.storage.read_if_there(uri)
        if content is None:
            return None
        value = decode(content.data)
        size = len(content.data)
        self._keep(key, _Kept(etag=content.etag, value=value, weight=weigh(value, size) if weigh else size))
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._weight = 0

    def _use(self, key: tuple[ObjectUri, str]) -> _Kept | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[ObjectUri, str], kept: _Kept) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            self._weight += kept.weight - (before.weight if before else 0)
            self._kept[key] = kept
            while self._weight > self._most_bytes and len(self._kept) > 1:
                self._weight -= self._kept.popitem(last=False)[1].weight
