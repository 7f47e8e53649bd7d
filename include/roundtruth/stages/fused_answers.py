"""Fuse all answers of a round so far: labels, agreement report, figures, worker skills."""

from __future__ import annotations

import logging

import msgspec

from roundtruth.annotations import AGREEMENT, ANSWERS, LABELS, to_parquet
from roundtruth.consensus.figures import consensus_figures
from roundtruth.consensus.gold import gold_report
from roundtruth.consensus.gold_skills import with_gold
from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import KEY_FILE, project_key
from roundtruth.consensus.report import encode_report, report_with_gold
from roundtruth.consensus.worker_skills import encode_skills
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import PlannedJob, RoundPlan
from roundtruth.stages.gold_scores import gold_scores
from roundtruth.stages.merged_tables import read_all_jobs
from roundtruth.stages.skill_history import skills_before
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

_FUSED_JOBS = "fused-jobs.json"


def pseudonym_key(storage: Storage, project: Project) -> bytes:
    """The key of the pseudonyms in all rounds of a project."""
    return project_key(storage, rounds_folder(project) / KEY_FILE)


def fuse_answers(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    round_plan: RoundPlan,
    jobs: tuple[PlannedJob, ...],
) -> list[str]:
    """Write what the answers of these jobs say together; returns the disputed images, sorted.

    Workers are scored on the round's gold images first, so that who fails them counts less in this round.
    """
    # First of all: whoever merges then sees whose answers the tables hold, or will hold in a moment.
    storage.write(folder.stage(_FUSED_JOBS), _names(jobs))
    tables = read_all_jobs(storage, folder, jobs)
    key = pseudonym_key(storage, project)
    gold = gold_scores(storage, folder, round_plan, key)
    skills = skills_before(storage, project, folder)
    result = measure_consensus(
        tables.answers,
        project.consensus,
        consolidated=tables.consolidated,
        categories_by_job={job.name: job.categories for job in jobs},
        skills=with_gold(skills, gold.counts) if gold else skills,
        pseudonym_key=key,
    )
    report = result.report
    if gold:
        report = report_with_gold(report, gold_report(gold.counts, gold.images))
    storage.write(folder.skills, encode_skills(result.skills))
    storage.write(folder.answers, to_parquet(tables.answers, ANSWERS))
    storage.write(folder.stage("consensus-labels.parquet"), to_parquet(result.labels, LABELS))
    storage.write(folder.stage("agreement.parquet"), to_parquet(result.images, AGREEMENT))
    storage.write(folder.consensus, encode_report(report))
    for name, figure in consensus_figures(report, result.images).items():
        storage.write(folder.figures / name, figure)
    disputed = sorted(result.images.loc[result.images["disputed"], "source_ref"])
    log.info(
        "%d images, %d boxes agreed, %d images disputed",
        len(result.images),
        len(result.labels),
        len(disputed),
    )
    if report["careless_workers"]:
        log.warning("workers who look careless: %s", ", ".join(report["careless_workers"]))
    return disputed


def fuse_unless_done(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    round_plan: RoundPlan,
    jobs: tuple[PlannedJob, ...],
) -> None:
    """Fuse once more when the round's tables hold the answers of other jobs than these.

    That is so when another run of the same round, at an earlier pass or another attempt, has fused since.
    """
    fused = storage.read_if_there(folder.stage(_FUSED_JOBS))
    if fused is not None and fused.data != _names(jobs):
        log.warning("another run of round %s has fused other answers since: fused again", folder.key)
        fuse_answers(storage, project, folder, round_plan, jobs)


def _names(jobs: tuple[PlannedJob, ...]) -> bytes:
    return msgspec.json.encode([job.name for job in jobs])
