"""Fuse all answers of a round so far: labels, agreement report, figures, worker skills."""

from __future__ import annotations

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from roundtruth.annotations import AGREEMENT, ANSWERS, LABELS, arrow_table, to_parquet
from roundtruth.consensus.figures import consensus_figures
from roundtruth.consensus.gold import gold_report
from roundtruth.consensus.gold_skills import with_gold
from roundtruth.consensus.measure import measure_parts
from roundtruth.consensus.parts import Spill
from roundtruth.consensus.pseudonyms import KEY_FILE, project_key
from roundtruth.consensus.report import encoded_report, report_with_gold
from roundtruth.consensus.worker_skills import encode_skills
from roundtruth.errors import RoundChangedError
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import PlannedJob, RoundPlan
from roundtruth.rounds.record import keep_recorded
from roundtruth.stages.gold_scores import gold_scores
from roundtruth.stages.large_tables import write_pieces, written_table
from roundtruth.stages.round_parts import answers_in_parts, jobs_in_parts
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
    keep_recorded(storage, folder)
    key = pseudonym_key(storage, project)
    gold = gold_scores(storage, folder, round_plan, key)
    skills = skills_before(storage, project, folder)
    parts = jobs_in_parts(storage, folder, jobs)
    with TemporaryDirectory(prefix="roundtruth-") as scratch:
        result = measure_parts(
            answers_in_parts(storage, folder, parts),
            project.consensus,
            categories_by_job={job.name: job.categories for job in jobs},
            skills=with_gold(skills, gold.counts) if gold else skills,
            pseudonym_key=key,
            # One part is as fast as can be; of several, one is in memory.
            keep=Spill(Path(scratch)).keep if len(parts) > 1 else list,
        )
        report = result.report
        if gold:
            report = report_with_gold(report, gold_report(gold.counts, gold.images))
        storage.write(folder.skills, encode_skills(result.skills))
        _write_answers(storage, folder, jobs)
        with written_table(storage, folder.stage("consensus-labels.parquet"), LABELS) as write:
            boxes = 0
            for labels in result.labels:
                write(labels)
                boxes += len(labels)
        storage.write(folder.stage("agreement.parquet"), to_parquet(result.images, AGREEMENT))
        write_pieces(storage, folder.consensus, encoded_report(report))
    storage.write(folder.stage(_FUSED_JOBS), _fused(storage, folder, jobs))
    for name, figure in consensus_figures(report, result.images).items():
        storage.write(folder.figures / name, figure)
    disputed = sorted(result.images.loc[result.images["disputed"], "source_ref"])
    log.info(
        "%d images, %d boxes agreed, %d images disputed",
        len(result.images),
        boxes,
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
    """Fuse once more when the round's tables hold the answers of other jobs than these, or are being written.

    That is so when another run of the same round, at an earlier pass or another attempt, has fused since.
    """
    if not _is_fused(storage, folder, jobs):
        log.warning("another run of round %s has fused other answers since: fused again", folder.key)
        fuse_answers(storage, project, folder, round_plan, jobs)


def require_fused(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> None:
    """Make sure that the round's tables hold the answers of these jobs.

    :raises RoundChangedError: when another run has fused those of others since.
    """
    if not _is_fused(storage, folder, jobs):
        raise RoundChangedError(
            f"Another run of round {folder.key!r} has written {folder.answers} and what belongs to it since; "
            "run merge_categories and what follows it again."
        )


def _write_answers(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> None:
    """The answers of all jobs, one job after the other, without those about gold images."""
    with written_table(storage, folder.answers, ANSWERS) as write:
        for job in jobs:
            uri = folder.job(job.name).answers
            rows = arrow_table(storage.read(uri), ANSWERS, name=str(uri)).combine_chunks()
            if job.gold:
                of_gold = pc.is_in(rows["source_ref"], pa.array(sorted(job.gold), pa.string()))
                rows = rows.filter(pc.invert(of_gold))
            write(rows)


def _is_fused(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> bool:
    """Whether the tables that are there were written for these jobs, all of them.

    A round that was measured by an early roundtruth does not say; no other run works on it.
    """
    fused = storage.read_if_there(folder.stage(_FUSED_JOBS))
    return fused is None or fused.data == _fused(storage, folder, jobs)


def _fused(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> bytes:
    """Whose answers the tables hold, with the ETags of the tables: written last, it vouches for no others."""
    stages = [folder.stage(name) for name in ("consensus-labels.parquet", "agreement.parquet")]
    found = {
        uri.name: storage.head(uri) for uri in (folder.answers, folder.skills, folder.consensus, *stages)
    }
    etags = {name: one.etag for name, one in found.items() if one}
    return msgspec.json.encode({"jobs": [job.name for job in jobs], "etags": etags})
