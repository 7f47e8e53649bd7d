"""S3 in memory behind the Storage interface, for laws that take hundreds of releases."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

from roundtruth.storage import Content, ObjectUri, Storage, StoredObject

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


class MemoryStorage(Storage):
    """Objects by URI; ``overwritten`` are those that were written again with other bytes."""

    def __init__(self) -> None:
        super().__init__(concurrency=2)
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, int] = {}  # URI -> bytes, since it was cleared
        self.overwritten: set[str] = set()
        self._write_lock = threading.Lock()

    def read_if_there(self, uri: ObjectUri) -> Content | None:
        data = self.objects.get(str(uri))
        return None if data is None else Content(data, _etag(data))

    def read_range(self, uri: ObjectUri, start: int, length: int) -> bytes:
        """GET with Range."""
        return self.read(uri)[start : start + length]

    def head(self, uri: ObjectUri) -> StoredObject | None:
        return self._stored(str(uri)) if str(uri) in self.objects else None

    def write(self, uri: ObjectUri, data: bytes, *, content_type: str | None = None) -> None:
        if self.objects.get(str(uri), data) != data:
            self.overwritten.add(str(uri))
        self.objects[str(uri)] = data
        self.written[str(uri)] = len(data)

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        with self._write_lock:
            if str(uri) in self.objects:
                return False
            self.write(uri, data)
            return True

    def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
        with self._write_lock:
            if str(uri) not in self.objects or _etag(self.objects[str(uri)]) != etag:
                return False
            self.write(uri, data)
            return True

    def copy(self, source: ObjectUri, target: ObjectUri) -> None:
        self.objects[str(target)] = self.objects[str(source)]

    def copy_if_unchanged(self, source: ObjectUri, target: ObjectUri, etag: str) -> bool:
        found = self.read_if_there(source)
        if found is None or found.etag != etag:
            return False
        self.copy(source, target)
        return True

    def delete(self, uri: ObjectUri) -> None:
        self.objects.pop(str(uri), None)

    def list_objects(self, prefix: ObjectUri) -> Iterator[StoredObject]:
        start = f"{str(prefix).rstrip('/')}/"
        return iter([self._stored(uri) for uri in sorted(self.objects) if uri.startswith(start)])

    def list_folders(self, prefix: ObjectUri) -> list[str]:
        start = f"{str(prefix).rstrip('/')}/"
        inside = (uri[len(start) :] for uri in self.objects if uri.startswith(start))
        return sorted({path.partition("/")[0] for path in inside if "/" in path})

    def _stored(self, uri: str) -> StoredObject:
        data = self.objects[uri]
        return StoredObject(uri=ObjectUri.parse(uri), size=len(data), etag=_etag(data), last_modified=MOMENT)


def _etag(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
