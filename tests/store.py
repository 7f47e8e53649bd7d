"""Storage over the sandbox's S3 for tests."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from roundtruth.sandbox import REGION
from roundtruth.storage import Storage

ACCESS_KEY, SECRET_KEY = "AKIAROUNDTRUTHTEST00", "this-secret-must-stand-in-no-message"


def open_store(endpoint_url: str, **options: Any) -> Storage:
    """Storage with made-up credentials."""
    session = boto3.Session(
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
    )
    return Storage.from_session(session, endpoint_url=endpoint_url, **options)


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    """Storage over the sandbox's S3."""
    return open_store(sandbox.endpoint_url)
