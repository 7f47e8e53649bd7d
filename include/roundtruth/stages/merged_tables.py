"""The tables of all jobs of a round put together: one row an image, labels in the project's categories."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import (
    AGREEMENT,
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
from roundtruth.rounds.collect import OBJECTS, read_job_table
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.planned import PlannedJob, RoundPlan, read_planned_images
from roundtruth.stages.large_tables import read_span
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

IMAGES_AT_ONCE = 50_000  # half of a usual job: its labels with Ground Truth's beside them are some 200 MB

_OBJECTS = pa.schema([OBJECTS.field(name) for name in ("source_ref", "status", "reason", "answers")])


def merge_tables(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    plan: RoundPlan,
    jobs: tuple[PlannedJob, ...],
    *,
    write: Callable[[pd.DataFrame], None],
) -> pd.DataFrame:
    """Merge the consensus of all jobs; an image that one of its first jobs failed on is incomplete and waits.

    Beside each label stands Ground Truth's own box of the same job (GROUND_TRUTH_COLUMNS). Boxes of a retired
    category (the class registry has it, the project file no more) are left out.

    :param write: takes ROUND_LABELS in the project's categories, sorted by image and category, the labels of
        so many images at a time (IMAGES_AT_ONCE): those of all jobs are never in memory.
    :returns: IMAGES with a status for every planned image.
    :raises CategoryError: when jobs disagree about a category, or use one that the project never listed.
    """
    objects = _objects(storage, folder, jobs)
    consensus = from_parquet(
        storage.read(folder.stage("agreement.parquet")), AGREEMENT, name="agreement.parquet"
    )
    images = _images(read_planned_images(storage, folder, plan), _worst_status(objects, jobs), consensus)
    by_machine = _by_machine(objects, jobs)
    categories = merged_categories(storage, project, jobs)
    for written, name in categories.renamed:
        log.warning("category %r of the jobs is %r in the project", written, name)
    with_boxes: list[pd.Series] = []
    left_out: Counter[str] = Counter()
    for span in _spans(images["source_ref"]):
        labels = _labels_within(storage, project, folder, jobs, by_machine, span)
        labels = _in_project_categories(labels, categories)
        listed = labels["category"].isin(set(project.categories))
        left_out.update(labels.loc[~listed, "category"].tolist())
        labels = labels[listed].reset_index(drop=True)
        with_boxes.append(labels["source_ref"].drop_duplicates())
        write(labels)
    if left_out:
        log.warning(
            "%d boxes of retired categories are left out: %s", left_out.total(), ", ".join(sorted(left_out))
        )
    has_boxes = images["source_ref"].isin(pd.concat(with_boxes))
    images.loc[(images["status"] == NEGATIVE) & has_boxes, "status"] = LABELED
    images.loc[(images["status"] == LABELED) & ~has_boxes, "status"] = NEGATIVE
    result: pd.DataFrame = images[IMAGES.names]
    return result


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


def _objects(storage: Storage, folder: RoundFolder, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    """OBJECTS of all jobs, with the number of the ``job`` in the order of their names."""
    number = {name: place for place, name in enumerate(sorted(job.name for job in jobs))}
    frames = [
        read_job_table(storage, folder.job(job.name).objects, _OBJECTS, gold=job.gold).assign(
            job=np.int32(number[job.name])
        )
        for job in jobs
    ]
    return pd.concat([table([], _OBJECTS).assign(job=pd.Series(dtype="int32")), *frames], ignore_index=True)


def _images(planned: pd.DataFrame, worst: pd.DataFrame, consensus: pd.DataFrame) -> pd.DataFrame:
    images = planned.merge(worst, on="source_ref", how="left").merge(
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


def _worst_status(objects: pd.DataFrame, jobs: tuple[PlannedJob, ...]) -> pd.DataFrame:
    """One status an image over the round's first jobs: each asks for other categories, so all must answer.

    A relabel job that fails brings no new answers, and takes none away.
    """
    names = sorted(job.name for job in jobs)
    first = {names.index(job.name) for job in jobs if not job.relabel_pass}
    objects = objects[objects["job"].isin(first)]
    rank = {FAILED: 0, UNLABELED: 1, LABELED: 2, NEGATIVE: 3}
    worst = objects.assign(rank=objects["status"].map(rank)).sort_values(
        ["source_ref", "rank", "job"], kind="stable"
    )
    return worst.drop_duplicates("source_ref")[["source_ref", "status", "reason"]]


def _by_machine(objects: pd.DataFrame, jobs: tuple[PlannedJob, ...]) -> set[tuple[str, str]]:
    """Where no person answered: what a job asked for, and the image.

    Jobs with other categories are apart: people may have answered one and a model the other.
    """
    asked = [_asked(job) for job in sorted(jobs, key=lambda job: job.name)]
    distinct = sorted(set(asked))
    of_object = np.array([distinct.index(one) for one in asked], np.int64)[objects["job"].to_numpy(np.int64)]
    answers = objects.assign(asked=of_object).groupby(["asked", "source_ref"])["answers"].max()
    return {(distinct[number], source_ref) for number, source_ref in answers[answers == 0].index}


def _asked(job: PlannedJob) -> str:
    return "\n".join(job.categories)


def _spans(images: pd.Series) -> list[tuple[str | None, str | None]]:
    """Where the sorted images are cut so that about IMAGES_AT_ONCE lie between; together they hold all."""
    cuts = images.sort_values().iloc[IMAGES_AT_ONCE::IMAGES_AT_ONCE].tolist()
    return list(pairwise([None, *cuts, None]))


def _labels_within(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    jobs: tuple[PlannedJob, ...],
    by_machine: set[tuple[str, str]],
    span: tuple[str | None, str | None],
) -> pd.DataFrame:
    """Labels of a span of images with Ground Truth's boxes beside them; categories as jobs wrote them."""
    labels = [read_span(storage, folder.stage("consensus-labels.parquet"), LABELS, span)]
    consolidated = [table([], LABELS)]
    for job in jobs:
        boxes = read_span(storage, folder.job(job.name).consolidated, LABELS, span)
        boxes = boxes[~boxes["source_ref"].isin(set(job.gold))]
        consolidated.append(boxes)
        if by_machine and not job.relabel_pass:
            # Ground Truth's own boxes where no person answered: auto-labeled rows, imported manifests.
            asked = _asked(job)
            taken = [(asked, source_ref) in by_machine for source_ref in boxes["source_ref"]]
            labels.append(boxes[pd.Series(taken, index=boxes.index, dtype=bool)])
    together = pd.concat(labels, ignore_index=True)
    beside, _ = beside_ground_truth(
        together, pd.concat(consolidated, ignore_index=True), min_iou=project.consensus.min_iou
    )
    return beside


