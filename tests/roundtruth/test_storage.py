from __future__ import annotations

import socket
import threading
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from roundtruth.errors import MissingObjectError, StorageError
from roundtruth.storage import Content, ObjectUri, Storage
from tests.store import ACCESS_KEY, SECRET_KEY, open_store, storage

__all__ = ["storage"]

ODD_KEYS = [
    "two words.jpg",
    "a#b.jpg",
    "100%.jpg",
    "a%20b.jpg",
    "2020-12-28_18:59:58.json",
    "사진/볼펜.jpg",
    "pen🖊.jpg",
    "zero\u200bwidth.jpg",
    "k" * 1000,
    "a+b&c=d?e.jpg",
    " lead and trail ",
    "quote\"and'quote",
    "back\\slash",
    "{[<|^`>]}~*",
    "e\u0301 is not é",
]
NOWHERE = ObjectUri("no-such-bucket", "folder/x")


# --- one object ---


@pytest.mark.parametrize("key", ODD_KEYS, ids=lambda key: key[:20].encode("unicode_escape").decode())
def test_odd_keys_are_the_same_to_boto3(storage: Storage, s3_client: Any, bucket: str, key: str) -> None:
    uri, copied = ObjectUri(bucket, f"odd/{key}"), ObjectUri(bucket, f"cp/{key}")
    storage.write(uri, key.encode())
    assert s3_client.get_object(Bucket=bucket, Key=uri.key)["Body"].read() == key.encode()
    assert storage.read(uri) == key.encode()
    found = storage.head(uri)
    assert found is not None
    assert (found.uri, found.size) == (uri, len(key.encode()))
    storage.copy(uri, copied)
    assert s3_client.get_object(Bucket=bucket, Key=copied.key)["Body"].read() == key.encode()
    assert [one.uri for one in storage.list_objects(ObjectUri(bucket, "odd"))] == [uri]


def test_etag_has_no_quotes_and_is_the_same_everywhere(storage: Storage, bucket: str) -> None:
    uri = ObjectUri(bucket, "x")
    storage.write(uri, b"abc")
    content, found = storage.read_if_there(uri), storage.head(uri)
    assert content is not None
    assert found is not None
    assert content.etag == found.etag == "900150983cd24fb0d6963f7d28e17f72"
    assert next(storage.list_objects(ObjectUri(bucket, ""))).etag == found.etag
    assert found.last_modified.tzinfo is not None


def test_a_page_is_served_as_one(sandbox: Any, storage: Storage, bucket: str) -> None:
    storage.write(ObjectUri(bucket, "docs/index.html"), b"<p>", content_type="text/html; charset=utf-8")
    with urllib.request.urlopen(f"{sandbox.endpoint_url}/{bucket}/docs/index.html", timeout=10) as answer:
        assert (answer.headers["Content-Type"], answer.read()) == ("text/html; charset=utf-8", b"<p>")


def test_object_that_is_not_there(storage: Storage, bucket: str) -> None:
    uri = ObjectUri(bucket, "nothing")
    assert storage.head(uri) is None
    assert storage.read_if_there(uri) is None
    assert storage.write_if_unchanged(uri, b"", "0") is False
    storage.delete(uri)
    for call in (lambda: storage.read(uri), lambda: storage.read_range(uri, 0, 4)):
        with pytest.raises(StorageError, match=rf"s3://{bucket}/nothing.* does not exist"):
            call()
    with pytest.raises(MissingObjectError):
        storage.read(uri)
    with pytest.raises(StorageError, match=r"Cannot copy .* does not exist"):
        storage.copy(uri, ObjectUri(bucket, "copy"))


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 4, b"0123"), (8, 10, b"89"), (9, 1, b"9"), (10, 5, b""), (50, 5, b""), (3, 0, b"")],
)
def test_read_range(storage: Storage, bucket: str, start: int, length: int, expected: bytes) -> None:
    uri = ObjectUri(bucket, "photo_416.jpg")
    storage.write(uri, b"0123456789")
    assert storage.read_range(uri, start, length) == expected


def test_a_server_error_is_not_an_empty_range(
    storage: Storage, sagemaker_client: Any, sandbox: Any, bucket: str
) -> None:
    uri = ObjectUri(bucket, "status code 416.jpg")
    storage.write(uri, b"0123456789")
    put_fault(sandbox, operations=["GET */status*"], code="AccessDenied", status=403, share=1.0)
    with pytest.raises(StorageError, match="Cannot read"):
        storage.read_range(uri, 0, 4)


# --- conditional writes ---


def race(count: int, action: Callable[[int], bool]) -> list[int]:
    """Run an action in threads at the same moment; returns whose came out true."""
    start = threading.Barrier(count)

    def run(number: int) -> bool:
        start.wait()
        return action(number)

    with ThreadPoolExecutor(count) as pool:
        return [number for number, won in enumerate(pool.map(run, range(count))) if won]


