"""Read project files: YAML to a validated project, every broken rule in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from roundtruth.errors import ProjectError
from roundtruth.project import Project

# Pydantic's type of an error -> the rule in the words of a YAML file, which has no tuples and no instances.
_RULES = {
    "too_short": "must list {min_length} or more, got {actual_length}",
    "too_long": "must list at most {max_length}, got {actual_length}",
    "model_type": "must hold keys and values",
    "dict_type": "must hold keys and values",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_type": "must be text",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "date_type": "must be a date such as 2026-01-05",
    "date_from_datetime_parsing": "must be a date such as 2026-01-05",
    "date_from_datetime_inexact": "must be a date such as 2026-01-05, without a time",
}


def load_project(path: Path) -> Project:
    """Read and validate a project file.

    :raises ProjectError: listing every broken key with its rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:  # not UTF-8
        raise ProjectError(f"{path}: is not YAML: {_one_line(str(error))}.") from error
    return _decoded(path, text)


# Each Dag file reads all projects; one process that loads several of them decodes a file once.
@lru_cache(maxsize=1024)
def _decoded(path: Path, text: str) -> Project:
    try:
        content = _load_yaml(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2026-13-45, a date to YAML
        raise ProjectError(f"{path}: is not YAML: {_one_line(str(error))}.") from error
    if not isinstance(content, dict):
        raise ProjectError(f"{path}: must hold keys and values such as `project: pens`.")
    try:
        return Project.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(detail) for detail in _own_errors(error))
        end = "" if problems.endswith("?") else "."
        raise ProjectError(f"{path}: {problems}{end}") from error


def project_files(folder: Path) -> list[Path]:
    """The project files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})


def _load_yaml(text: str) -> Any:
    """What yaml.safe_load gives, by libyaml where PyYAML was built with it: ten times as fast."""
    fast = getattr(yaml, "CSafeLoader", None)
    if fast is not None:
        try:
            return yaml.load(text, Loader=fast)  # noqa: S506  # it is the safe one
        except yaml.YAMLError:
            pass  # the other one's message says more
    return yaml.safe_load(text)


def _own_errors(error: ValidationError) -> Iterator[dict[str, Any]]:
    """Each error but the one that a list is too short because its items are broken."""
    details = error.errors()
    with_broken_items = {detail["loc"][:-1] for detail in details}
    for detail in details:
        if detail["type"] != "too_short" or detail["loc"] not in with_broken_items:
            yield dict(detail)


def _explain(detail: dict[str, Any]) -> str:
    location = detail["loc"]
    assert isinstance(location, tuple)  # noqa: S101  # pydantic's type is a union
    key = ".".join(str(part) for part in location) or "the whole file"
    if detail["type"] == "extra_forbidden":
        return f"{key}: there is no such key{_nearest(location)}"
    if detail["type"] == "missing":
        return f"{key}: is required"
    return f"{key}: {_rule(detail)}{_shown(detail, location)}"


def _rule(detail: dict[str, Any]) -> str:
    known = _RULES.get(detail["type"])
    if known is not None:
        return known.format_map(detail.get("ctx", {}))
    message = str(detail["msg"]).removeprefix("Value error, ").replace("Input should be", "must be", 1)
    return f"{message[:1].lower()}{message[1:]}"


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
