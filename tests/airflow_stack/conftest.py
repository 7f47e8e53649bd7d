"""A whole deployment for tests: CeleryExecutor, PostgreSQL, Redis, two workers, and the sandbox as AWS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from demo.celery_stack import IMPATIENT, CeleryStack
from demo.database_servers import missing_servers
from demo.processes import working_in
from demo.project_files import write_pens_project
from demo.stack import StackSettings
from demo.stack_client import StackClient


@pytest.fixture(scope="session")
def airflow_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackClient]:
    """A running stack with the shipped project; each test adds its own, with ``add_project``."""
    missing = missing_servers()
    if missing:
        pytest.skip(missing)
    state = tmp_path_factory.mktemp("stack")
    settings = StackSettings(
        state=state,
        projects=state / "projects",
        sandbox_options=("--speed", "400", "--workers", "good"),
        environment=IMPATIENT,
    )
    write_pens_project(settings.projects)  # with no Dag at all there would be no file to parse on request
    stack = CeleryStack(settings=settings)
    try:
        with stack:
            stack.start(lambda _: None)
            client = StackClient(stack)
            client.api.wait_for_dags({"pens_labeling_round", "pens_dataset_release"})
            yield client
    finally:
        shutil.rmtree(stack.database.folder, ignore_errors=True)
    assert working_in(state) == [], "the stack has left processes running"


@pytest.fixture
def quiet_stack(airflow_stack: StackClient) -> Iterator[StackClient]:
    """The stack with no fault in force, before the test and after it."""
    airflow_stack.put_faults({})
    yield airflow_stack
    airflow_stack.put_faults({})
