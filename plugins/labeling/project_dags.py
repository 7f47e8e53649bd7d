"""Make a Dag file's Dags: one for each project, or the one alone whose task this process was started for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow.sdk import DAG, get_parsing_context

from labeling.projects import load_projects
from roundtruth.project import Project


def project_dags(kind: str, make: Callable[[Project], DAG | None]) -> dict[str, DAG]:
    """The Dags of a file by their ids, ``<project>_<kind>``, for its module's globals.

    A process that runs one task parses the whole file for it: it makes the task's own Dag alone
    (https://airflow.apache.org/docs/apache-airflow/stable/howto/dynamic-dag-generation.html, Optimizing DAG
    parsing delays during execution), so that a task starts as fast with 200 projects as with one.

    :param make: gives None for a project that has no such Dag.
    """
    wanted = get_parsing_context().dag_id
    made = {}
    with _garbage_left():
        for project in load_projects().projects:
            dag_id = f"{project.project}_{kind}"
            if wanted in {None, dag_id} and (dag := make(project)) is not None:
                made[dag_id] = dag
    return made


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Let no garbage be collected meanwhile: all that is made stays, and each look at it takes longer.

    Of 200 projects' parsing these looks were 30 %. What few cycles there are wait until the next collection.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
