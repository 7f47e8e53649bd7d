"""A folder that outlives the process and holds what S3 held: one file an object, one a bucket."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One S3 object: its bytes and what HEAD tells about it; `last_modified` is ISO 8601 with zone."""

    bucket: str
    key: str
    etag: str  # without quotes
    last_modified: str
    metadata: dict[str, str]  # content-type, other system headers and x-amz-meta-*, as moto keeps them
    checksum: dict[str, str | int | None] = field(default_factory=dict)  # moto's attributes by name
    body: bytes = field(repr=False)


class ObjectFolder:
    """Objects and buckets as files; every file is written beside its name and moved there.

    A file is named by the digest of bucket and key, since keys hold what no file system allows (colons on
    some, 1,024 bytes, `..`). It begins with one JSON line, the body follows. A process killed at any moment
    leaves the old file or the new one, never half of one.
    """

    def __init__(self, root: Path) -> None:
        self._objects = root / "objects"
        self._buckets = root / "buckets"
        for folder in (self._objects, self._buckets):
            folder.mkdir(parents=True, exist_ok=True)
            for left_over in folder.rglob("*.part"):
                left_over.unlink()

    def save(self, stored: StoredObject) -> None:
        """Write one object over whatever was there under its key."""
        header = asdict(stored)
        del header["body"]
        content = json.dumps(header, ensure_ascii=True).encode() + b"\n" + stored.body
        _write(self._object_path(stored.bucket, stored.key), content)

    def delete(self, bucket: str, key: str) -> None:
        """Forget one object; nothing happens where there is none."""
        self._object_path(bucket, key).unlink(missing_ok=True)

    def objects(self) -> Iterator[StoredObject]:
        """Every object, in no particular order."""
        for path in self._objects.rglob("*.object"):
            header, _, body = path.read_bytes().partition(b"\n")
            yield StoredObject(**json.loads(header), body=body)

    def save_bucket(self, bucket: str, settings: dict[str, str]) -> None:
        """Write a bucket and the bodies of its settings by name (`cors`, `versioning`, ...)."""
        content = json.dumps({"bucket": bucket, "settings": settings}, sort_keys=True).encode()
        _write(self._buckets / f"{_digest(bucket)}.json", content)

    def delete_bucket(self, bucket: str) -> None:
        """Forget a bucket and its settings."""
        (self._buckets / f"{_digest(bucket)}.json").unlink(missing_ok=True)

    def buckets(self) -> dict[str, dict[str, str]]:
        """Settings by bucket, sorted by name."""
        read = (json.loads(path.read_bytes()) for path in self._buckets.glob("*.json"))
        return dict(sorted((one["bucket"], one["settings"]) for one in read))

    def _object_path(self, bucket: str, key: str) -> Path:
        digest = _digest(f"{bucket}\0{key}")
        return self._objects / digest[:2] / f"{digest}.object"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(content)
    part.replace(path)
