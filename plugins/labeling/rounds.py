"""The round that a Dag run belongs to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.storage import Storage


def this_round(project: Project) -> tuple[Storage, Project, str]:
    """What every step of a round takes: storage by the project's connection, project, round."""
    return *connected(project), round_key(get_current_context())


def skip_if(finished: Any) -> Callable[[Mapping[str, Any]], None]:
    """A hook before a task of a labeling job's branch that skips it where the job is finished.

    :param finished: the branch's argument, known when the task runs.
    """

    def hook(context: Mapping[str, Any]) -> None:
        if finished.resolve(context):
            raise AirflowSkipException("The job is recorded: its answers are read from S3 again.")

    return hook


def connected(project: Project) -> tuple[Storage, Project]:
    """What every step of a release takes: storage by the project's connection, and the project."""
    from labeling.storage import connected_storage

    return connected_storage(project.aws_conn_id), project


def round_key(context: Mapping[str, Any]) -> str:
    """The key of a run's round: its partition, or the `round` parameter of a run that was started by hand.

    Partitioned runs have no logical date, so nothing here reads a date.

    :raises RoundError: when a run has neither.
    """
    key = context["dag_run"].partition_key or context["params"].get("round")
    if not key:
        raise RoundError(
            f"Run {context['dag_run'].run_id!r} has no partition and no `round` parameter; "
            "start it with a name for the round, such as 2026-11-21-extra."
        )
    return str(key)
