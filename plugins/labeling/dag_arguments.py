"""What all Dags of a project have in common: start, owner, retries, tags."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from labeling.notifications import on_failure
from labeling.retries import RETRY_POLICY
from roundtruth.project import Project

if TYPE_CHECKING:
    from airflow.sdk import DAG, Param


def common_arguments(project: Project, *tags: str) -> dict[str, Any]:
    """Keyword arguments of a project's Dag."""
    return {
        "start_date": datetime.combine(project.start_date, datetime.min.time(), UTC),
        "catchup": False,
        "default_args": {
            "owner": project.owner,
            "retries": 3,
            "retry_exponential_backoff": 2.0,  # from [core] default_task_retry_delay on
            "retry_policy": RETRY_POLICY,
        },
        "on_failure_callback": on_failure(project) or None,
        "tags": ["roundtruth", *tags, project.project],
    }


def ask_for(dag: DAG, parameters: Mapping[str, Param]) -> None:
    """Give a Dag its form, once all its tasks are made; runs see the same parameters either way.

    Of a Dag that has parameters Airflow makes a deep copy of all of them, schemas included, several times a
    task (3.3.2, airflow.sdk.bases.operator._get_parent_defaults), which was half of the time to parse a
    project. A task's own copies add nothing: a run takes the Dag's parameters, then the task's
    (airflow.sdk.definitions.param.process_params).
    """
    dag.params.update(parameters)
