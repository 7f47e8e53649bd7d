"""Which attempt at a round a run works on; a round labeled over again within the budget."""

from __future__ import annotations

import logging

from roundtruth.project import Project
from roundtruth.rounds.attempts import attempt_of_run, join_attempt, wanted_attempt
from roundtruth.rounds.cost import RoundPrice, check_budget, estimate_price
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import RoundPlan, read_plan, require_plan
from roundtruth.rounds.record import finished_jobs, read_record
from roundtruth.rounds.turns import Wish, take_turn
from roundtruth.storage import Storage

log = logging.getLogger(__name__)


def plan_of_run(storage: Storage, folder: RoundFolder, relabel_run: str | None) -> RoundPlan | None:
    """The plan of a round with the jobs that a run works on, or None before it is planned.

    Of a recorded round these are the recorded ones, whose answers are in S3. Only a run that asked for
    another attempt, or joined it, works on that one, and when it is recorded too, on the newest recorded.

    :param relabel_run: the id of a run that wants the round labeled over again; None for any other run.
    """
    record = read_record(storage, folder)
    if record is None:
        return read_plan(storage, folder)
    own = attempt_of_run(storage, folder, relabel_run) if relabel_run else None
    return read_plan(storage, folder, max(record.attempt, own.attempt if own else 1))


def open_over_again(
    storage: Storage, project: Project, folder: RoundFolder, *, relabel_run: str, why: str
) -> None:
    """Let a run have its attempt: a new one when the last is recorded and the run has none.

    :raises RoundError: when the new attempt is over the project's budget; then none is opened.
    """

    def wanted() -> Wish | None:
        newest = require_plan(storage, folder)
        recorded = finished_jobs(storage, folder, newest)
        wish = wanted_attempt(storage, folder, run=relabel_run, why=why, recorded_names=recorded)
        if wish is not None:
            check_budget(project, folder.key, _price(project, newest))
        return wish

    # No other round may take an image of this one while it opens.
    take_turn(storage, project, wanted)
    attempt = join_attempt(storage, folder, relabel_run)
    log.info("round %s is labeled over again, attempt %d", folder.key, attempt.attempt)


def _price(project: Project, plan: RoundPlan) -> RoundPrice:
    """What all jobs of a plan cost at most when they are made once more, by the project's present prices."""
    chunks = {job.categories for job in plan.jobs}
    first = [job for job in plan.jobs if job.categories == plan.jobs[0].categories]
    workers = {job.workers for job in plan.jobs}
    as_planned = project.labeling.model_copy(update={"workers_per_object": max(workers, default=1)})
    return estimate_price(
        project.model_copy(update={"labeling": as_planned}),
        images=sum(job.images for job in first),
        category_chunks=len(chunks),
        gold=sum(len(job.gold) for job in first),
    )
