"""One Dag a project: labeling jobs that are over, perhaps for years, become a round of its dataset.

Started by hand with a form: the jobs and the name of their round. No labeling job is made and nobody is paid;
the answers are fused, merged, checked and recorded as those of any round, and a release starts. Importing the
same jobs again changes nothing.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, PartitionedAtRuntime, get_current_context

from ground_truth.hooks import GroundTruthHook
from labeling.assets import labels_asset
from labeling.dag_arguments import ask_for, common_arguments
from labeling.import_parameters import import_parameters
from labeling.links import show_data_docs, with_data_docs
from labeling.page_links import (
    DisputedImagesLink,
    RoundLink,
    show_disputed_images,
    show_round,
    with_links,
)
from labeling.project_dags import project_dags
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

    @task
    def merge_categories() -> dict[str, int]:
        from roundtruth.stages.labeling_round import merge

        return merge(*this_round(project))

    @task
    def check_quality() -> dict[str, Any]:
        from roundtruth.stages.image_inspection import data_docs_uri
        from roundtruth.stages.labeling_round import check

        storage, _, round_key = this_round(project)
        show_data_docs(project, data_docs_uri(project, round_key))
        show_round(project, round_key)
        return check(storage, project, round_key)

    labels = labels_asset(project)

    @task(outlets=[labels])
    def record_round() -> dict[str, Any]:
        from roundtruth.stages.labeling_round import record

        storage, _, round_key = this_round(project)
        show_round(project, round_key)
        recorded = record(storage, project, round_key)
        event = get_current_context()["outlet_events"][labels]
        event.add_partitions(round_key)
        event.extra = recorded
        return recorded

    @task(trigger_rule="none_skipped")
    def make_thumbnails() -> dict[str, int] | None:
        from roundtruth.stages.round_thumbnails import make_thumbnails

        return make_thumbnails(*this_round(project))

    read = read_jobs(find_jobs())
    measured = with_links(measure_consensus(), DisputedImagesLink)
    checked = with_links(with_data_docs(check_quality()), RoundLink)
    read >> measured >> merge_categories() >> checked >> with_links(record_round(), RoundLink)
    checked >> make_thumbnails()


globals().update(project_dags("round_import", round_import))
