"""The tab on a Dag and on a Dag run: leads to the project's rounds, or to the run's round."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from labeling_ui import dag_runs
from labeling_ui.access import DATASET_DAGS, project_of_dag
from labeling_ui.pages import addresses, render
from roundtruth.project import Project

router = APIRouter(dependencies=[Depends(requires_access_dag(method="GET"))])
DagProject = Annotated[Project | None, Depends(project_of_dag)]


@router.get("/dags/{dag_id}")
def dag_tab(request: Request, dag_id: str, project: DagProject) -> Response:
    """The rounds of the project that the Dag belongs to; the dataset for a Dag of releases."""
    if project is None:
        return _no_project(request, dag_id)
    return RedirectResponse(_project_page(request, dag_id, project), status_code=303)


@router.get("/dags/{dag_id}/runs/{run_id}")
def run_tab(request: Request, dag_id: str, run_id: str, project: DagProject, session: SessionDep) -> Response:
    """The round of a run; of a release's run the round that started it, else the dataset."""
    if project is None:
        return _no_project(request, dag_id)
    key = dag_runs.round_of_run(session, dag_id, run_id)
    page = addresses(request).round(project.project, key) if key else _project_page(request, dag_id, project)
    return RedirectResponse(page, status_code=303)


def _project_page(request: Request, dag_id: str, project: Project) -> str:
    """The dataset for Dags that work on it, else the project's rounds."""
    pages = addresses(request)
    if dag_id.endswith(DATASET_DAGS):
        return pages.dataset(project.project)
    return pages.labeling(project=project.project)


def _no_project(request: Request, dag_id: str) -> Response:
    return render(request, "no_project.html", dag_id=dag_id)
