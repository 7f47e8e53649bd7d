"""A Ground Truth and an S3 for every test that wants one: one server a session, one bucket a test."""

from __future__ import annotations

import functools
import hashlib
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from roundtruth.sandbox import REGION, SandboxSettings

# So fast that a job of some ten objects is over in less than a second.
SPEED = 20_000.0


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Any]:
    """A running `roundtruth.sandbox.server.Sandbox`, in memory; `sandbox.endpoint_url` is its address."""
    from roundtruth.sandbox.server import Sandbox

    with Sandbox(SandboxSettings(speed=SPEED, workers="good")) as running:
        yield running


@pytest.fixture
def sagemaker_client(sandbox: Any) -> Any:
    """A boto3 client of the sandbox's Ground Truth, without retries; no fault is in force at first."""
    clear_faults(sandbox.endpoint_url)
    yield client("sagemaker", sandbox.endpoint_url)
    clear_faults(sandbox.endpoint_url)


@pytest.fixture
def s3_client(sandbox: Any) -> Any:
    """A boto3 client of the sandbox's S3."""
    return client("s3", sandbox.endpoint_url)


@pytest.fixture
def bucket(request: pytest.FixtureRequest, s3_client: Any) -> str:
    """A bucket of this test's own, created; its name comes from the test's."""
    name = f"test-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:24]}"
    s3_client.create_bucket(Bucket=name)
    return name


@functools.cache  # a client takes 50 ms to make and serves any number of threads
def client(service: str, endpoint_url: str) -> Any:
    """A boto3 client with any credentials; failed calls are not repeated."""
    return boto3.client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"max_attempts": 0}),
    )


def clear_faults(endpoint_url: str) -> None:
    """Take back every fault."""
    request = urllib.request.Request(f"{endpoint_url}/_sandbox/faults", method="DELETE")
    urllib.request.urlopen(request, timeout=10).close()
