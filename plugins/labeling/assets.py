"""The assets that tie the Dags together: the labels of a project, and the dataset made from them."""

from __future__ import annotations

from airflow.sdk import Asset

from roundtruth.project import Project


def labels_asset(project: Project) -> Asset:
    """The labels of a project; each recorded round is one partition of it."""
    return Asset(name=f"labels/{project.project}", uri=f"{project.root}/rounds")


def dataset_asset(project: Project) -> Asset:
    """The published versions of a project's dataset."""
    return Asset(
        name=f"dataset/{project.dataset.name}", uri=f"{project.root}/datasets/{project.dataset.name}"
    )
