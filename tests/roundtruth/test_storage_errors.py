"""Keys that only boto3 takes: what it raises is a StorageError too, also when no answer comes at all."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from roundtruth.errors import StorageError
from roundtruth.storage import ObjectUri, Storage
from tests.sandbox_fixture import client
from tests.store import open_store

KEY = "images/x//y.jpg"
CALLS: dict[str, Callable[[Storage, ObjectUri], Any]] = {
    "read": lambda storage, uri: storage.read(uri),
    "read_if_there": lambda storage, uri: storage.read_if_there(uri),
    "read_range": lambda storage, uri: storage.read_range(uri, 0, 1),
    "head": lambda storage, uri: storage.head(uri),
    "has_md5_etag": lambda storage, uri: storage.has_md5_etag(uri),
    "copy": lambda storage, uri: storage.copy(uri, ObjectUri(uri.bucket, "copied")),
    "copy_if_unchanged": lambda storage, uri: storage.copy_if_unchanged(
        uri, ObjectUri(uri.bucket, "copied"), "0"
    ),
    "list_objects": lambda storage, uri: list(storage.list_objects(ObjectUri(uri.bucket, "images"))),
}


@pytest.fixture
def uri(s3_client: Any, bucket: str) -> ObjectUri:
    """An object that is there."""
    s3_client.put_object(Bucket=bucket, Key=KEY, Body=b"0123456789")
    return ObjectUri(bucket, KEY)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nothing answers: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize("name", CALLS)
def test_a_connection_that_is_lost(sandbox: Any, uri: ObjectUri, nobody: str, name: str) -> None:
    storage = open_store(sandbox.endpoint_url, s3_client=client("s3", nobody))
    with pytest.raises(StorageError, match=rf"s3://{uri.bucket}/images.*{nobody}") as found:
        CALLS[name](storage, uri)
    assert isinstance(found.value.__cause__, BotoCoreError)


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal(sandbox: Any, sagemaker_client: Any, s3_client: Any, uri: ObjectUri, name: str) -> None:
    """Of the calls that boto3 makes: obstore signs with another access key here."""
    fault = {"service": "s3", "operations": [f"* {uri.bucket}/*"], "caller": "sandbox"}
    refused = fault | {"code": "SlowDown", "status": 503, "share": 1.0}
    body = json.dumps({"calls": [refused]}).encode()
    urllib.request.urlopen(f"{sandbox.endpoint_url}/_sandbox/faults", body, timeout=10).close()
    storage = open_store(sandbox.endpoint_url, s3_client=s3_client)
    with pytest.raises(StorageError, match=rf"s3://{uri.bucket}/.*(SlowDown|503)") as found:
        CALLS[name](storage, uri)
    assert isinstance(found.value.__cause__, ClientError)


def test_what_is_missing_is_said_as_of_any_other_key(sandbox: Any, s3_client: Any, bucket: str) -> None:
    storage = open_store(sandbox.endpoint_url, s3_client=s3_client)
    with pytest.raises(StorageError, match=rf"Cannot look at s3://{bucket}/images/x//y.jpg: S3 answers 404"):
        storage.has_md5_etag(ObjectUri(bucket, KEY))
    with pytest.raises(StorageError, match=r"Bucket 'no-such-bucket' of .* does not exist"):
        storage.has_md5_etag(ObjectUri("no-such-bucket", KEY))


def test_a_defect_stays_one(sandbox: Any) -> None:
    """An error that no storage raises on purpose keeps its type."""

    class Broken:
        def head_object(self, **_: Any) -> Any:
            raise TypeError("made up")

    with pytest.raises(TypeError, match="made up"):
        open_store(sandbox.endpoint_url, s3_client=Broken()).head(ObjectUri("b", KEY))
