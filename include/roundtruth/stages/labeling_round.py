"""The steps of a labeling round, in order: plan, inputs, answers, consensus, merge, quality, record."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from roundtruth import __version__
from roundtruth.annotations import (
    AGREEMENT,
    ANSWERS,
    LABELS,
    PUBLISHABLE,
    annot_csv,
    from_parquet,
    to_parquet,
)
from roundtruth.annotations import IMAGES as IMAGES_SCHEMA
from roundtruth.consensus.figures import consensus_figures
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.consensus.report import encode_report
from roundtruth.consensus.worker_skills import encode_skills
from roundtruth.errors import RoundError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.job_request import LABEL_ATTRIBUTE, output_folder
from roundtruth.project import Project
from roundtruth.rounds.arrivals import arrivals_folder, partition_window
from roundtruth.rounds.collect import collect_answers
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.job_inputs import write_job_inputs
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import PlannedJob, RoundPlan, read_plan, require_plan
from roundtruth.rounds.record import RecordedJob, RoundRecord, file_digests, record_round, spent_usd
from roundtruth.rounds.relabel import job_images, plan_relabel, round_jobs
from roundtruth.stages.gold_scores import gold_answers, write_gold_scores
from roundtruth.stages.image_inspection import facts_before, inspected_images
from roundtruth.stages.merged_tables import merge_tables, read_all_jobs
from roundtruth.stages.skill_history import skills_before
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    from roundtruth.quality.validation import Suite

log = logging.getLogger(__name__)


def open_round(storage: Storage, project: Project, round_key: str) -> dict[str, str | None]:
    """Say where a round's images arrive and write down which of them earlier rounds hold.

    :returns: what the sensor for new images takes: ``prefix``, ``modified_after`` and ``modified_until``
        (ISO 8601, None without a window), ``known_images_uri`` (a file with a line ``etag<TAB>key`` each).
    """
    folder = round_folder(project, round_key)
    history = read_history(storage, project, without=round_key)
    known = sorted(history.settled | history.carried_over)
    # A key with a control character (nobody can label it) would break the lines of the list.
    keys = ((ObjectUri.parse(source_ref).key, etag) for source_ref, etag in known)
    lines = [f"{etag}\t{key}\n" for key, etag in keys if not any(ord(letter) < 32 for letter in key)]
    storage.write(folder.known_images, "".join(lines).encode())
    window = partition_window(project, round_key)
    return {
        "prefix": arrivals_folder(project, round_key).key,
        "modified_after": window.start.isoformat() if window else None,
        "modified_until": window.end.isoformat() if window else None,
        "known_images_uri": str(folder.known_images),
    }


def plan_jobs(storage: Storage, project: Project, round_key: str) -> list[dict[str, Any]] | None:
    """Take the round's images, write its plan and the inputs of its jobs; None when too few images are new.

    :returns: for each job its ``job_name``, ``request``, ``images_uri`` and ``manifest_uri``.
    :raises RoundError: when the round is over the project's budget.
    :raises LabelingRequestError: when a request breaks a limit.
    """
    round_plan = plan_round(storage, project, round_key)
    if round_plan is None:
        return None
    return _write_inputs(storage, project, round_folder(project, round_key), round_plan, round_plan.jobs)


def collect(storage: Storage, project: Project, round_key: str, job_name: str) -> dict[str, Any]:
    """Read a finished job's output folder into the round's tables; returns the counts."""
    folder, round_plan = _planned(storage, project, round_key)
    job = _job(storage, project, folder, round_plan, job_name)
    output = JobFolder(storage, output_folder(project) / job.name)
    collected = collect_answers(
        storage, job.name, job.categories, output, folder.job(job.name), gold=job.gold
    )
    log.info("collected the answers of %s: %s", job_name, collected)
    counts: dict[str, Any] = msgspec.to_builtins(collected)
    return counts


def measure(
    storage: Storage, project: Project, round_key: str, *, relabel_pass: int
) -> list[dict[str, Any]] | None:
    """Fuse all answers so far; where a relabel pass is left, write down its jobs and their inputs.

    :param relabel_pass: how many relabel passes are over, 0 after the round's first jobs.
    :returns: the jobs of the next pass, as ``plan_jobs`` does; an empty list when nothing is disputed or no
        pass is left, None when the round was not planned.
    """
    folder = round_folder(project, round_key)
    round_plan = read_plan(storage, folder)
    if round_plan is None:
        return None
    jobs = round_jobs(storage, project, folder, round_plan, passes=relabel_pass)
    tables = read_all_jobs(storage, folder, jobs)
    result = measure_consensus(
        tables.answers,
        project.consensus,
        consolidated=tables.consolidated,
        categories_by_job={job.name: job.categories for job in jobs},
        skills=skills_before(storage, project, folder),
    )
    storage.write(folder.skills, encode_skills(result.skills))
    storage.write(folder.answers, to_parquet(tables.answers, ANSWERS))
    storage.write(folder.stage("consensus-labels.parquet"), to_parquet(result.labels, LABELS))
    storage.write(folder.stage("agreement.parquet"), to_parquet(result.images, AGREEMENT))
    storage.write(folder.consensus, encode_report(result.report))
    write_gold_scores(storage, folder, round_plan)
    for name, figure in consensus_figures(result.report, result.images, tables.answers).items():
        storage.write(folder.figures / name, figure)
    disputed = sorted(result.images.loc[result.images["disputed"], "source_ref"])
    log.info(
        "%d images, %d boxes agreed, %d images disputed",
        len(result.images),
        len(result.labels),
        len(disputed),
    )
    if relabel_pass >= project.consensus.relabel_passes:
        return []
    again = plan_relabel(
        storage, project, folder, round_plan, relabel_pass=relabel_pass + 1, disputed=disputed
    )
    return _write_inputs(storage, project, folder, round_plan, again.jobs)


def merge(storage: Storage, project: Project, round_key: str) -> dict[str, int]:
    """Bring the labels of all jobs to the project's categories, and say what became of each planned image.

    :raises CategoryError: when jobs disagree about a category, or use one that the project does not list.
    """
    folder, round_plan = _planned(storage, project, round_key)
    jobs = round_jobs(storage, project, folder, round_plan)
    merged = merge_tables(storage, project, folder, round_plan, jobs)
    storage.write(folder.stage("merged-labels.parquet"), to_parquet(merged.labels, LABELS))
    storage.write(folder.stage("merged-images.parquet"), to_parquet(merged.images, IMAGES_SCHEMA))
    return {str(status): int(count) for status, count in merged.images["status"].value_counts().items()}


def check(storage: Storage, project: Project, round_key: str) -> dict[str, Any]:
    """Run the quality checks, quarantine what fails them, and write the round's final tables.

    :raises QualityError: when a critical check of the whole table fails; the tables are written all the same.
    """
    from roundtruth.quality.gate import check_round  # Great Expectations takes seconds to import

    folder, round_plan = _planned(storage, project, round_key)
    labels = _read(storage, folder.stage("merged-labels.parquet"), LABELS)
    images = _read(storage, folder.stage("merged-images.parquet"), IMAGES_SCHEMA)
    seen = project.quality.near_duplicates
    result = check_round(
        labels=labels,
        images=images,
        planned=round_plan.images,
        settings=project.quality,
        categories=project.categories,
        drawn_sizes=_drawn_sizes(storage, project, folder, round_plan),
        facts=inspected_images(storage, folder) if seen else None,
        known=facts_before(storage, project, round_key) if seen else None,
        also=_suites_of_people(storage, project, folder),
        docs_uri=folder.data_docs,
        storage=storage,
    )
    publishable = result.images.loc[result.images["status"].isin(PUBLISHABLE), "source_ref"]
    final = result.labels[result.labels["source_ref"].isin(set(publishable))]
    storage.write(folder.labels, to_parquet(final, LABELS))
    storage.write(folder.images, to_parquet(result.images, IMAGES_SCHEMA))
    storage.write(folder.annot_csv, annot_csv(final, result.images))
    storage.write(folder.quality, result.verdict.to_json())
    result.verdict.require_passed(f"Round {round_key!r} of project {project.project!r}")
    return {"publishable": len(publishable), "boxes": len(final), "passed": result.verdict.passed}


def record(storage: Storage, project: Project, round_key: str) -> dict[str, Any]:
    """Write round.json, last of all: from then on the round is done.

    :raises RoundError: when an image is not accounted for.
    """
    folder, round_plan = _planned(storage, project, round_key)
    jobs = round_jobs(storage, project, folder, round_plan)
    images = _read(storage, folder.images, IMAGES_SCHEMA)
    labels = _read(storage, folder.labels, LABELS)
    labeling = project.labeling
    made = RoundRecord(
        project=project.project,
        round=round_key,
        roundtruth=__version__,
        images=round_plan.images,
        counts={str(status): int(n) for status, n in images["status"].value_counts().sort_index().items()},
        boxes=len(labels),
        answers=int(read_all_jobs(storage, folder, jobs).objects["answers"].sum()),
        spent_usd=spent_usd(
            jobs,
            service_fee_usd=labeling.service_fee_usd,
            reward_usd=labeling.price_per_task.usd if labeling.price_per_task else 0.0,
        ),
        jobs=tuple(_recorded(project, job) for job in jobs),
        files=file_digests(storage, {uri.name: uri for uri in _recorded_files(folder, round_plan)}),
        gold_answers=gold_answers(storage, folder, round_plan),
    )
    record_round(storage, folder, made)
    return {"round": round_key, "record_uri": str(folder.record), "counts": made.counts, "boxes": made.boxes}


def _write_inputs(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    round_plan: RoundPlan,
    jobs: tuple[PlannedJob, ...],
) -> list[dict[str, Any]]:
    return [
        write_job_inputs(storage, project, folder, job, job_images(storage, folder, round_plan, job))
        for job in jobs
    ]


def _drawn_sizes(
    storage: Storage, project: Project, folder: RoundFolder, round_plan: RoundPlan
) -> pd.DataFrame:
    """The size of each image as Ground Truth wrote it: boxes drawn on another size would be misplaced."""
    objects = read_all_jobs(storage, folder, round_jobs(storage, project, folder, round_plan)).objects
    return objects.dropna(subset=["width"]).drop_duplicates("source_ref")[["source_ref", "width", "height"]]


def _suites_of_people(storage: Storage, project: Project, folder: RoundFolder) -> tuple[Suite, ...]:
    """The checks on the round's workers, under their pseudonyms: Data Docs are shown to many."""
    from roundtruth.quality.people import people_suites

    answers = _read(storage, folder.answers, ANSWERS)
    shown = answers.assign(worker=answers["worker"].map(pseudonym))
    return people_suites(shown, msgspec.json.decode(storage.read(folder.consensus)), project.quality)


