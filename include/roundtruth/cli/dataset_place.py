"""Where the dataset of a command lies: a project file or a root, and name@version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from roundtruth.cli.console import endpoint_option, json_option
from roundtruth.datasets.versions import LATEST
from roundtruth.storage import ObjectUri


@dataclass(frozen=True, kw_only=True)
class DatasetPlace:
    """The root of the project, the dataset's name, and a version's name or `latest`."""

    root: ObjectUri
    name: str
    version: str


def place_options(function: Callable[..., None]) -> Callable[..., None]:
    """--project, --root, --json and --endpoint-url."""
    project = click.option(
        "--project",
        "project_file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Project file that says where the dataset lies; this or --root.",
    )
    root = click.option("--root", help="Root of the project, s3://bucket/folder; this or --project.")
    return endpoint_option(json_option(project(root(function))))


def find_dataset(dataset: str | None, project_file: Path | None, root: str | None) -> DatasetPlace:
    """What name, name@v0003 or name@latest means; a project file knows the name.

    :raises click.UsageError: when neither project file nor root, or both, say where it lies.
    """
    name, _, version = (dataset or "").partition("@")
    if project_file is not None and root is not None:
        raise click.UsageError("--project and --root both say where the dataset lies; give one of them")
    if project_file is None and root is None:
        raise click.UsageError("give the place of the dataset by --project or by --root")
    if project_file is not None:
        from roundtruth.project_files import load_project

        project = load_project(project_file)
        return DatasetPlace(
            root=project.root_uri, name=name or project.dataset.name, version=version or LATEST
        )
    if not name:
        raise click.UsageError("--root needs the name of the dataset too, such as pens@latest")
    return DatasetPlace(root=ObjectUri.parse((root or "").rstrip("/")), name=name, version=version or LATEST)
