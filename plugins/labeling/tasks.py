"""``@task`` for the functions of our Dags: Airflow's own, told what it would find out again and again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from airflow.sdk import task as airflow_task


def task(function: Callable[..., Any] | None = None, **arguments: Any) -> Any:
    """``airflow.sdk.task``, which takes the same arguments and makes the same task.

    Airflow asks each function's signature five times and evaluates its return annotation, a sixth of the time
    to parse many projects' Dags. The signature is kept where ``inspect.signature`` looks first, and of an
    annotation that is text, what it is of is read: a task that returns a mapping has multiple outputs.
    """
    if function is None:
        return lambda given: task(given, **arguments)
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    arguments.setdefault("multiple_outputs", _is_mapping(function.__annotations__.get("return", "")))
    return airflow_task(**arguments)(function)


def _is_mapping(annotation: Any) -> bool:
    return isinstance(annotation, str) and annotation.startswith("dict[") and "] |" not in annotation
