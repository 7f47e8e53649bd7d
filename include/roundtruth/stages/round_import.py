"""The steps that make a round of finished labeling jobs; they are checked and merged like any other's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.imports.plan import import_jobs
from roundtruth.rounds.imports.sources import JobSource, described_job
from roundtruth.stages import labeling_round
from roundtruth.storage import Storage

log = logging.getLogger(__name__)


def job_sources(
    jobs: Sequence[str],
    label_categories: str | None = None,
    *,
    describe: Callable[[str], Mapping[str, Any]] | None = None,
    answers: bool = True,
) -> list[JobSource]:
    """Finished jobs by the places of their output, or by name.

    :param label_categories: the label category config of those whose folder holds none.
    :param describe: DescribeLabelingJob, for jobs that are given by name: no slash in it, no folder here.
    :param answers: false takes Ground Truth's own boxes, also where workers' answers are there.
    :raises RoundError: when a job is not over, or ended without any output.
    """
    sources = [
        described_job(describe(job))
        if describe and "/" not in job and not Path(job).exists()
        else JobSource(uri=job, label_categories=label_categories)
        for job in jobs
    ]
    return [msgspec.structs.replace(source, answers=answers) for source in sources]


def found_jobs(
    jobs: Sequence[str],
    label_categories: str | None = None,
    *,
    describe: Callable[[str], Mapping[str, Any]],
    answers: bool = True,
) -> list[dict[str, Any]]:
    """``job_sources`` as JSON, for one task to hand to the next."""
    named = [job.strip() for job in jobs if job.strip()]
    found = job_sources(named, label_categories, describe=describe, answers=answers)
    return [msgspec.to_builtins(source) for source in found]


def moved_images(moves: Sequence[str]) -> dict[str, str]:
    """``s3://old-bucket/=s3://new-bucket/images/`` as old beginning of source-refs -> where they lie now.

    :raises RoundError: when one has no ``=``, or names no place.
    """
    moved = {}
    for move in moves:
        old, apart, new = move.partition("=")
        if not apart or not old or not new.startswith("s3://"):
            raise RoundError(
                f"{move!r} says not what moved where; write s3://old-bucket/=s3://new-bucket/images/."
            )
        moved[old] = new
    return moved


def read_jobs(
    storage: Storage,
    project: Project,
    round_key: str,
    jobs: Sequence[JobSource | Mapping[str, Any]],
    moved: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Read finished jobs into the tables and the plan of a round; reading them again changes nothing.

    :param jobs: job sources, or what became of them in JSON.
    :returns: counts of images, what each job brought, and what nobody can use.
    :raises RoundError: when the round is another one, or a place holds no job of the project's task.
    :raises CategoryError: when a job has a category that the project does not list.
    """
    imported = import_jobs(
        storage, project, round_key, [msgspec.convert(job, JobSource) for job in jobs], moved=moved
    )
    if imported.problems:
        log.warning("%d lines cannot be used, such as %s", len(imported.problems), imported.problems[0])
    return {
        "round": round_key,
        "images": imported.plan.images,
        "unreadable": imported.plan.unreadable,
        "jobs": [
            {"name": job.name, "categories": list(job.categories), **msgspec.to_builtins(job.imported)}
            for job in imported.plan.jobs
        ],
        "problems": list(imported.problems),
        "labels_of_other_tasks": dict(imported.skipped),
    }


def import_round(
    storage: Storage,
    project: Project,
    round_key: str,
    jobs: Sequence[JobSource],
    moved: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """All steps: read the jobs, fuse their answers, merge, check, record.

    :returns: what ``read_jobs`` does, and ``counts`` of images by status, ``boxes``, ``record_uri``,
        and ``spent_usd``, which is 0: these jobs were paid before.
    :raises QualityError: when a critical check of the round fails; it is not recorded then.
    """
    read = read_jobs(storage, project, round_key, jobs, moved)
    labeling_round.measure(storage, project, round_key, relabel_pass=0)
    labeling_round.merge(storage, project, round_key)
    labeling_round.check(storage, project, round_key)
    return read | labeling_round.record(storage, project, round_key)
