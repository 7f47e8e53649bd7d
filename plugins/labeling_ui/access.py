"""Who may see and do what: Airflow's auth manager decides by the project's Dags, for every route.

Rounds are the Dag of rounds', versions and approvals the Dag of releases', runs those of their own Dag.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import (
    AccessView,
    DagAccessEntity,
    DagDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request

from labeling.projects import DEFAULT_FOLDER, PROJECTS_VARIABLE
from labeling_ui.deployment import Connected, connected, deployed_projects
from roundtruth.project import Project

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


def may_read_dataset(project: str, request: Request, user: GetUserDep) -> None:
    """Answer 403 unless the user may also read the Dag of the project's releases: versions are its own."""
    requires_access_dag(method="GET", param_dag_id=release_dag(project))(request, user)


def may_edit(project: str, request: Request, user: GetUserDep) -> None:
    """Answer 403 unless the user may edit the Dags of the project's rounds and of its releases."""
    for dag_id in (round_dag(project), release_dag(project)):
        requires_access_dag(method="PUT", param_dag_id=dag_id)(request, user)


def may_act(request: Request, _: Annotated[None, Depends(may_edit)]) -> None:
    """Answer 403 unless the user may edit, and asks from our own page; a link from elsewhere only looks."""
    _require_own_page(request)


def can_edit(project: str, request: Request, user: GetUserDep) -> bool:
    """Whether the user may edit what belongs to the project: what may not be asked for is not offered."""
    try:
        may_edit(project, request, user)
    except HTTPException:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What a user who may read a project's rounds may see beside them."""

    runs: frozenset[str]  # Dags whose runs
    approvals: bool
    versions: bool


def rights_of(projects: Collection[str], user: GetUserDep) -> Mapping[str, Rights]:
    """The rights in each project, as Airflow's own pages ask for them."""
    dags = [dag(name) for name in projects for dag in (round_dag, import_dag, release_dag)]
    team_of = DagModel.get_dag_id_to_team_name_mapping(dags)

    def may(dag_id: str, entity: DagAccessEntity | None = None) -> bool:
        allowed: bool = get_auth_manager().is_authorized_dag(
            method="GET",
            access_entity=entity,
            details=DagDetails(id=dag_id, team_name=team_of.get(dag_id)),
            user=user,
        )
        return allowed

    return {
        name: Rights(
            runs=frozenset(
                dag_id for dag_id in (round_dag(name), import_dag(name)) if may(dag_id, DagAccessEntity.RUN)
            ),
            approvals=may(release_dag(name), DagAccessEntity.HITL_DETAIL),
            versions=may(release_dag(name)),
        )
        for name in projects
    }


def project_rights(project: str, user: GetUserDep) -> Rights:
    """The user's rights in the project of the path."""
    return rights_of([project], user)[project]


def readable_project(project: str, user: GetUserDep, _: Annotated[None, Depends(may_read)]) -> Project:
    """The project of the path; 404 where there is none, told only to who may read it."""
    return _existing(project, user)


def editable_project(project: str, user: GetUserDep, _: Annotated[None, Depends(may_act)]) -> Project:
    """The project of the path for who may change it."""
    return _existing(project, user)


def project_connection(project: Annotated[Project, Depends(readable_project)]) -> Connected:
    """S3 by the project's connection."""
    return connected(project)


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
    if not may:
        return ()
    # Where the files lie on the server is nobody's business; their names are what people look for.
    folder = f"{str(os.environ.get(PROJECTS_VARIABLE) or DEFAULT_FOLDER).rstrip('/')}/"
    return tuple(str(error).replace(folder, "") for error in deployed_projects().errors)


ReadableProject = Annotated[Project, Depends(readable_project)]
EditableProject = Annotated[Project, Depends(editable_project)]
ProjectRights = Annotated[Rights, Depends(project_rights)]
CanEdit = Annotated[bool, Depends(can_edit)]
ReadableProjects = Annotated[tuple[Project, ...], Depends(readable_projects)]
ConnectionDep = Annotated[Connected, Depends(project_connection)]


def _existing(name: str, user: GetUserDep) -> Project:
    found = next((one for one in deployed_projects().projects if one.project == name), None)
    if found is None:
        broken = " ".join(broken_projects(user))
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
