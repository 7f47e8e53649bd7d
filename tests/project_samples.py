"""Projects for tests: a small valid one, and changes to it by dotted path."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.sandbox import ROLE_ARN, WORKTEAM_ARN

PUBLIC_TEAM = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
ABSENT = object()

SMALL: dict[str, Any] = {
    "project": "pens",
    "root": "s3://some-bucket/boxes",
    "categories": ["pencil", "pen"],
    "images": {"partition": "none"},
    "labeling": {"role_arn": ROLE_ARN, "workteam_arn": WORKTEAM_ARN},
    "dataset": {"name": "pens"},
}


def project_content(**changes: Any) -> dict[str, Any]:
    """The content of a valid project file, with changes: ``labeling__workers_per_object=1``."""
    content = copy.deepcopy(SMALL)
    for path, value in changes.items():
        *above, last = path.split("__")
        inside = content
        for name in above:
            inside = inside.setdefault(name, {})
        if value is ABSENT:
            inside.pop(last)
        else:
            inside[last] = value
    return content


def make_project(**changes: Any) -> Project:
    """A project with changes, see ``project_content``."""
    return Project.model_validate(project_content(**changes))


def load_text(folder: Path, text: str | bytes) -> Project:
    """Write a project file and load it."""
    path = folder / "pens.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_project(path)


def load_changed(folder: Path, **changes: Any) -> Project:
    """Write a project file with changes and load it."""
    return load_text(folder, yaml.safe_dump(project_content(**changes), allow_unicode=True))
