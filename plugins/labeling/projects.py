"""The projects of this deployment: the valid ones become Dags, the broken ones import errors."""

from __future__ import annotations

import os
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
    """Read every project file; a broken one, or a name used twice, takes no other project down."""
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
        if project.project in projects:
            errors.append(ProjectError(f"{path}: project: another file already names {project.project!r}."))
        else:
            projects[project.project] = project
    return LoadedProjects(projects=tuple(projects.values()), errors=tuple(errors))


def _require_notifiers(project: Project, path: Path) -> None:
    """Make each notifier once: a wrong one shows now, and not when something else went wrong."""
    for number, one in enumerate(project.notify):
        try:
            make_notifier(one.notifier, one.arguments)
        except Exception as error:
            raise ProjectError(
                f"{path}: notify.{number}: {one.notifier} cannot be made: {type(error).__name__}: {error}"
            ) from error