def test_only_one_of_many_writes_if_absent(storage: Storage, bucket: str) -> None:
    for attempt in range(5):
        uri = ObjectUri(bucket, f"once-{attempt}")
        won = race(4, lambda number, uri=uri: storage.write_if_absent(uri, str(number).encode()))
        assert len(won) == 1
        assert storage.read(uri) == str(won[0]).encode()


def test_only_one_of_many_replaces_what_it_saw(storage: Storage, bucket: str) -> None:
    uri = ObjectUri(bucket, "pointer")
    storage.write(uri, b"first")
    for _ in range(5):
        seen = storage.read_if_there(uri)
        assert seen is not None
        won = race(
            4,
            lambda number, seen=seen: storage.write_if_unchanged(
                uri, seen.data + str(number).encode(), seen.etag
            ),
        )
        assert len(won) == 1
        assert storage.read(uri) == seen.data + str(won[0]).encode()


# --- many objects ---


def test_listing_is_in_key_order_and_only_of_the_folder(storage: Storage, bucket: str) -> None:
    keys = ["images-2/x", "images/b", "images/a/c", "images/a-b", "images/é", "imagesx"]
    storage.write_many((ObjectUri(bucket, key), b"") for key in keys)
    assert [one.uri.key for one in storage.list_objects(ObjectUri(bucket, "images"))] == [
        "images/a-b",
        "images/a/c",
        "images/b",
        "images/é",
    ]
    assert storage.list_folders(ObjectUri(bucket, "")) == ["images", "images-2"]
    assert storage.list_folders(ObjectUri(bucket, "images/")) == ["a"]
    assert storage.list_folders(ObjectUri(bucket, "none")) == []
    assert list(storage.list_objects(ObjectUri(bucket, "none"))) == []


@pytest.mark.parametrize("bad", ["a//b.jpg", "a/../b.jpg", "./b.jpg", "a\tb.jpg"])
def test_a_key_that_obstore_refuses_hides_nothing(
    storage: Storage, s3_client: Any, bucket: str, bad: str
) -> None:
    keys = sorted(["images/0.jpg", f"images/{bad}", "images/z.jpg"])
    for key in keys:
        s3_client.put_object(Bucket=bucket, Key=key, Body=b"x")
    found = list(storage.list_objects(ObjectUri(bucket, "images/")))
    assert [one.uri.key for one in found] == keys
    assert {one.size for one in found} == {1}
    assert all(one.etag and '"' not in one.etag and one.last_modified.tzinfo for one in found)


@pytest.mark.parametrize("bad", ["a//b.jpg", "//b.jpg", "a\tb.jpg"])
def test_a_key_that_obstore_refuses_is_read_and_copied(
    storage: Storage, s3_client: Any, bucket: str, bad: str
) -> None:
    uri, copied = ObjectUri(bucket, f"images/{bad}"), ObjectUri(bucket, "copied.jpg")
    assert storage.head(uri) is None
    assert storage.read_if_there(uri) is None
    with pytest.raises(StorageError, match="does not exist"):
        storage.read_range(uri, 0, 4)
    s3_client.put_object(Bucket=bucket, Key=uri.key, Body=b"0123456789")
    found = storage.head(uri)
    assert found == next(iter(storage.list_objects(ObjectUri(bucket, "images"))))
    assert found is not None
    assert found.size == 10
    assert storage.read_if_there(uri) == Content(b"0123456789", found.etag)
    assert storage.read_range(uri, 2, 3) == b"234"
    assert storage.read_range(uri, 8, 30) == b"89"
    assert storage.read_range(uri, 10, 5) == b""
    storage.copy(uri, copied)
    assert storage.read(copied) == b"0123456789"
    with pytest.raises(StorageError, match="Bucket 'no-such-bucket'"):
        storage.read(ObjectUri("no-such-bucket", bad))


def test_a_refused_key_behind_the_first_page_repeats_nothing(
    storage: Storage, s3_client: Any, bucket: str
) -> None:
    keys = [f"images/{number:04}.jpg" for number in range(1003)]
    storage.write_many((ObjectUri(bucket, key), b"") for key in keys)
    s3_client.put_object(Bucket=bucket, Key="images/x//y.jpg", Body=b"")
    found = [one.uri.key for one in storage.list_objects(ObjectUri(bucket, "images"))]
    assert found == [*keys, "images/x//y.jpg"]


def test_many_keep_their_order(storage: Storage, bucket: str) -> None:
    uris = [ObjectUri(bucket, f"{number}") for number in range(40)]
    assert storage.write_many((uri, uri.key.encode()) for uri in uris) == 40
    backwards = uris[::-1]
    read = list(storage.read_many(backwards))
    assert read == [(uri, uri.name.encode()) for uri in backwards]