def _planned(storage: Storage, project: Project, round_key: str) -> tuple[RoundFolder, RoundPlan]:
    folder = round_folder(project, round_key)
    return folder, require_plan(storage, folder)


def _job(
    storage: Storage, project: Project, folder: RoundFolder, round_plan: RoundPlan, name: str
) -> PlannedJob:
    for job in round_jobs(storage, project, folder, round_plan):
        if job.name == name:
            return job
    raise RoundError(f"Round {folder.key!r} of project {project.project!r} has planned no job {name!r}.")


def _recorded_files(folder: RoundFolder, round_plan: RoundPlan) -> list[ObjectUri]:
    files = [folder.answers, folder.labels, folder.images, folder.annot_csv]
    files += [folder.consensus, folder.skills, folder.quality]
    return [*files, folder.gold] if round_plan.gold_truth else files


def _recorded(project: Project, job: PlannedJob) -> RecordedJob:
    labeling = project.labeling
    _, partition, _, _, account, _ = labeling.role_arn.split(":", 5)
    return RecordedJob(
        name=job.name,
        arn=f"arn:{partition}:sagemaker:{labeling.region}:{account}:labeling-job/{job.name}",
        label_attribute=LABEL_ATTRIBUTE,
        categories=job.categories,
        output_uri=str(output_folder(project) / job.name),
        relabel_pass=job.relabel_pass,
        images=job.images,
        workers=job.workers,
    )


def _read(storage: Storage, uri: ObjectUri, schema: Any) -> Any:
    return from_parquet(storage.read(uri), schema, name=str(uri))
