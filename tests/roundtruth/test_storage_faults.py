"""Storage while S3 refuses: each kind of request is tried again, and an upload in parts lands whole."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from roundtruth.storage import ObjectUri, Storage
from tests.store import storage

__all__ = ["storage"]

LARGE = b"0123456789abcdef" * (384 * 1024)  # 6 MiB: obstore uploads what is over 5 MiB in parts


@pytest.fixture
def refuse(sandbox: Any, sagemaker_client: Any) -> Callable[..., Callable[[], int]]:
    """Put a fault in force over HTTP; what it returns tells how many calls met it."""

    def put(operation: str, times: int, **fault: Any) -> Callable[[], int]:
        plan = {"service": "s3", "operations": [operation], "next": times, "status": 500} | fault
        body = json.dumps({"calls": [plan]}).encode()
        urllib.request.urlopen(f"{sandbox.endpoint_url}/_sandbox/faults", body, timeout=10).close()

        def met() -> int:
            with urllib.request.urlopen(f"{sandbox.endpoint_url}/_sandbox/faults/met", timeout=10) as answer:
                return int(json.load(answer)[0])

        return met

    return put


@pytest.mark.parametrize("code", [("InternalError", 500), ("SlowDown", 503)], ids=["500", "throttled"])
@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("GET */a", lambda storage, root: storage.read(root / "a")),
        ("GET */a", lambda storage, root: storage.read_range(root / "a", 0, 2)),
        ("HEAD */a", lambda storage, root: storage.head(root / "a")),
        ("LIST */folder/*", lambda storage, root: list(storage.list_objects(root / "folder"))),
        ("LIST */folder/*", lambda storage, root: storage.list_folders(root / "folder")),
        ("PUT */b", lambda storage, root: storage.write(root / "b", b"2")),
        ("COPY */c", lambda storage, root: storage.copy(root / "a", root / "c")),
        ("UPLOAD */large", lambda storage, root: storage.write(root / "large", LARGE)),
    ],
    ids=["read", "read a range", "head", "list", "list folders", "write", "copy", "upload in parts"],
)
def test_requests_that_are_refused_twice(
    storage: Storage,
    bucket: str,
    refuse: Callable[..., Callable[[], int]],
    operation: str,
    call: Callable[[Storage, ObjectUri], object],
    code: tuple[str, int],
) -> None:
    root = ObjectUri(bucket, "")
    storage.write(root / "a", b"1")
    storage.write(root / "folder/a", b"1")
    met = refuse(operation, 2, code=code[0], status=code[1])
    call(storage, root)
    assert met() == 2


def test_an_upload_in_parts_whose_answers_are_lost(
    storage: Storage, bucket: str, refuse: Callable[..., Callable[[], int]]
) -> None:
    uri = ObjectUri(bucket, "large")
    met = refuse("UPLOAD *", 2, effect="answer lost")
    storage.write(uri, LARGE)
    assert met() == 2
    assert storage.read(uri) == LARGE
