"""What all Dags of a project have in common: start, owner, retries, tags."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from labeling.notifications import on_failure
from labeling.retries import RETRY_POLICY
from roundtruth.project import Project


def common_arguments(project: Project, *tags: str) -> dict[str, Any]:
    """Keyword arguments of a project's Dag."""
    return {
        "start_date": datetime.combine(project.start_date, datetime.min.time(), UTC),
        "catchup": False,
        "default_args": {
            "owner": project.owner,
            "retries": 3,
            "retry_exponential_backoff": 2.0,  # from [core] default_task_retry_delay on
            "retry_policy": RETRY_POLICY,
        },
        "on_failure_callback": on_failure(project) or None,
        "tags": ["roundtruth", *tags, project.project],
    }
