"""The steps of a labeling round, in order: plan, inputs, answers, consensus, merge, quality, record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from roundtruth.annotations import IMAGES as IMAGES_SCHEMA
from roundtruth.annotations import ROUND_LABELS, from_parquet, to_parquet
from roundtruth.errors import RoundError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.job_request import output_folder
from roundtruth.overviews.round_summaries import update_summaries
from roundtruth.project import Project
from roundtruth.rounds.arrivals import arrivals_folder, partition_window
from roundtruth.rounds.collect import collect_answers
from roundtruth.rounds.failing_images import write_failing_images
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.job_attempts import JobAttempts, read_attempts, write_attempts
from roundtruth.rounds.job_inputs import finished_job_inputs, write_job_inputs
from roundtruth.rounds.over_again import open_over_again, plan_of_run
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import PlannedJob, RoundPlan, read_plan, require_plan
from roundtruth.rounds.record import finished_jobs
from roundtruth.rounds.relabel import job_images, plan_relabel, read_relabel_plan, round_jobs
from roundtruth.rounds.requested import NOTHING_ASKED, RoundRequest, as_requested, asked_folder
from roundtruth.stages.final_tables import write_final_tables
from roundtruth.stages.fused_answers import fuse_answers, fuse_unless_done
from roundtruth.stages.image_inspection import facts_before, inspected_images
from roundtruth.stages.large_tables import copied_pieces, written_table
from roundtruth.stages.merged_tables import merge_tables
from roundtruth.stages.round_record import record_tables
from roundtruth.storage import ObjectUri, Storage

log = logging.getLogger(__name__)


def open_round(
    storage: Storage, project: Project, round_key: str, request: RoundRequest = NOTHING_ASKED
) -> dict[str, str | int | None]:
    """Say where a round's images arrive and write down which of them earlier rounds hold.

    :returns: what the sensor for new images takes: ``prefix``, ``modified_after`` and ``modified_until``
        (ISO 8601, None without a window), ``known_images_uri`` (a file with a line ``etag<TAB>key`` each),
        and how many images there have to be at least: ``minimum``.
    """
    folder = round_folder(project, round_key)
    is_planned = read_plan(storage, folder) is not None
    known: list[tuple[str, str]] = []
    # A planned round has its images, and one that names its images does not wait for others: any will do.
    if not is_planned and not request.names_images:
        history = read_history(storage, project, without=round_key)
        lost_draw = history.lost_draws.get(project.selection.drawn_by, frozenset())
        known = sorted(history.settled | history.carried_over | lost_draw)
    # A key with a control character (nobody can label it) would break the lines of the list.
    keys = ((ObjectUri.parse(source_ref).key, etag) for source_ref, etag in known)
    lines = [f"{etag}\t{key}\n" for key, etag in keys if not any(ord(letter) < 32 for letter in key)]
    storage.write(folder.known_images, "".join(lines).encode())
    project = as_requested(project, request)
    window = partition_window(project, round_key)
    return {
        "prefix": asked_folder(project, request)
        if request.names_images
        else arrivals_folder(project, round_key).key,
        "modified_after": window.start.isoformat() if window else None,
        "modified_until": window.end.isoformat() if window else None,
        "known_images_uri": str(folder.known_images),
        "minimum": 0 if is_planned else project.images.minimum,
    }


def plan_jobs(
    storage: Storage,
    project: Project,
    round_key: str,
    request: RoundRequest = NOTHING_ASKED,
    *,
    relabel_run: str | None = None,
) -> list[dict[str, Any]] | None:
    """Take the round's images, write its plan and the inputs of its jobs; None when too few images are new.

    The jobs of a recorded round are ``finished``: its tables are made again from their output in S3.

    :param relabel_run: the id of a run that wants a recorded round labeled over again, by new jobs; all
        steps of that run are told. Any other run works on what is recorded, and pays nothing again.
    :returns: for each job its ``job_name``, ``request``, ``images_uri``, ``manifest_uri`` and ``finished``.
    :raises RoundError: when the round is over the project's budget.
    :raises LabelingRequestError: when a request breaks a limit.
    """
    if plan_round(storage, project, round_key, request) is None:
        return None
    if relabel_run is not None:
        folder = round_folder(project, round_key)
        open_over_again(storage, project, folder, relabel_run=relabel_run, why=request.why)
    folder, round_plan = _planned(storage, project, round_key, relabel_run)
    return _write_inputs(storage, project, folder, round_plan, round_plan.jobs)


def collect(
    storage: Storage,
    project: Project,
    round_key: str,
    job_name: str,
    *,
    attempts: Sequence[str] = (),
    completed: bool = True,
    relabel_run: str | None = None,
) -> dict[str, Any]:
    """Read a finished job's output folder into the round's tables; returns the counts.

    :param attempts: the names of the labeling jobs that the planned one became, oldest first; without them,
        those that were collected before.
    :param completed: False where a person takes what a failed or stopped job left.
    """
    folder, round_plan = _planned(storage, project, round_key, relabel_run)
    job = _job(storage, project, folder, round_plan, job_name)
    inputs = folder.job(job.name)
    if attempts:
        write_attempts(storage, inputs, job.name, JobAttempts(names=tuple(attempts), completed=completed))
    made = read_attempts(storage, inputs, job.name)
    outputs = [JobFolder(storage, output_folder(project) / name) for name in made.names]
    collected = collect_answers(
        storage, job.name, job.categories, outputs, inputs, gold=job.gold, completed=made.completed
    )
    log.info("collected the answers of %s: %s", job_name, collected)
    counts: dict[str, Any] = msgspec.to_builtins(collected)
    return counts


def measure(
    storage: Storage, project: Project, round_key: str, *, relabel_pass: int, relabel_run: str | None = None
) -> list[dict[str, Any]] | None:
    """Fuse all answers so far; where a relabel pass is left, write down its jobs and their inputs.

    :param relabel_pass: how many relabel passes are over, 0 after the round's first jobs.
    :returns: the jobs of the next pass, as ``plan_jobs`` does; an empty list when nothing is disputed or no
        pass is left, None when the round was not planned.
    """
    folder = round_folder(project, round_key)
    round_plan = plan_of_run(storage, folder, relabel_run)
    if round_plan is None:
        return None
    # The last pass of the project file takes the answers of all that were planned, should they be more.
    is_last = relabel_pass >= project.consensus.relabel_passes
    jobs = round_jobs(storage, folder, round_plan, passes=None if is_last else relabel_pass)
    for job in jobs:
        if job.relabel_pass > relabel_pass and storage.head(folder.job(job.name).objects) is None:
            _require_recorded(storage, project, folder, round_plan, job)
            collect(storage, project, round_key, job.name, relabel_run=relabel_run)
    disputed = fuse_answers(storage, project, folder, round_plan, jobs)
    if round_plan.imported or is_last:
        return []
    # A round that is made again from its answers asks nobody again, whatever the project file says by now.
    if finished_jobs(storage, folder, round_plan) and not read_relabel_plan(
        storage, folder, relabel_pass + 1, round_plan.attempt
    ):
        return []
    again = plan_relabel(
        storage, project, folder, round_plan, relabel_pass=relabel_pass + 1, disputed=disputed
    )
    return _write_inputs(storage, project, folder, round_plan, again.jobs)


def merge(
    storage: Storage, project: Project, round_key: str, *, relabel_run: str | None = None
) -> dict[str, int]:
    """Bring the labels of all jobs to the project's categories, and say what became of each planned image.

    :raises CategoryError: when jobs disagree about a category, or use one that the project does not list.
    """
    folder, round_plan = _planned(storage, project, round_key, relabel_run)
    jobs = round_jobs(storage, folder, round_plan)
    fuse_unless_done(storage, project, folder, round_plan, jobs)
    with written_table(storage, folder.stage("merged-labels.parquet"), ROUND_LABELS) as write:
        images = merge_tables(storage, project, folder, round_plan, jobs, write=write)
    storage.write(folder.stage("merged-images.parquet"), to_parquet(images, IMAGES_SCHEMA))
    return {str(status): int(count) for status, count in images["status"].value_counts().items()}


def check(
    storage: Storage, project: Project, round_key: str, *, relabel_run: str | None = None
) -> dict[str, Any]:
    """Run the quality checks, quarantine what fails them, and write the round's final tables.

    :raises QualityError: when a critical check of the whole table fails; the tables are written all the same,
        unless the round was recorded before.
    """
    from roundtruth.quality.gate import check_round  # Great Expectations takes seconds to import
    from roundtruth.stages.answered_images import drawn_sizes, suites_of_people

    folder, round_plan = _planned(storage, project, round_key, relabel_run)
    jobs = round_jobs(storage, folder, round_plan)
    fuse_unless_done(storage, project, folder, round_plan, jobs)  # people are judged by consensus.json
    images = _read(storage, folder.stage("merged-images.parquet"), IMAGES_SCHEMA)
    seen = project.quality.near_duplicates
    with copied_pieces(storage, folder.stage("merged-labels.parquet"), ROUND_LABELS) as labels:
        result = check_round(
            labels=labels,
            images=images,
            planned=round_plan.images,
            settings=project.quality,
            categories=project.categories,
            drawn_sizes=drawn_sizes(storage, folder, jobs),
            facts=inspected_images(storage, folder) if seen else None,
            known=facts_before(storage, project, round_key) if seen else None,
            also=suites_of_people(storage, project, folder, jobs),
            docs_uri=folder.data_docs,
            storage=storage,
        )
        what = f"Round {round_key!r} of project {project.project!r}"
        if storage.head(folder.record) is not None:
            # A recorded round that is made again and fails keeps the tables which round.json vouches for.
            result.verdict.require_passed(what)
        publishable, boxes = write_final_tables(storage, folder, result)
    write_failing_images(storage, folder, result.unnamed)
    storage.write(folder.quality, result.verdict.to_json())
    result.verdict.require_passed(what)
    return {"publishable": publishable, "boxes": boxes, "passed": result.verdict.passed}


def record(
    storage: Storage, project: Project, round_key: str, *, relabel_run: str | None = None
) -> dict[str, Any]:
    """Write round.json, last of all: from then on the round is done.

    :returns: the ``round``, its ``record_uri``, images by status (``counts``), ``boxes``, and what was paid:
        ``spent_usd``.
    :raises RoundError: when an image is not accounted for.
    :raises RoundChangedError: when the other run goes on and on.
    """
    folder, round_plan = _planned(storage, project, round_key, relabel_run)

    def make_again() -> None:
        merge(storage, project, round_key, relabel_run=relabel_run)
        check(storage, project, round_key, relabel_run=relabel_run)

    made = record_tables(storage, project, folder, round_plan, make_again=make_again)
    update_summaries(storage, project, changed=[round_key])  # a run that died before it runs again
    log.info("recorded %s: %s, %d boxes, spent %.2f USD", folder.key, made.counts, made.boxes, made.spent_usd)
    told: dict[str, Any] = {name: getattr(made, name) for name in ("counts", "boxes", "spent_usd")}
    return {"round": round_key, "record_uri": str(folder.record)} | told


def _write_inputs(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    round_plan: RoundPlan,
    jobs: tuple[PlannedJob, ...],
) -> list[dict[str, Any]]:
    finished = finished_jobs(storage, folder, round_plan)
    return [
        finished_job_inputs(folder, job)
        if job.name in finished
        else write_job_inputs(storage, project, folder, job, job_images(storage, folder, round_plan, job))
        for job in jobs
    ]


def _require_recorded(
    storage: Storage, project: Project, folder: RoundFolder, round_plan: RoundPlan, job: PlannedJob
) -> None:
    if job.name not in finished_jobs(storage, folder, round_plan):
        raise RoundError(
            f"Round {folder.key!r} of project {project.project!r} has planned relabel job {job.name!r}; put "
            f"consensus.relabel_passes back to {job.relabel_pass} until the round is recorded."
        )


def _planned(
    storage: Storage, project: Project, round_key: str, relabel_run: str | None = None
) -> tuple[RoundFolder, RoundPlan]:
    folder = round_folder(project, round_key)
    return folder, plan_of_run(storage, folder, relabel_run) or require_plan(storage, folder)


def _job(
    storage: Storage, project: Project, folder: RoundFolder, round_plan: RoundPlan, name: str
) -> PlannedJob:
    for job in round_jobs(storage, folder, round_plan):
        if job.name == name:
            return job
    raise RoundError(f"Round {folder.key!r} of project {project.project!r} has planned no job {name!r}.")


def _read(storage: Storage, uri: ObjectUri, schema: Any) -> Any:
    return from_parquet(storage.read(uri), schema, name=str(uri))
