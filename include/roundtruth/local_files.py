"""Files on this machine, read and written as objects are; they have no ETag."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from roundtruth.stored_objects import Content, ObjectUri, StoredObject


def read(uri: ObjectUri) -> Content | None:
    """Read a file, or None when there is none."""
    path = Path(uri.key)
    return Content(path.read_bytes(), "") if path.is_file() else None


def read_range(uri: ObjectUri, start: int, length: int) -> bytes:
    """Read some bytes of a file, or fewer where it ends."""
    with Path(uri.key).open("rb") as file:
        file.seek(start)
        return file.read(length)


def head(uri: ObjectUri) -> StoredObject | None:
    """Size and time of a file, or None when there is none."""
    path = Path(uri.key)
    return _stored(path) if path.is_file() else None


def write(uri: ObjectUri, data: bytes) -> None:
    """Write a file and the folders above it."""
    path = Path(uri.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_if_absent(uri: ObjectUri, data: bytes) -> bool:
    """Write a file unless one is there; tells whether this call wrote it."""
    path = Path(uri.key)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        return False
    return True


def copy(source: ObjectUri, target: ObjectUri) -> None:
    """Copy a file."""
    Path(target.key).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source.key, target.key)


def delete(uri: ObjectUri) -> None:
    """Delete a file, if there is one."""
    Path(uri.key).unlink(missing_ok=True)


def list_objects(folder: ObjectUri) -> Iterator[StoredObject]:
    """All files under a folder, in the order of their keys (as S3 lists them)."""
    paths = sorted(Path(folder.key).rglob("*"), key=lambda path: path.as_posix().encode("utf-8", "replace"))
    return (_stored(path) for path in paths if path.is_file())


def list_folders(folder: ObjectUri) -> list[str]:
    """The names of the folders right under a folder, sorted."""
    path = Path(folder.key)
    return sorted(entry.name for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []


def _stored(path: Path) -> StoredObject:
    stat = path.stat()
    return StoredObject(
        uri=ObjectUri("", str(path)),
        size=stat.st_size,
        etag="",
        last_modified=datetime.fromtimestamp(stat.st_mtime, UTC),
    )
