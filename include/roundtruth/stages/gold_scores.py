"""Score the workers of a round on its gold images, before their answers are fused."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pandas as pd

from roundtruth.annotations import ANSWERS, LABELS, table
from roundtruth.consensus.gold import GoldCounts, gold_counts
from roundtruth.rounds.collect import read_job_tables
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.gold import decode_truth
from roundtruth.rounds.planned import RoundPlan
from roundtruth.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GoldScores:
    """How many gold images a round has, and what each worker did on them, by pseudonym."""

    images: int
    counts: dict[str, GoldCounts]


def gold_scores(
    storage: Storage, folder: RoundFolder, plan: RoundPlan, pseudonym_key: bytes
) -> GoldScores | None:
    """Score the answers of the round's first jobs; None for a round without gold images."""
    if plan.gold_truth is None:
        return None
    truth = decode_truth(storage.read(folder.uri / plan.gold_truth.file))
    rows: list[dict[str, object]] = [
        {
            "source_ref": image.source_ref,
            "category": box.label,
            "left": box.left,
            "top": box.top,
            "width": box.width,
            "height": box.height,
        }
        for image in truth
        for box in image.boxes
    ]
    counts = gold_counts(
        read_gold_answers(storage, folder, plan),
        table(rows, LABELS),
        [image.source_ref for image in truth],
        {job.name: job.categories for job in plan.jobs},
        pseudonym_key=pseudonym_key,
    )
    log.info("%d gold images, answered by %d workers", len(truth), len(counts))
    return GoldScores(images=len(truth), counts=counts)


def read_gold_answers(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> pd.DataFrame:
    """The answers of the round's first jobs about their gold images (ANSWERS)."""
    found = [table([], ANSWERS)]
    for job in plan.jobs:
        if job.gold:
            answers = read_job_tables(storage, folder.job(job.name)).answers
            found.append(answers[answers["source_ref"].isin(set(job.gold))])
    return pd.concat(found, ignore_index=True)


def gold_answers(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> int:
    """How many answers people gave about gold images, over all jobs."""
    found = read_gold_answers(storage, folder, plan)
    return len(found[["job", "source_ref", "worker"]].drop_duplicates())
