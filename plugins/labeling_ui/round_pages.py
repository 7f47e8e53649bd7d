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
from roundtruth.overviews.round_images import ALL_STATUSES
from roundtruth.overviews.round_progress import JobProgress, job_progress
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


def shown_jobs(opened: OpenedRound) -> tuple[tuple[ShownJob, ...], str]:
    """All jobs of a round, and why some counters are missing."""
    project = opened.project
    jobs = job_progress(opened.connection.cache, opened.files)
    waiting = [one.name for one in jobs if one.state == "waiting"]
    live = live_jobs(project.aws_conn_id, waiting) if waiting else None
    shown = tuple(
        ShownJob(
            progress=one,
            live=live.jobs.get(one.name) if live else None,
            console=job_page(project.aws_conn_id, one.labeling_jobs[-1])
            if opened.connection.is_aws and one.state != "planned"
            else None,
        )
        for one in jobs
    )
    return shown, live.problem if live else ""


def row_of(project: Project, key: str, session: Session, rights: Rights) -> Row | None:
    """The round as the list of all rounds has it: state, run, cost, version; None where there is none."""
    listed = visible_list(list_project(project, session), rights)
    rows = tuple(row for row in listed.rows if row.key == key)
    shown, _ = with_counters([listed], rows)
    return shown[0] if shown else None


@dataclass(frozen=True, kw_only=True)
class ShownCheck:
    """A failed check with its images, of which the verdict names the first hundred: number and name."""

    check: FailedCheck
    images: tuple[tuple[int, str], ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers alone."""
        return tuple(number for number, _ in self.images)


def shown_checks(opened: OpenedRound) -> tuple[ShownCheck, ...]:
    """The failed checks of a round, the most severe first."""
    verdict = opened.files.verdict
    found = []
    for check in verdict.failed if verdict else ():
        numbers = opened.images.numbers_of(list(check.images))
        named = zip(numbers, (ref.rpartition("/")[2] for ref in check.images), strict=True)
        images = tuple((number, name) for number, name in named if number is not None)
        found.append(ShownCheck(check=check, images=images))
    return tuple(found)


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
