"""What a job's branch knows of its attempts: the labeling jobs, and whether the last was completed."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context

from ground_truth.operators import LABELING_JOBS


def attempts_of(task_id: str) -> dict[str, Any]:
    """What ``stages.labeling_round.collect`` is told about the job of the running task's branch.

    :param task_id: the task of the branch that ran the job. Where it was skipped, or somebody marked it as
        success before it ran, it tells nothing.
    """
    ti = get_current_context()["ti"]
    names = ti.xcom_pull(task_ids=task_id, key=LABELING_JOBS, map_indexes=ti.map_index)
    if not names:
        return {}
    # A task that somebody marked as success has returned nothing: what the job left is taken.
    returned = ti.xcom_pull(task_ids=task_id, map_indexes=ti.map_index)
    return {"attempts": names, "completed": returned is not None}
