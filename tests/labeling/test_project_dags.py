"""The Dags of a file: all projects' for the Dag processor, one for the process that runs its task."""

from __future__ import annotations

import gc
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk import DAG
from airflow.sdk import task as airflow_task

from labeling.project_dags import project_dags
from labeling.projects import PROJECTS_VARIABLE
from labeling.tasks import task
from roundtruth.project import Project
from tests.project_samples import project_content

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

TASK_OF = "_AIRFLOW_PARSING_CONTEXT_DAG_ID"  # set by Airflow while a task's process parses its Dag file


@pytest.mark.parametrize(
    ("task_of", "made"),
    [
        pytest.param(None, ["a_round", "c_round"], id="the Dag processor"),
        pytest.param("c_round", ["c_round"], id="a task"),
        pytest.param("b_round", [], id="a task of a project that has no such Dag by now"),
    ],
)
def test_a_task_waits_for_its_own_dag_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task_of: str | None, made: list[str]
) -> None:
    monkeypatch.setenv(PROJECTS_VARIABLE, str(tmp_path))
    if task_of:
        monkeypatch.setenv(TASK_OF, task_of)
    for name in ("a", "b", "c"):
        content = project_content(project=name, root=f"s3://some-bucket/{name}")
        content["dataset"] = content.get("dataset", {}) | {"name": name}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    asked: list[str] = []

    def make(project: Project) -> DAG | None:
        assert not gc.isenabled()
        asked.append(project.project)
        return None if project.project == "b" else DAG(f"{project.project}_round", schedule=None)

    assert list(project_dags("round", make)) == made
    assert gc.isenabled()
    assert asked == (["a", "b", "c"] if task_of is None else [task_of[0]])


def test_garbage_is_collected_again_after_a_dag_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROJECTS_VARIABLE, str(tmp_path))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(project_content(project="a")))

    def make(_: Project) -> DAG | None:
        raise ValueError("no such Dag")

    with pytest.raises(ValueError, match="no such Dag"):
        project_dags("round", make)
    assert gc.isenabled()


def mapping() -> dict[str, Any]:
    return {}


def mapping_of_several() -> dict[str, str | int | None]:
    return {}


def perhaps() -> dict[str, int] | None:
    return None


def rows(name: str, count: int = 1) -> list[dict[str, Any]]:
    return [{}]


def nothing() -> None:
    return None


@pytest.mark.parametrize("function", [mapping, mapping_of_several, perhaps, rows, nothing])
def test_our_task_is_the_task_that_airflow_makes(function: Any) -> None:
    theirs = airflow_task(function)
    ours = task(function)
    assert ours.multiple_outputs == theirs.multiple_outputs
    assert ours.operator_class is theirs.operator_class
    assert ours.kwargs == theirs.kwargs
    assert inspect.signature(ours.function) == inspect.signature(function)
    assert task(task_id="other", retries=2)(function).kwargs == {"task_id": "other", "retries": 2}
