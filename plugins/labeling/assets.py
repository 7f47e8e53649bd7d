"""The assets that tie the Dags together: the labels of a project, and the dataset made from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def published_version(context: Mapping[str, Any], dataset: Asset) -> str:
    """The version that a run is about: asked for, or of the event that started it, else the latest."""
    asked = context["params"].get("version")
    if asked:
        return str(asked)
    events = context["triggering_asset_events"].get(dataset, ())
    versions = [event.extra["version"] for event in events if "version" in event.extra]
    return str(max(versions, key=lambda version: (len(version), version))) if versions else "latest"
