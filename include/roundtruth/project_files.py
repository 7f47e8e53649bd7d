"""Read project files: YAML to a validated project, every broken rule in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from roundtruth.errors import ProjectError
from roundtruth.project import Project


def load_project(path: Path) -> Project:
    """Read and validate a project file.

    :raises ProjectError: listing every broken key with its rule.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: is not YAML: {_one_line(str(error))}.") from error
    if not isinstance(content, dict):
        raise ProjectError(f"{path}: must hold keys and values such as `project: pens`.")
    try:
        return Project.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(dict(detail)) for detail in error.errors())
        raise ProjectError(f"{path}: {problems}.") from error


def project_files(folder: Path) -> list[Path]:
    """The project files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})


def _explain(detail: dict[str, object]) -> str:
    location = detail["loc"]
    assert isinstance(location, tuple)  # noqa: S101  # pydantic's type is a union
    key = ".".join(str(part) for part in location) or "the whole file"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return f"{key}: there is no such key{_nearest(location)}"
    if detail["type"] == "missing":
        return f"{key}: is required"
    return f"{key}: {message[:1].lower()}{message[1:]}{_shown(detail, location)}"


def _shown(detail: dict[str, object], location: tuple[object, ...]) -> str:
    value = detail.get("input")
    return f", got {value!r}" if location and isinstance(value, str | int | float | bool) else ""


def _nearest(location: tuple[object, ...]) -> str:
    model: type[BaseModel] | None = Project
    for part in location[:-1]:
        field = model.model_fields.get(str(part)) if model else None
        model = next(_models(field.annotation), None) if field else None
    names = get_close_matches(str(location[-1]), list(model.model_fields), n=1) if model else []
    return f"; did you mean {names[0]}?" if names else ""


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models of a field's type, such as TaskPrice of `TaskPrice | None`."""
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            yield one


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
