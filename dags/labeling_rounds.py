"""One Dag a project: new images → labeling jobs → consensus → merged, checked labels.

Each run is one round, named by its partition (scheduled and backfilled runs) or by the `round` parameter
(runs started by hand). Every task may run twice: it finds what is there, and no labeling job is made again.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import (
    DAG,
    CronPartitionTimetable,
    PartitionedAtRuntime,
    get_current_context,
    task_group,
)
from airflow.sdk.exceptions import AirflowSkipException

from ground_truth.image_sensors import S3ImagesArrivedSensor
from ground_truth.manifest_operators import GroundTruthBuildManifestOperator
from ground_truth.operators import GroundTruthCreateLabelingJobOperator
from labeling.attempts import attempts_of
from labeling.dag_arguments import ask_for, common_arguments
from labeling.notifications import late_rounds, on_stalled, stalled_seconds
from labeling.page_links import DisputedImagesLink, show_disputed_images, with_links
from labeling.parameters import relabel_run, request_of, round_parameters
from labeling.project_dags import project_dags
from labeling.round_ends import finish_round
from labeling.rounds import skip_if, this_round
from labeling.tasks import task
from roundtruth.project import Project

Jobs = list[dict[str, Any]]  # what a labeling job's branch needs, see stages.labeling_round.plan_jobs


def labeling_round(project: Project) -> DAG:
    """The Dag of a project's rounds."""
    with DAG(
        dag_id=f"{project.project}_labeling_round",
        description=f"One labeling round of {project.project}: images, labeling jobs, consensus, quality.",
        doc_md=__doc__,
        schedule=CronPartitionTimetable(project.schedule, timezone="UTC", key_format="%Y-%m-%d")
        if project.schedule
        else PartitionedAtRuntime(),
        deadline=late_rounds(project) or None,
        **common_arguments(project, "labeling"),
    ) as dag:
        jobs = plan(project)
        inspected = inspect(project, jobs)
        for relabel_pass in range(project.consensus.relabel_passes + 1):
            jobs = measure(project, relabel_pass, label(project, relabel_pass, jobs))
        finish_round(project, after=jobs, inspected=inspected)
    ask_for(dag, round_parameters(project))
    return dag


def plan(project: Project) -> Any:
    """Wait for images, then take those of the round and split them into jobs."""

    @task(multiple_outputs=True)
    def open_round() -> dict[str, str | int | None]:
        from roundtruth.stages.labeling_round import open_round

        return open_round(*this_round(project), request_of(get_current_context()["params"]))

    # One planner at a time, so that two rounds cannot take the same image.
    @task(max_active_tis_per_dag=1)
    def plan_round() -> Jobs:
        from roundtruth.stages.labeling_round import plan_jobs

        context = get_current_context()
        jobs = plan_jobs(
            *this_round(project), request_of(context["params"]), relabel_run=relabel_run(context)
        )
        if jobs is None:
            raise AirflowSkipException(f"Too few images under {project.images_uri} are new, or asked for.")
        return jobs

    opened = open_round()
    arrived = S3ImagesArrivedSensor(
        task_id="wait_for_images",
        bucket=project.images_uri.bucket,
        prefix=opened["prefix"],
        modified_after=opened["modified_after"],
        modified_until=opened["modified_until"],
        minimum_images=opened["minimum"],
        settle_seconds=project.images.settle_seconds,
        known_images_uri=opened["known_images_uri"],
        aws_conn_id=project.aws_conn_id,
        poke_interval=min(60, max(2, project.images.settle_seconds / 2)),
        timeout=project.images.wait_minutes * 60,
        soft_fail=True,
        deferrable=True,
    )
    planned = plan_round()
    arrived >> planned
    return planned


def label(project: Project, relabel_pass: int, jobs: Any) -> Any:
    """One branch a job: manifest, labeling job, people's work, their answers.

    A job that a recorded round has finished is skipped, and its answers are read from S3 once more.
    """
    group_id = f"relabel_{relabel_pass}" if relabel_pass else "label"

    @task(trigger_rule="none_failed")
    def collect_answers(job_name: str) -> dict[str, Any]:
        from roundtruth.stages.labeling_round import collect

        return collect(
            *this_round(project),
            job_name,
            **attempts_of(f"{group_id}.run_labeling_job"),
            relabel_run=relabel_run(get_current_context()),
        )

    @task_group(group_id=group_id)
    def labeling_job(
        job_name: str, request: dict[str, Any], images_uri: str, manifest_uri: str, finished: bool
    ) -> None:
        manifest = GroundTruthBuildManifestOperator(
            task_id="build_manifest",
            images_uri=images_uri,
            manifest_uri=manifest_uri,
            aws_conn_id=project.aws_conn_id,
            pre_execute=skip_if(finished),
        )
        # One task creates the job and waits for people: so the pool limits how many jobs run.
        job = GroundTruthCreateLabelingJobOperator(
            task_id="run_labeling_job",
            request=request,
            wait_for_completion=True,
            attempts=project.labeling.job_attempts,
            waiter_delay=project.labeling.poll_seconds,
            stalled_after=stalled_seconds(project),
            on_stalled=on_stalled(project),
            pool=project.labeling.pool,
            aws_conn_id=project.aws_conn_id,
            deferrable=True,
        )
        manifest >> job >> collect_answers(job_name)

    return labeling_job.expand_kwargs(jobs)


def measure(project: Project, relabel_pass: int, after: Any) -> Any:
    """Fuse all answers so far; gives the jobs of the next relabel pass, none after the last one."""
    task_id = f"measure_consensus_{relabel_pass}" if relabel_pass else "measure_consensus"

    # A pass without disputed images has no jobs: its branch is skipped, and the round goes on.
    @task(task_id=task_id, trigger_rule="none_failed")
    def measure_consensus() -> Jobs:
        from roundtruth.stages.labeling_round import measure

        run = relabel_run(get_current_context())
        storage, _, round_key = this_round(project)
        show_disputed_images(project, round_key)
        jobs = measure(storage, project, round_key, relabel_pass=relabel_pass, relabel_run=run)
        if jobs is None:
            raise AirflowSkipException("The round has no plan: too few new images arrived.")
        return jobs

    measured = with_links(measure_consensus(), DisputedImagesLink)
    after >> measured
    return measured


def inspect(project: Project, planned: Any) -> Any:
    """Read every image once while people work; None where the project file says not to."""
    if not project.quality.near_duplicates:
        return None

    @task
    def inspect_images() -> dict[str, int]:
        from roundtruth.stages.image_inspection import inspect

        return inspect(*this_round(project))

    inspected = inspect_images()
    planned >> inspected
    return inspected


globals().update(project_dags("labeling_round", labeling_round))
