"""Airflow without a database: a home of its own, the connection from the environment, a context in memory."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from typing import Any

import pytest

# Airflow reads its home when it is imported, so this comes before any import of it.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="roundtruth-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")


class TaskInstanceDouble:
    """Holds what a task pushes to XCom, and how often it may be tried; all that the operators ask of it."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}
        self.max_tries = 0

    def xcom_push(self, key: str, value: Any) -> None:
        json.dumps(value)  # XCom is JSON
        self.pushed[key] = value


@pytest.fixture
def context() -> dict[str, Any]:
    """The context of a running task."""
    return {"ti": TaskInstanceDouble()}


def connection(endpoint_url: str | None = None, region: str = "us-east-1") -> str:
    """An AWS connection as JSON; an endpoint a service, as DESIGN.md has it; no call is repeated."""
    extra: dict[str, Any] = {"region_name": region, "config_kwargs": {"retries": {"max_attempts": 0}}}
    if endpoint_url:
        extra["service_config"] = {name: {"endpoint_url": endpoint_url} for name in ("sagemaker", "s3")}
    return json.dumps({"conn_type": "aws", "login": "sandbox", "password": "sandbox", "extra": extra})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection aws_default to real AWS, with credentials nobody has: for stubbed clients."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection())


@pytest.fixture
def aws_sandbox(sandbox: Any, sagemaker_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection aws_default to the sandbox, without faults."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(sandbox.endpoint_url))


@pytest.fixture
def set_faults(sandbox: Any, sagemaker_client: Any) -> Any:
    """Put a fault plan in force: `set_faults(calls=…, jobs=…)`; taken back after the test."""
    from roundtruth.sandbox.faults import FaultPlan

    def put(**plan: Any) -> None:
        sandbox.faults.replace(FaultPlan(**plan))

    return put
