"""What the pages of a round show, put together from its files, Airflow's runs and Ground Truth's counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from labeling_ui.access import Rights
from labeling_ui.live_jobs import LiveJob, job_page, live_jobs
from labeling_ui.project_lists import list_project, with_counters
from labeling_ui.round_list import Row
from labeling_ui.round_reads import OpenedRound
from labeling_ui.visible_lists import visible_list
from roundtruth.overviews.failing_images import images_of
from roundtruth.overviews.image_boxes import ShownImage
from roundtruth.overviews.round_images import ALL_STATUSES
from roundtruth.overviews.round_progress import JobProgress
from roundtruth.project import Project
from roundtruth.quality.verdict import FailedCheck

# What a status is called, how its badge looks, and what it means.
STATUSES: dict[str, tuple[str, str, str]] = {
    "labeled": ("labeled", "success", "People drew boxes and agree"),
    "negative": ("negative", "success", "People looked, agree, and drew nothing: an example without objects"),
    "disputed": ("disputed", "warning", "People disagree, also after the relabel passes"),
    "quarantined": ("quarantined", "error", "A quality check failed on it"),
    "failed": ("failed", "error", "Ground Truth says that the object failed"),
    "unlabeled": ("unlabeled", "warning", "Nobody answered, or a job skipped it"),
    "unreadable": ("unreadable", "error", "Not an image, or empty"),
    "waiting": ("waiting", "", "No job has brought anything of it yet"),
    "answered": ("answered", "info", "People answered; nobody has merged that yet"),
}
SEVERITIES = {"critical": "error", "warning": "warning", "info": "info"}
CONSEQUENCES = {
    "blocked": "stops the round",
    "quarantined": "its images stay out of the dataset",
    "reported": "is reported only",
}


COLORS = 9  # of workers, see round.css
NAMED = 6  # images that stand beside a failed check; its link leads to all of them


@dataclass(frozen=True, kw_only=True)
class ShownJob:
    """A job as the page shows it: collected results, else what Ground Truth counts right now."""

    progress: JobProgress
    live: LiveJob | None
    console: str | None  # its page in the AWS console

    @property
    def state(self) -> tuple[str, str]:
        """In words, and the kind of its badge."""
        if self.progress.state == "collected":
            return "Collected", "success"
        if self.live is not None and self.live.status:
            kind = "error" if self.live.status in ("Failed", "Stopped") else "info"
            return self.live.status, kind
        return ("Waiting", "") if self.progress.state == "waiting" else ("Planned", "")

    @property
    def labeled(self) -> int:
        """Images that are labeled so far."""
        if self.progress.state != "collected" and self.live is not None:
            return self.live.labeled
        return self.progress.done

    @property
    def of(self) -> int:
        """Images that the job holds; with its gold images while Ground Truth counts."""
        gold = self.progress.gold if self.progress.state != "collected" else 0
        return self.progress.images + gold


def shown_jobs(opened: OpenedRound, jobs: Sequence[JobProgress]) -> tuple[tuple[ShownJob, ...], str]:
    """All jobs of a round, and why some counters are missing."""
    project = opened.project
    waiting = [one.name for one in jobs if one.state == "waiting"]
    live = live_jobs(project.aws_conn_id, waiting) if waiting else None
    shown = tuple(
        ShownJob(
            progress=one,
            live=live.jobs.get(one.name) if live else None,
            console=job_page(project.aws_conn_id, one.labeling_jobs[-1]) if one.state != "planned" else None,
        )
        for one in jobs
    )
    return shown, live.problem if live else ""


def row_of(project: Project, key: str, session: Session, rights: Rights) -> Row | None:
    """The round as the list of all rounds has it: state, run, cost, version; None where there is none."""
    listed = visible_list(list_project(project, session, only=key), rights)
    shown, _ = with_counters([listed], listed.rows)
    return shown[0] if shown else None


@dataclass(frozen=True, kw_only=True)
class Legend:
    """Who drew and what occurs on the images of a page: what its boxes are switched on and off by."""

    workers: tuple[str, ...]  # pseudonyms, sorted
    categories: tuple[str, ...]

    def color(self, worker: str) -> int:
        """Which of the colors a worker has on all images of the page, from 1."""
        return self.workers.index(worker) % COLORS + 1

    def place(self, category: str) -> int:
        """The 0-based place of a category."""
        return self.categories.index(category)


def legend_of(images: Sequence[ShownImage]) -> Legend:
    """The legend of a page with these images."""
    drawn = {box.category for image in images for answer in image.workers for box in answer.boxes}
    fused = {box.category for image in images for box in image.fused}
    return Legend(
        workers=tuple(sorted({answer.worker for image in images for answer in image.workers})),
        categories=tuple(sorted(drawn | fused)),
    )


@dataclass(frozen=True, kw_only=True)
class ShownCheck:
    """A failed check with the first of its images, number and name; ``found``: how many can be shown."""

    check: FailedCheck
    images: tuple[tuple[int, str], ...]
    found: int


def shown_checks(opened: OpenedRound) -> tuple[ShownCheck, ...]:
    """The failed checks of a round, the most severe first."""
    verdict = opened.files.verdict
    return tuple(_shown_check(opened, check) for check in (verdict.failed if verdict else ()))


def failed_checks_of(opened: OpenedRound, number: int) -> list[FailedCheck]:
    """The checks that an image failed, the most severe first."""
    verdict, ref = opened.files.verdict, opened.images.source_ref(number)
    return [one for one in (verdict.failed if verdict else ()) if ref in _refs_of(opened, one)]


def _shown_check(opened: OpenedRound, check: FailedCheck) -> ShownCheck:
    refs = _refs_of(opened, check)
    numbered = zip(opened.images.numbers_of(list(refs)), refs, strict=True)
    images = [(number, ref) for number, ref in numbered if number is not None]
    named = tuple((number, ref.rpartition("/")[2]) for number, ref in images[:NAMED])
    return ShownCheck(check=check, images=named, found=len(images))


def _refs_of(opened: OpenedRound, check: FailedCheck) -> Sequence[str]:
    return images_of(opened.connection.cache, opened.files, check)


def filter_choices(opened: OpenedRound) -> dict[str, Sequence[Any]]:
    """What the images can be filtered by: what occurs in this round."""
    counts = opened.images.counts()
    files = opened.files
    written = {name for job in files.jobs for name in job.categories}
    report = files.report
    return {
        "statuses": [(status, counts[status]) for status in ALL_STATUSES if status in counts],
        "categories": sorted({opened.names.category(name) for name in written}),
        "workers": [one.worker for one in report.workers] if report and opened.names.key else [],
        "checks": [check.check for check in files.verdict.failed if check.images] if files.verdict else [],
    }
