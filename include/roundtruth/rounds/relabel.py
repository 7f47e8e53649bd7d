"""Relabel passes: the disputed images of a round go out again, to more workers, a bounded number of times."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import count

import msgspec

from roundtruth.project import Project
from roundtruth.rounds.attempts import attempt_name
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.gold import mixed
from roundtruth.rounds.names import job_name
from roundtruth.rounds.planned import PlannedJob, RoundPlan, read_planned_images
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json


class RelabelPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs of one relabel pass and the images they take, sorted."""

    relabel_pass: int
    jobs: tuple[PlannedJob, ...]
    images: tuple[str, ...]


def plan_relabel(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    plan: RoundPlan,
    *,
    relabel_pass: int,
    disputed: Collection[str],
) -> RelabelPlan:
    """Write down the jobs of a relabel pass, or return what was written before.

    A pass without disputed images is written too: it says that there was nothing to do.
    """
    existing = read_relabel_plan(storage, folder, relabel_pass, plan.attempt)
    if existing is not None:
        return existing
    part_of = _part_of(storage, folder, plan)
    images = tuple(sorted(disputed))
    counts: dict[int, int] = {}
    for image in images:
        counts[part_of[image]] = counts.get(part_of[image], 0) + 1
    jobs = tuple(
        msgspec.structs.replace(
            job,
            name=_relabel_name(project, plan, job, relabel_pass),
            images=counts[job.part],
            workers=project.consensus.relabel_workers,
            relabel_pass=relabel_pass,
            gold=(),  # who has seen a gold image would know it again
        )
        for job in plan.jobs
        if job.part in counts
    )
    made = RelabelPlan(relabel_pass=relabel_pass, jobs=jobs, images=images)
    content = msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"
    if storage.write_if_absent(folder.relabel_plan(relabel_pass, plan.attempt), content):
        return made
    return read_relabel_plan(storage, folder, relabel_pass, plan.attempt) or made


def read_relabel_plan(
    storage: Storage, folder: RoundFolder, relabel_pass: int, attempt: int = 1
) -> RelabelPlan | None:
    """The plan of a pass of an attempt, or None before it is made."""
    content = storage.read_if_there(folder.relabel_plan(relabel_pass, attempt))
    return decode_json(content.data, RelabelPlan) if content else None


def round_jobs(
    storage: Storage, folder: RoundFolder, plan: RoundPlan, *, passes: int | None = None
) -> tuple[PlannedJob, ...]:
    """All jobs of a round: the first ones, then those of its relabel passes (or of the first ``passes``).

    The passes are those that were planned, whatever the project file says by now: their answers are paid.
    """
    jobs = list(plan.jobs)
    for number in count(1):
        if passes is not None and number > passes:
            break
        again = read_relabel_plan(storage, folder, number, plan.attempt)
        if again is None:
            break
        jobs += again.jobs
    return tuple(jobs)


def job_images(storage: Storage, folder: RoundFolder, plan: RoundPlan, job: PlannedJob) -> list[str]:
    """The images of a job with its gold images among them, in the order of its manifest."""
    part_of = _part_of(storage, folder, plan)
    images: Iterable[str] = part_of
    if job.relabel_pass:
        again = read_relabel_plan(storage, folder, job.relabel_pass, plan.attempt)
        images = again.images if again else ()
    return mixed([image for image in images if part_of[image] == job.part], job.gold, job=job.name)


def _part_of(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> dict[str, int]:
    planned = read_planned_images(storage, folder, plan)
    readable = planned[planned["unreadable"] == ""]
    return {str(ref): int(part) for ref, part in zip(readable["source_ref"], readable["part"], strict=True)}


def _relabel_name(project: Project, plan: RoundPlan, job: PlannedJob, relabel_pass: int) -> str:
    name = job_name(project.project, plan.round, plan.jobs.index(job) + 1, relabel_pass)
    return attempt_name(name, plan.attempt)
