"""Score the workers of a round on its gold images: gold.json beside consensus.json."""

from __future__ import annotations

import logging

import pandas as pd

from roundtruth.annotations import ANSWERS, LABELS, table
from roundtruth.consensus.gold import GoldCounts, encode_gold, gold_counts, gold_report
from roundtruth.rounds.collect import read_job_tables
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.gold import decode_truth
from roundtruth.rounds.planned import RoundPlan
from roundtruth.storage import Storage

log = logging.getLogger(__name__)


def write_gold_scores(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> dict[str, GoldCounts]:
    """Write gold.json from the round's first jobs, where it has gold images.

    :return: the counts by worker id; empty without gold images.
    """
    if plan.gold_truth is None:
        return {}
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
    )
    report = gold_report(counts, len(truth))
    storage.write(folder.gold, encode_gold(report))
    log.info("%d gold images: %s", len(truth), report["everybody"])
    if report["careless_workers"]:
        log.warning("careless on gold images: %s", ", ".join(report["careless_workers"]))
    return counts


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
