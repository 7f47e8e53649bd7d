from __future__ import annotations

from pathlib import Path

import pytest

from roundtruth.errors import StorageError
from roundtruth.storage import ObjectUri


@pytest.mark.parametrize(
    ("text", "bucket", "key"),
    [
        ("s3://b/k", "b", "k"),
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/a//b/", "b", "a//b/"),
        ("s3://b/사진 1#%?.jpg", "b", "사진 1#%?.jpg"),
        ("/tmp/x", "", "/tmp/x"),
        ("file:///tmp/x", "", "/tmp/x"),
    ],
)
def test_parse_uri(text: str, bucket: str, key: str) -> None:
    uri = ObjectUri.parse(text)
    assert (uri.bucket, uri.key) == (bucket, key)
    assert uri.is_local == (not bucket)
    assert ObjectUri.parse(str(uri)) == uri


@pytest.mark.parametrize("text", ["s3:///key", "s3://", "gs://b/k", "https://b.s3.amazonaws.com/k"])
def test_uri_that_cannot_be_read(text: str) -> None:
    with pytest.raises(StorageError, match=r"names no bucket|neither an s3:// URI nor a local path"):
        ObjectUri.parse(text)


def test_relative_path_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert ObjectUri.parse("x/y").key == str(tmp_path / "x" / "y")


def test_join_uri() -> None:
    assert str(ObjectUri("b", "") / "a") == "s3://b/a"
    assert str(ObjectUri("b", "a/") / "c" / "d.txt") == "s3://b/a/c/d.txt"
    assert (ObjectUri("b", "a/c/")).name == "c"


@pytest.mark.parametrize(("key", "folder"), [("", ""), ("a", "a/"), ("a/c/", "a/c/"), ("a//", "a//")])
def test_a_folder_ends_with_a_slash(key: str, folder: str) -> None:
    assert ObjectUri("b", key).folder_key == folder
