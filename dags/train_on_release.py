"""One Dag for each project that asks for it: every published version is handed to a training command.

It starts when a version is published. Without a command in the project file (`training: {}`) it is a dry run
that pulls the version, verifies it, and says what it holds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, PartitionedAssetTimetable, get_current_context

from labeling.assets import dataset_asset, published_version
from labeling.dag_arguments import ask_for, common_arguments
from labeling.project_dags import project_dags
from labeling.rounds import connected
from labeling.tasks import task
from roundtruth.project import Project


def train_on_release(project: Project) -> DAG | None:
    """The Dag that trains on a project's versions; none where the project file does not ask for it."""
    training = project.training
    if training is None:
        return None
    with DAG(
        dag_id=f"{project.project}_train_on_release",
        description=f"Hand each version of dataset {project.dataset.name} to the training command.",
        doc_md=__doc__,
        # A version is published in the run of a round, a partition: only Dags with partitions are told of it.
        schedule=PartitionedAssetTimetable(assets=dataset_asset(project)),
        max_active_runs=1,
        **common_arguments(project, "training"),
    ) as dag:
        # Pulled and trained on in one task: another task may run on another machine.
        @task(execution_timeout=timedelta(hours=training.hours))
        def train() -> dict[str, Any]:
            from roundtruth.stages.training import train

            context = get_current_context()
            return train(*connected(project), published_version(context, dataset_asset(project)))

        train()
    version = Param(
        None,
        type=["null", "string"],
        pattern="^v[0-9]{4,}$",
        title="Version",
        description="For a run that is started by hand, such as v0003; else the one just published.",
    )
    ask_for(dag, {"version": version})
    return dag


globals().update(project_dags("train_on_release", train_on_release))
