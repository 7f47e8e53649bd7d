"""The tables of all jobs of a round put together: one row an image, labels in the project's categories."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from roundtruth.annotations import (
    AGREEMENT,
    ANSWERS,
    DISPUTED,
    FAILED,
    IMAGES,
    LABELED,
    LABELS,
    NEGATIVE,
    UNLABELED,
    UNREADABLE,
    from_parquet,
    table,
)
from roundtruth.categories import CategoryMerge, merge_category_maps
from roundtruth.consensus.ground_truth_boxes import beside_ground_truth
from roundtruth.datasets.class_registry import load_registry
from roundtruth.datasets.folder import dataset_folder
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS, read_job_tables, without_gold
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import PlannedJob, RoundPlan, read_planned_images
from roundtruth.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AllJobs:
    """Answers, objects (with a ``job`` column) and Ground Truth's own boxes of several jobs."""

    answers: pd.DataFrame
    objects: pd.DataFrame
    consolidated: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class MergedTables:
    """ROUND_LABELS in the project's categories, and IMAGES with a status for every planned image."""

    labels: pd.DataFrame
    images: pd.DataFrame


def read_all_jobs(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> AllJobs:
    """Read the collected tables of jobs, in the order of the jobs, without their gold images."""
    tables = {
        job.name: without_gold(read_job_tables(storage, folder.job(job.name)), job.gold) for job in jobs
    }
    return AllJobs(
        answers=_stacked([one.answers for one in tables.values()], ANSWERS),
        objects=pd.concat(
            [table([], OBJECTS).assign(job=pd.Series(dtype=str))]
            + [one.objects.assign(job=name) for name, one in tables.items()],
            ignore_index=True,
        ),
        consolidated=_stacked([one.consolidated for one in tables.values()], LABELS),
    )


def merge_tables(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    plan: RoundPlan,
    jobs: tuple[PlannedJob, ...],
) -> MergedTables:
    """Merge the consensus of all jobs; an image that one of its first jobs failed on is incomplete and waits.

    Beside each label stands Ground Truth's own box of the same job (GROUND_TRUTH_COLUMNS). Boxes of a retired
    category (the class registry has it, the project file no more) are left out.

    :raises CategoryError: when jobs disagree about a category, or use one that the project never listed.
    """
    everything = read_all_jobs(storage, folder, jobs)
    labels = from_parquet(
        storage.read(folder.stage("consensus-labels.parquet")), LABELS, name="consensus-labels.parquet"
    )
    consensus = from_parquet(
        storage.read(folder.stage("agreement.parquet")), AGREEMENT, name="agreement.parquet"
    )
    images = _images(read_planned_images(storage, folder, plan), everything, consensus, jobs)
    labels = pd.concat([labels, _machine_labels(everything, jobs)], ignore_index=True)
    labels, _ = beside_ground_truth(labels, everything.consolidated, min_iou=project.consensus.min_iou)
    categories = merged_categories(storage, project, jobs)
    for written, name in categories.renamed:
        log.warning("category %r of the jobs is %r in the project", written, name)
    labels = _in_project_categories(labels, project, categories)
    has_boxes = images["source_ref"].isin(set(labels["source_ref"]))
    images.loc[(images["status"] == NEGATIVE) & has_boxes, "status"] = LABELED
    images.loc[(images["status"] == LABELED) & ~has_boxes, "status"] = NEGATIVE
    return MergedTables(labels=labels, images=images[IMAGES.names])


def merged_categories(storage: Storage, project: Project, jobs: tuple[PlannedJob, ...]) -> CategoryMerge:
    """What the categories of jobs mean in the project, by its file and its dataset's class registry.

    :raises CategoryError: when jobs disagree about a category, or use one that the project never listed.
    """
    # A round may be merged again long after one of its categories was retired.
    registered = load_registry(storage, dataset_folder(project).classes).names
    return merge_category_maps(
        {job.name: job.categories for job in jobs},
        listed=tuple(dict.fromkeys([*project.categories, *registered])),
        aliases=project.aliases,
    )


def _stacked(frames: list[pd.DataFrame], schema: pa.Schema) -> pd.DataFrame:
    return pd.concat([table([], schema), *frames], ignore_index=True)


def _images(
    planned: pd.DataFrame, everything: AllJobs, consensus: pd.DataFrame, jobs: tuple[PlannedJob, ...]
) -> pd.DataFrame:
    images = planned.merge(_worst_status(everything, jobs), on="source_ref", how="left").merge(
        consensus.rename(columns={"reason": "dispute"}), on="source_ref", how="left"
    )
    missing = images["status"].isna()
    images.loc[missing, "reason"] = "no job of the round holds it"
    images.loc[missing, "status"] = UNLABELED
    disputed = images["status"].isin([LABELED, NEGATIVE]) & images["disputed"].eq(True)
    images.loc[disputed, "reason"] = images.loc[disputed, "dispute"]
    images.loc[disputed, "status"] = DISPUTED
    unreadable = images["unreadable"] != ""
    images.loc[unreadable, "reason"] = images.loc[unreadable, "unreadable"]
    images.loc[unreadable, "status"] = UNREADABLE
    images["answers"] = images["answers"].fillna(0).astype("int16")
    return images


def _worst_status(everything: AllJobs, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    """One status an image over the round's first jobs: each asks for other categories, so all must answer.

    A relabel job that fails brings no new answers, and takes none away.
    """
    first = {job.name for job in jobs if not job.relabel_pass}
    objects = everything.objects[everything.objects["job"].isin(first)]
    rank = {FAILED: 0, UNLABELED: 1, LABELED: 2, NEGATIVE: 3}
    worst = objects.assign(rank=objects["status"].map(rank)).sort_values(
        ["source_ref", "rank", "job"], kind="stable"
    )
    return worst.drop_duplicates("source_ref")[["source_ref", "status", "reason"]]


def _machine_labels(everything: AllJobs, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    """Ground Truth's own boxes where no person answered: auto-labeled rows, imported manifests.

    Jobs with other categories are apart: people may have answered one and a model the other.
    """
    asked = {job.name: "\n".join(job.categories) for job in jobs}
    answered = everything.objects.assign(asked=everything.objects["job"].map(asked))
    answers = answered.groupby(["asked", "source_ref"])["answers"].max()
    by_machine = set(answers[answers == 0].index)
    first = {job.name for job in jobs if not job.relabel_pass}
    boxes = everything.consolidated
    taken = [
        job in first and (asked[job], source_ref) in by_machine
        for job, source_ref in zip(boxes["job"], boxes["source_ref"], strict=True)
    ]
    return boxes[pd.Series(taken, index=boxes.index, dtype=bool)]


def _in_project_categories(labels: pd.DataFrame, project: Project, categories: CategoryMerge) -> pd.DataFrame:
    names = [
        categories.name_of(job, category)
        for job, category in zip(labels["job"], labels["category"], strict=True)
    ]
    # Ground Truth's file may name a class that its job never listed: that stays as it is written.
    beside = [
        categories.name_of(job, category) if category in categories.names.get(job, {}) else category
        for job, category in zip(labels["job"], labels["ground_truth_category"], strict=True)
    ]
    dtype = labels["category"].dtype
    ordered = labels.assign(
        category=pd.Series(names, index=labels.index, dtype=dtype),
        ground_truth_category=pd.Series(beside, index=labels.index, dtype=dtype),
    )
    listed = ordered["category"].isin(set(project.categories))
    if not listed.all():
        retired = ", ".join(sorted(set(ordered.loc[~listed, "category"])))
        log.warning("%d boxes of retired categories are left out: %s", int((~listed).sum()), retired)
    return (
        ordered[listed]
        .sort_values(["source_ref", "category", "left", "top", "width", "height"], kind="stable")
        .reset_index(drop=True)
    )
