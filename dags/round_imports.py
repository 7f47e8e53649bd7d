"""One Dag a project: labeling jobs that are over, perhaps for years, become a round of its dataset.

Started by hand with a form: the jobs and the name of their round. No labeling job is made and nobody is paid;
the answers are fused, merged, checked and recorded as those of any round, and a release starts. Importing the
same jobs again changes nothing.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, PartitionedAtRuntime, get_current_context

from ground_truth.hooks import GroundTruthHook
from labeling.dag_arguments import ask_for, common_arguments
from labeling.import_parameters import import_parameters
from labeling.page_links import DisputedImagesLink, show_disputed_images, with_links
from labeling.project_dags import project_dags
from labeling.round_ends import finish_round
from labeling.rounds import this_round
from labeling.tasks import task
from roundtruth.project import Project


def round_import(project: Project) -> DAG:
    """The Dag of a project's imports."""
    with DAG(
        dag_id=f"{project.project}_round_import",
        description=f"Record finished labeling jobs as a round of {project.project}.",
        doc_md=__doc__,
        schedule=PartitionedAtRuntime(),
        **common_arguments(project, "labeling", "import"),
    ) as dag:
        import_jobs(project)
    ask_for(dag, import_parameters(project))
    return dag


def import_jobs(project: Project) -> None:
    """Find the jobs, read them, and go on as every round does."""

    @task
    def find_jobs() -> list[dict[str, Any]]:
        from roundtruth.stages.round_import import found_jobs

        params = get_current_context()["params"]
        hook = GroundTruthHook(aws_conn_id=project.aws_conn_id)
        return found_jobs(
            params["jobs"] or [],
            params["label_categories"],
            describe=hook.describe_labeling_job,
            answers=not params["consolidated"],
        )

    @task
    def read_jobs(jobs: list[dict[str, Any]]) -> dict[str, Any]:
        from roundtruth.stages.round_import import moved_images, read_jobs

        moved = moved_images(get_current_context()["params"]["moved"] or [])
        return read_jobs(*this_round(project), jobs, moved)

    @task
    def measure_consensus() -> None:
        from roundtruth.stages.labeling_round import measure

        storage, _, round_key = this_round(project)
        show_disputed_images(project, round_key)
        measure(storage, project, round_key, relabel_pass=0)

    read = read_jobs(find_jobs())
    measured = with_links(measure_consensus(), DisputedImagesLink)
    read >> measured
    finish_round(project, after=measured)


globals().update(project_dags("round_import", round_import))
