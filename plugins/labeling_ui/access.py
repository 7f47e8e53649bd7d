"""Who may see and do what: Airflow's auth manager decides by the project's Dag of rounds, for every route."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from labeling_ui.deployment import Connected, connected, deployed_projects
from roundtruth.project import Project
from roundtruth.storage import Storage

DATASET_DAGS = ("_dataset_release", "_train_on_release")
DAG_ENDINGS = ("_labeling_round", "_round_import", *DATASET_DAGS)
# Of any Dag at all: the list shows each project only to those who may read its own.
reads_some_dag = requires_access_dag(method="GET")


def round_dag(project: str) -> str:
    """The id of the Dag of a project's rounds, see dags/labeling_rounds.py."""
    return f"{project}_labeling_round"


def import_dag(project: str) -> str:
    """The id of the Dag of a project's imports, see dags/round_imports.py."""
    return f"{project}_round_import"


def release_dag(project: str) -> str:
    """The id of the Dag of a project's releases, see dags/dataset_releases.py."""
    return f"{project}_dataset_release"


def project_of_dag(dag_id: str) -> Project | None:
    """The project that a Dag of ours belongs to; the route asks for the Dag itself whether it may be read."""
    ending = next((one for one in DAG_ENDINGS if dag_id.endswith(one)), None)
    name = dag_id.removesuffix(ending) if ending else None
    return next((one for one in deployed_projects().projects if one.project == name), None)


def may_read(project: str, request: Request, user: GetUserDep) -> None:
    """Answer 403 unless the user may read the Dag of the project's rounds."""
    requires_access_dag(method="GET", param_dag_id=round_dag(project))(request, user)


def may_edit(project: str, request: Request, user: GetUserDep) -> None:
    """Answer 403 unless the user may edit the Dag of the project's rounds, and asks from our own page."""
    requires_access_dag(method="PUT", param_dag_id=round_dag(project))(request, user)
    _require_own_page(request)


def can_edit(project: str, request: Request, user: GetUserDep) -> bool:
    """Whether the user may edit the Dag of the project's rounds: what may not be asked for is not offered."""
    try:
        requires_access_dag(method="PUT", param_dag_id=round_dag(project))(request, user)
    except HTTPException:
        return False
    return True


def readable_project(project: str, _: Annotated[None, Depends(may_read)]) -> Project:
    """The project of the path; 404 where there is none, told only to who may read it."""
    return _existing(project)


def editable_project(project: str, _: Annotated[None, Depends(may_edit)]) -> Project:
    """The project of the path for who may change it."""
    return _existing(project)


def project_connection(project: Annotated[Project, Depends(readable_project)]) -> Connected:
    """S3 by the project's connection."""
    return connected(project)


def project_storage(connection: Annotated[Connected, Depends(project_connection)]) -> Storage:
    """Storage by the project's connection."""
    return connection.storage


def readable_projects(user: GetUserDep) -> tuple[Project, ...]:
    """The projects whose rounds the user may see."""
    projects = deployed_projects().projects
    team_of = DagModel.get_dag_id_to_team_name_mapping([round_dag(one.project) for one in projects])
    return tuple(
        one
        for one in projects
        if get_auth_manager().is_authorized_dag(
            method="GET",
            details=DagDetails(id=(dag := round_dag(one.project)), team_name=team_of.get(dag)),
            user=user,
        )
    )


def broken_projects(user: GetUserDep) -> tuple[str, ...]:
    """What is wrong with project files, for those who may see import errors: Airflow shows the same there."""
    may = get_auth_manager().is_authorized_view(access_view=AccessView.IMPORT_ERRORS, user=user)
    return tuple(str(error) for error in deployed_projects().errors) if may else ()


ReadableProject = Annotated[Project, Depends(readable_project)]
EditableProject = Annotated[Project, Depends(editable_project)]
CanEdit = Annotated[bool, Depends(can_edit)]
ReadableProjects = Annotated[tuple[Project, ...], Depends(readable_projects)]
ConnectionDep = Annotated[Connected, Depends(project_connection)]
StorageDep = Annotated[Storage, Depends(project_storage)]


def _existing(name: str) -> Project:
    deployed = deployed_projects()
    found = next((one for one in deployed.projects if one.project == name), None)
    if found is None:
        broken = " ".join(map(str, deployed.errors))
        raise HTTPException(404, f"There is no project {name!r} here. {broken}".strip())
    return found


def _require_own_page(request: Request) -> None:
    """The cookie that says who asks is sent with forms of other sites of the same domain, too."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        foreign = foreign or site is None
    if foreign:
        raise HTTPException(403, "This was not asked from a page of this Airflow; open it and try again.")
