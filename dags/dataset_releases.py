"""One Dag a project: every recorded round is released as a new version of the project's dataset.

Starts when a round is recorded. One release at a time: the version numbers of a dataset are one history.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, PartitionedAssetTimetable, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from labeling.assets import dataset_asset, labels_asset
from labeling.projects import load_projects
from labeling.retries import RETRY_POLICY
from labeling.rounds import this_round
from roundtruth.project import Project


def dataset_release(project: Project) -> DAG:
    """The Dag of a project's releases."""
    with DAG(
        dag_id=f"{project.project}_dataset_release",
        description=f"Publish the next version of dataset {project.dataset.name}.",
        doc_md=__doc__,
        schedule=PartitionedAssetTimetable(assets=labels_asset(project)),
        start_date=datetime.combine(project.start_date, datetime.min.time(), UTC),
        catchup=False,
        max_active_runs=1,
        default_args={
            "owner": project.owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=30),
            "retry_policy": RETRY_POLICY,
        },
        tags=["roundtruth", "dataset", project.project],
    ) as dag:
        release(project)
    return dag


def release(project: Project) -> None:
    """Assemble what all rounds brought, check it, and publish it if anything changed."""
    dataset = dataset_asset(project)

    @task
    def assemble_version() -> dict[str, Any]:
        from roundtruth.stages.dataset_release import assemble

        candidate = assemble(*this_round(project))
        if candidate is None:
            raise AirflowSkipException(f"Dataset {project.dataset.name} already holds all recorded rounds.")
        return candidate

    @task
    def check_dataset(candidate: dict[str, Any]) -> dict[str, Any]:
        from roundtruth.stages.dataset_release import check

        return check(*this_round(project), candidate)

    @task(outlets=[dataset])
    def publish_version(candidate: dict[str, Any]) -> dict[str, Any]:
        from roundtruth.stages.dataset_release import publish

        published = publish(*this_round(project), candidate)
        get_current_context()["outlet_events"][dataset].extra = published
        return published

    assembled = assemble_version()
    checked = check_dataset(assembled)
    published = publish_version(assembled)
    checked >> published


for _project in load_projects().projects:
    globals()[f"{_project.project}_dataset_release"] = dataset_release(_project)
