"""The pages behind Airflow's own auth manager, over HTTP, with S3 of the sandbox."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.project_samples import project_content
from tests.store import open_store

# Airflow reads its home when it is imported, so this comes before any import of it.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="roundtruth-airflow-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

ENVIRONMENT = {
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "anna:admin,olga:op,uwe:user,vic:viewer",
    "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-these-tests-that-is-long-enough-for-its-algorithm-HS512",
}


@pytest.fixture(scope="session")
def airflow_app() -> Iterator[Any]:
    """The pages mounted as Airflow's API server mounts them, its database, its SimpleAuthManager."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        from airflow import models, settings
        from airflow.api_fastapi import app as api
        from airflow.models.base import Base
        from fastapi import FastAPI

        from labeling_ui.addresses import MOUNT
        from labeling_ui.application import create_application

        if settings.engine is None:
            settings.configure_orm()
        models.import_all_models()
        Base.metadata.create_all(settings.engine)
        app = FastAPI()
        app.mount(MOUNT, create_application())
        api.init_auth_manager(app)
        yield app
        api._AuthManagerState.instance = None


@pytest.fixture(scope="session")
def client_of(airflow_app: Any) -> Callable[[str | None], Any]:
    """``client_of("viewer")``: a TestClient with the token of such a user; None: nobody is logged in.

    Roles of SimpleAuthManager: viewer, user, op, admin; ``"none"`` is logged in and may do nothing.
    """
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from starlette.testclient import TestClient

    def make(role: str | None) -> Any:
        headers = {}
        if role is not None:
            user = SimpleAuthManagerUser(username=f"a-{role}", role=None if role == "none" else role)
            headers["Authorization"] = f"Bearer {get_auth_manager().generate_jwt(user)}"
        return TestClient(airflow_app, headers=headers, raise_server_exceptions=False)

    return make


@pytest.fixture
def storage(sandbox: Any) -> Any:
    """Storage over the sandbox's S3, to put files there that the pages show."""
    return open_store(sandbox.endpoint_url)


@pytest.fixture
def viewer(client_of: Callable[[str | None], Any]) -> Any:
    """Who may look."""
    return client_of("viewer")


@pytest.fixture
def editor(client_of: Callable[[str | None], Any]) -> Any:
    """Who may also act."""
    return client_of("user")


@pytest.fixture
def deploy(
    sandbox: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """``deploy(root="s3://…", …)`` adds a project file (see project_samples) and returns the Project."""
    from labeling_ui import deployment, live_jobs, project_lists
    from roundtruth.project_files import load_project

    folder = tmp_path_factory.mktemp("projects")
    monkeypatch.setenv("ROUNDTRUTH_PROJECTS", str(folder))
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(sandbox.endpoint_url))

    def add(**changes: Any) -> Any:
        content = project_content(**changes)
        path = folder / f"{content['project']}.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
        return load_project(path)

    kept = (deployment, live_jobs, project_lists)
    for module in kept:
        module.forget()
    yield add
    for module in kept:
        module.forget()


def connection(endpoint_url: str | None) -> str:
    """An AWS connection as JSON, as the demo's: an endpoint a service."""
    extra: dict[str, Any] = {"region_name": "us-east-1", "config_kwargs": {"retries": {"max_attempts": 0}}}
    if endpoint_url:
        extra["service_config"] = {name: {"endpoint_url": endpoint_url} for name in ("sagemaker", "s3")}
    return json.dumps({"conn_type": "aws", "login": "sandbox", "password": "sandbox", "extra": extra})
