"""How far a round has come: its jobs, the way of its images to the dataset, and whether the counts add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from roundtruth.annotations import (
    DISPUTED,
    FAILED,
    LABELED,
    NEGATIVE,
    QUARANTINED,
    UNLABELED,
    UNREADABLE,
)
from roundtruth.arrow_columns import codes, integers, places_in, strings
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.round_files import RoundFiles, read_table
from roundtruth.overviews.round_images import ANSWERED, WAITING, RoundImages
from roundtruth.rounds.job_attempts import read_attempts
from roundtruth.rounds.planned import PlannedJob


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """One labeling job of a round; counts are those of its collected results, without its gold images."""

    name: str
    labeling_jobs: tuple[str, ...]  # as Ground Truth names them, oldest first: mostly the one of this name
    relabel_pass: int
    categories: tuple[str, ...]
    images: int
    gold: int
    workers: int  # answers an image
    state: str  # planned: no inputs yet; waiting: people work, or will; collected: its results are there
    counts: dict[str, int]  # status -> images
    answers: int

    @property
    def done(self) -> int:
        """Images that people have settled: labeled, or looked at and empty."""
        return self.counts.get(LABELED, 0) + self.counts.get(NEGATIVE, 0)

    @property
    def expected_answers(self) -> int:
        """Answers that were asked for."""
        return self.images * self.workers


@dataclass(frozen=True, kw_only=True)
class FunnelStep:
    """A step on the way to the dataset: images that came so far, and what became of those that did not."""

    name: str
    images: int
    lost: tuple[tuple[str, int], ...] = ()  # status, images


@dataclass(frozen=True, kw_only=True)
class Conservation:
    """planned = published + quarantined + carried over + unreadable, and whether all files say so."""

    planned: int
    published: int
    quarantined: int
    carried_over: int
    unreadable: int
    problems: tuple[str, ...]  # one sentence each; empty where the sum holds

    @property
    def holds(self) -> bool:
        """Whether every planned image is accounted for, once."""
        return not self.problems


def job_progress(cache: EtagCache, files: RoundFiles) -> tuple[JobProgress, ...]:
    """All jobs of a round, those of its relabel passes last."""
    return tuple(cache.storage.run_many(lambda job: _job(cache, files, job), files.jobs))


def funnel(images: RoundImages) -> tuple[FunnelStep, ...]:
    """The steps planned → labeled → agreed → published; before the checks, what is known so far."""
    counts = images.counts()

    def lost(*statuses: str) -> tuple[tuple[str, int], ...]:
        return tuple((status, counts[status]) for status in statuses if counts.get(status))

    first = lost(WAITING, FAILED, UNLABELED, UNREADABLE)
    second = lost(DISPUTED, ANSWERED)
    third = lost(QUARANTINED)
    labeled = len(images) - sum(count for _, count in first)
    agreed = labeled - sum(count for _, count in second)
    return (
        FunnelStep(name="planned", images=len(images)),
        FunnelStep(name="labeled", images=labeled, lost=first),
        FunnelStep(name="agreed", images=agreed, lost=second),
        FunnelStep(name="published", images=agreed - sum(count for _, count in third), lost=third),
    )


def conservation(files: RoundFiles, images: RoundImages) -> Conservation | None:
    """The sum over images.parquet, against plan, verdict and record; None before the checks."""
    if not images.final:
        return None
    counts = images.counts()
    published = counts.get(LABELED, 0) + counts.get(NEGATIVE, 0)
    quarantined, unreadable = counts.get(QUARANTINED, 0), counts.get(UNREADABLE, 0)
    carried_over = sum(counts.get(status, 0) for status in (FAILED, UNLABELED, DISPUTED))
    problems = []
    total = published + quarantined + unreadable + carried_over
    if total != files.plan.images:
        problems.append(
            f"The plan holds {files.plan.images:,} images, images.parquet accounts for {total:,}."
        )
    problems += _differences("quality.json", files.verdict.counts if files.verdict else {}, counts)
    if not files.labeled_again:
        problems += _differences("round.json", files.record.counts if files.record else {}, counts)
    return Conservation(
        planned=files.plan.images,
        published=published,
        quarantined=quarantined,
        carried_over=carried_over,
        unreadable=unreadable,
        problems=tuple(problems),
    )


def _differences(name: str, said: Mapping[str, int], counts: Mapping[str, int]) -> list[str]:
    if not said:
        return []
    statuses = (LABELED, NEGATIVE, FAILED, UNLABELED, DISPUTED, QUARANTINED, UNREADABLE)
    return [
        f"{name} counts {said.get(status, 0):,} {status} images, images.parquet {counts.get(status, 0):,}."
        for status in statuses
        if said.get(status, 0) != counts.get(status, 0)
    ]


def _job(cache: EtagCache, files: RoundFiles, job: PlannedJob) -> JobProgress:
    inputs = files.folder.job(job.name)
    table = read_table(cache, inputs.objects, ("source_ref", "status", "answers"))
    state, answers = "collected", 0
    counts: dict[str, int] = {}
    if table is None:
        state = "waiting" if cache.storage.head(inputs.request) else "planned"
    else:
        ours = places_in(table["source_ref"], strings(job.gold)) < 0
        numbers, names = codes(table["status"])
        found = np.bincount(numbers[ours], minlength=len(names)) if len(names) else np.zeros(0, np.int64)
        counts = {name: int(count) for name, count in zip(names, found, strict=True) if count}
        answers = int(integers(table["answers"])[ours].sum())
    return JobProgress(
        name=job.name,
        labeling_jobs=read_attempts(cache.storage, inputs, job.name).names,
        relabel_pass=job.relabel_pass,
        categories=job.categories,
        images=job.images,
        gold=len(job.gold),
        workers=job.workers,
        state=state,
        counts=counts,
        answers=answers,
    )