def _in_project_categories(labels: pd.DataFrame, categories: CategoryMerge) -> pd.DataFrame:
    def beside(job: str, category: str) -> str:
        # Ground Truth's file may name a class that its job never listed: that stays as it is written.
        listed = category in categories.names.get(job, {})
        return categories.name_of(job, category) if listed else category

    ordered = labels.assign(
        category=_renamed(labels["job"], labels["category"], categories.name_of),
        ground_truth_category=_renamed(labels["job"], labels["ground_truth_category"], beside),
    )
    return ordered.sort_values(["source_ref", "category", "left", "top", "width", "height"], kind="stable")


def _renamed(jobs: pd.Series, names: pd.Series, rename: Callable[[str, str], str]) -> pd.Series:
    """The new name of each job's name, a missing one missing; each pair, of which there are few, once."""
    job_codes, job_texts = pd.factorize(jobs)
    codes, texts = pd.factorize(names)
    given = np.flatnonzero(codes >= 0)
    pairs, place = np.unique(job_codes[given] * len(texts) + codes[given], return_inverse=True)
    new = [rename(job_texts[pair // len(texts)], texts[pair % len(texts)]) for pair in pairs.tolist()]
    renamed = np.full(len(names), None, object)
    renamed[given] = np.array(new, object)[place]
    return pd.Series(renamed, index=names.index, dtype=names.dtype)