def test_copy_to_another_bucket(storage: Storage, s3_client: Any, bucket: str) -> None:
    other = f"{bucket[:40]}-2"
    s3_client.create_bucket(Bucket=other)
    source = ObjectUri(bucket, "사진 #1%.jpg")
    storage.write(source, b"abc")
    storage.copy(source, ObjectUri(other, "x"))
    assert storage.read(ObjectUri(other, "x")) == b"abc"
    with pytest.raises(StorageError, match="S3 answers NoSuchKey"):
        storage.copy(ObjectUri(bucket, "no"), ObjectUri(other, "y"))
    with pytest.raises(
        StorageError, match="Bucket 'no-such-bucket' of s3://no-such-bucket/folder/x does not"
    ):
        storage.copy(source, NOWHERE)


# --- errors ---

CALLS: dict[str, Callable[[Storage, ObjectUri], Any]] = {
    "read": lambda storage, uri: storage.read(uri),
    "read_if_there": lambda storage, uri: storage.read_if_there(uri),
    "read_range": lambda storage, uri: storage.read_range(uri, 0, 1),
    "head": lambda storage, uri: storage.head(uri),
    "write": lambda storage, uri: storage.write(uri, b""),
    "write_if_absent": lambda storage, uri: storage.write_if_absent(uri, b""),
    "write_if_unchanged": lambda storage, uri: storage.write_if_unchanged(uri, b"", "0"),
    "copy": lambda storage, uri: storage.copy(uri, uri / "y"),
    "delete": lambda storage, uri: storage.delete(uri),
    "list_objects": lambda storage, uri: list(storage.list_objects(uri)),
    "list_folders": lambda storage, uri: storage.list_folders(uri),
    "read_many": lambda storage, uri: list(storage.read_many([uri])),
}


@pytest.mark.parametrize("name", CALLS)
def test_missing_bucket_is_one_clear_sentence(storage: Storage, name: str) -> None:
    with pytest.raises(StorageError) as error:
        CALLS[name](storage, NOWHERE)
    assert str(error.value) == (
        "Bucket 'no-such-bucket' of s3://no-such-bucket/folder/x does not exist; "
        "check its name, its region and your rights."
    )


@pytest.mark.parametrize("name", CALLS)
def test_no_message_holds_a_credential(
    storage: Storage, sagemaker_client: Any, sandbox: Any, bucket: str, name: str
) -> None:
    put_fault(sandbox, operations=[f"* {bucket}/*"], code="AccessDenied", status=403, share=1.0)
    with pytest.raises(StorageError) as error:
        CALLS[name](storage, ObjectUri(bucket, "folder/x"))
    seen: BaseException | None = error.value
    while seen is not None:
        assert ACCESS_KEY not in str(seen)
        assert SECRET_KEY not in str(seen)
        seen = seen.__cause__
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", ["a.jpg", "sp ace/#1%+&?.jpg", "한글/😀.jpg"])
def test_copy_only_of_the_object_that_was_meant(storage: Storage, bucket: str, key: str) -> None:
    source, target = ObjectUri(bucket, key), ObjectUri(bucket, f"copy/{key}")
    assert not storage.copy_if_unchanged(source, target, "0" * 32)  # nothing is there
    storage.write(source, b"one")
    head = storage.head(source)
    assert head is not None
    assert storage.copy_if_unchanged(source, target, head.etag)
    assert storage.read(target) == b"one"
    storage.write(source, b"two")
    assert not storage.copy_if_unchanged(source, target, head.etag)
    assert storage.read(target) == b"one"
    with pytest.raises(StorageError, match="no-such-bucket-here"):
        storage.copy_if_unchanged(target, ObjectUri("no-such-bucket-here", "x"), head.etag)


@pytest.mark.parametrize("name", CALLS)
def test_s3_without_a_connection(name: str) -> None:
    with pytest.raises(StorageError, match="is in S3, and no AWS credentials were found"):
        CALLS[name](Storage(), NOWHERE)


def test_server_that_does_not_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StorageError, match="Cannot read s3://b/x"):
        open_store(f"http://127.0.0.1:{port}").read(ObjectUri("b", "x"))


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StorageError, match="No AWS credentials were found"):
        Storage.from_session(boto3.Session(region_name="us-east-1"))


def put_fault(sandbox: Any, **call: Any) -> None:
    """Answer S3 calls with an error until the faults are taken back (by the fixture sagemaker_client)."""
    import json
    import urllib.request

    body = json.dumps({"calls": [{"service": "s3", **call}]}).encode()
    request = urllib.request.Request(f"{sandbox.endpoint_url}/_sandbox/faults", data=body, method="POST")
    urllib.request.urlopen(request, timeout=10).close()
