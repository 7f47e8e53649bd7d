from __future__ import annotations

from pathlib import Path

import pytest

from roundtruth.errors import StorageError
from roundtruth.storage import ObjectUri, Storage
from tests.store import storage

__all__ = ["storage"]


def test_files_work_as_objects_do(tmp_path: Path) -> None:
    storage, folder = Storage(), ObjectUri.parse(str(tmp_path / "사진 #1"))
    one = folder / "a/b.txt"
    storage.write(one, b"0123456789")
    assert storage.read(one) == b"0123456789"
    assert storage.read_range(one, 8, 10) == b"89"
    assert storage.read_range(one, 20, 10) == b""
    assert storage.write_if_absent(one, b"x") is False
    assert storage.write_if_absent(folder / "a-c.txt", b"x") is True
    storage.copy(one, folder / "deep/er/copy.txt")
    listed = list(storage.list_objects(folder))
    assert [found.uri.key.removeprefix(folder.key) for found in listed] == [
        "/a-c.txt",
        "/a/b.txt",
        "/deep/er/copy.txt",
    ]
    assert [found.size for found in listed] == [1, 10, 10]
    assert storage.list_folders(folder) == ["a", "deep"]
    assert storage.list_folders(folder / "none") == []
    assert storage.head(folder / "a") is None
    storage.delete(one)
    storage.delete(one)
    assert storage.read_if_there(one) is None
    with pytest.raises(StorageError, match="does not exist"):
        storage.read(one)
    with pytest.raises(StorageError, match="does not exist"):
        storage.read_range(one, 0, 1)
    with pytest.raises(StorageError, match="cannot be replaced by its ETag"):
        storage.write_if_unchanged(one, b"", "")
    with pytest.raises(StorageError, match=r"Cannot write .*: Is a directory"):
        storage.write(folder / "a", b"")


def test_copy_between_disk_and_s3(storage: Storage, bucket: str, tmp_path: Path) -> None:
    file = ObjectUri.parse(str(tmp_path / "x"))
    storage.write(file, b"abc")
    storage.copy(file, ObjectUri(bucket, "x"))
    storage.copy(ObjectUri(bucket, "x"), ObjectUri.parse(str(tmp_path / "y")))
    assert (tmp_path / "y").read_bytes() == b"abc"
