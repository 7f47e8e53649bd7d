"""The projects of this deployment: the valid ones become Dags, the broken ones import errors."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labeling.notifications import make_notifier
from roundtruth.errors import ProjectError
from roundtruth.project import Project
from roundtruth.project_files import load_project, project_files

# include/projects beside this folder; a deployment may keep its project files elsewhere.
PROJECTS_VARIABLE = "ROUNDTRUTH_PROJECTS"
DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "include" / "projects"


@dataclass(frozen=True, kw_only=True)
class LoadedProjects:
    """The valid projects in order of their files, and one error a broken file."""

    projects: tuple[Project, ...]
    errors: tuple[ProjectError, ...]


def load_projects() -> LoadedProjects:
    """Read every project file; one that is broken, or uses what is another's, takes no other down."""
    folder = Path(os.environ.get(PROJECTS_VARIABLE) or DEFAULT_FOLDER)
    projects: dict[str, Project] = {}
    errors: list[ProjectError] = []
    for path in project_files(folder):
        try:
            project = load_project(path)
            _require_notifiers(project, path)
        except ProjectError as error:
            errors.append(error)
            continue
        taken = _taken(project, projects.values())
        if taken:
            errors.append(ProjectError(f"{path}: {taken}"))
        else:
            projects[project.project] = project
    return LoadedProjects(projects=tuple(projects.values()), errors=tuple(errors))


def _taken(project: Project, others: Iterable[Project]) -> str:
    """What an earlier file uses already, with the key's name, or nothing.

    Dags have their names from the project, files in S3 their place from the root, and the asset and the
    folder for training their name from the dataset: Airflow fails every task whose asset has another URI.
    """
    for other in others:
        if other.project == project.project:
            return f"project: another file already names {project.project!r}."
        if other.root == project.root:
            return (
                f"root: {project.root} is the root of project {other.project!r} already; take another folder."
            )
        if other.dataset.name == project.dataset.name:
            return (
                f"dataset.name: {project.dataset.name!r} is that of project {other.project!r} already; "
                "take another name."
            )
    return ""


def _require_notifiers(project: Project, path: Path) -> None:
    """Make each notifier once: a wrong one shows now, and not when something else went wrong."""
    for number, one in enumerate(project.notify):
        try:
            make_notifier(one.notifier, one.arguments)
        except Exception as error:
            raise ProjectError(
                f"{path}: notify.{number}: {one.notifier} cannot be made: {type(error).__name__}: {error}"
            ) from error
