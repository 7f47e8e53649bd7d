"""The rows of the list of rounds: what S3, Airflow's runs and Ground Truth say of each, sorted and paged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from labeling_ui.dag_runs import Run
from labeling_ui.live_jobs import LiveJob
from roundtruth.overviews.open_rounds import OpenRound
from roundtruth.overviews.paging import page_span
from roundtruth.overviews.project_rounds import ListedRound
from roundtruth.overviews.round_summaries import RoundSummary
from roundtruth.project import Project
from roundtruth.rounds.names import round_order

Group = Literal["running", "recorded", "failed", "planned", "empty", "broken"]
GROUPS: Mapping[Group, str] = {
    "running": "Running",
    "recorded": "Recorded",
    "failed": "Failed",
    "planned": "Planned, nothing runs",
    "empty": "Nothing to label",
    "broken": "Cannot be read",
}
PAGE_SIZES = (25, 50, 100, 200)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A round as the list shows it; None where nothing is known yet."""

    project: str
    key: str
    group: Group
    state: str
    images: int | None = None
    labeled: int | None = None  # images; of a running round with several jobs over each image: objects
    of: int | None = None  # what `labeled` counts of
    unit: str = "image"
    agreement: float | None = None  # 0–1
    disputed: int | None = None
    quality: str = ""
    quality_kind: str = ""
    quality_rank: int | None = None  # the lower, the worse
    cost_usd: float | None = None
    cost_is_estimate: bool = False
    budget_usd: float | None = None
    version: str = ""
    run: Run | None = None
    jobs: tuple[str, ...] = ()
    live: tuple[str, ...] = ()  # names of jobs to ask Ground Truth for
    is_recorded: bool = False
    problem: str = ""  # which of its files cannot be read, and why
    again: frozenset[str] = frozenset()  # those of `live` that label disputed images once more
    labeling_usd: float = 0.0  # of all first jobs
    pass_usd: float = 0.0  # of a relabel pass over all images

    @property
    def badge(self) -> str:
        """The class of the state's badge."""
        kinds: Mapping[Group, str] = {
            "running": "info",
            "recorded": "success",
            "failed": "error",
            "broken": "error",
        }
        return kinds.get(self.group, "")

    @property
    def progress(self) -> float | None:
        """The share of what is labeled, 0–1."""
        return self.labeled / self.of if self.of and self.labeled is not None else None


def make_row(project: Project, listed: ListedRound, run: Run | None) -> Row:
    """A round without what only Ground Truth knows."""
    done, open_ = listed.recorded, listed.open
    group, state = _state(listed, run)
    known: dict[str, Any] = {}
    if open_ is not None and open_.is_planned:
        known |= {"jobs": tuple(job.name for job in open_.jobs), "live": _live(open_)}
    if open_ is not None and done is None and open_.is_planned:
        known |= {
            "images": open_.images,
            "again": frozenset(job.name for job in open_.jobs if job.relabel_pass),
            "labeling_usd": open_.labeling_usd,
            "pass_usd": (open_.most_usd - open_.labeling_usd) / max(1, project.consensus.relabel_passes),
        }
    if done is not None:
        known = _recorded(done) | known
    if group != "running":
        known["live"] = ()
    return Row(
        project=project.project,
        key=listed.key,
        group=group,
        state=state,
        budget_usd=project.budget_usd,
        run=run,
        is_recorded=done is not None,
        problem=listed.problem,
        **known,
    )


def _recorded(done: RoundSummary) -> dict[str, Any]:
    quality, kind = _quality(done.passed, done.warnings)
    return {
        "images": done.images,
        "labeled": done.labeled,
        "of": done.images,
        "agreement": done.agreement,
        "disputed": done.disputed,
        "quality": quality,
        "quality_kind": kind,
        "quality_rank": None if done.passed is None else -done.warnings if done.passed else -1_000_000,
        "cost_usd": done.spent_usd,
        "version": done.version,
        "jobs": done.jobs,
    }


def with_live(row: Row, jobs: Mapping[str, LiveJob], planned: Mapping[str, int]) -> Row:
    """A running round with the counters of its jobs.

    :param planned: images of each job by its plan: Ground Truth counts only once it has read the manifest.
    """
    found = [jobs[name] for name in row.live if name in jobs]
    if not found:
        return row
    totals = {name: max(planned.get(name, 0), jobs[name].total if name in jobs else 0) for name in row.live}
    done = {name: jobs[name].labeled if name in jobs else 0 for name in row.live}
    total, labeled = sum(totals.values()), sum(done.values())
    over = len(found) == len(row.live) and not any(one.is_running for one in found)
    return replace(
        row,
        state="Consensus and checks" if over else row.state,
        labeled=labeled,
        of=total,
        unit="image" if total == row.images else "object",
        jobs=tuple(one.name for one in found),
        cost_usd=row.cost_usd if row.is_recorded else _cost_so_far(row, totals, done),
        cost_is_estimate=not row.is_recorded,
    )


def _cost_so_far(row: Row, totals: Mapping[str, int], done: Mapping[str, int]) -> float:
    """By the share that is labeled of the plan's price; a relabel pass is priced as if all were disputed."""
    first = [name for name in row.live if name not in row.again]
    objects = sum(totals[name] for name in first) or 1
    labeled = min(1.0, sum(done[name] for name in first) / objects)
    again = sum(done[name] for name in row.again if name in done) / objects
    return row.labeling_usd * labeled + row.pass_usd * again


def _live(open_: OpenRound) -> tuple[str, ...]:
    """The jobs that people may be at; those of an import were over before."""
    return tuple(job.name for job in open_.jobs if job.imported is None)


SORTS: Mapping[str, Callable[[Row], Any]] = {
    "round": lambda row: round_order(row.key),
    "project": lambda row: row.project,
    "state": lambda row: list(GROUPS).index(row.group),
    "images": lambda row: row.images,
    "labeled": lambda row: row.progress,
    "agreement": lambda row: row.agreement,
    "disputed": lambda row: row.disputed,
    "quality": lambda row: row.quality_rank,
    "cost": lambda row: row.cost_usd,
    "version": lambda row: (len(row.version), row.version) if row.version else None,
}


def sort_rows(rows: Iterable[Row], by: str, *, descending: bool) -> list[Row]:
    """Sort by a column; rows that know nothing of it stand last, and equal ones newest round first."""
    newest = sorted(rows, key=lambda row: (round_order(row.key), row.project), reverse=True)
    value = SORTS[by]
    known = sorted((row for row in newest if value(row) is not None), key=value, reverse=descending)
    return known + [row for row in newest if value(row) is None]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of the rows; ``number`` is 1-based."""

    rows: tuple[Row, ...]
    number: int
    pages: int
    total: int
    first: int  # 1-based place of its first row


def page_of(rows: Sequence[Row], number: int, size: int) -> Page:
    """The page of this number, or the last one where there are fewer."""
    span = page_span(number, size=size, total=len(rows))
    return Page(
        rows=tuple(rows[span.part]),
        number=span.page,
        pages=span.pages,
        total=len(rows),
        first=span.start + 1 if rows else 0,
    )


def _state(listed: ListedRound, run: Run | None) -> tuple[Group, str]:
    if listed.problem:
        return "broken", GROUPS["broken"]
    active = run is not None and run.is_active
    planned = listed.open is not None and listed.open.is_planned
    if listed.recorded is not None and listed.open is None:
        return "recorded", "Recorded"
    if active:
        again = listed.recorded is not None
        return "running", "Labeling again" if again else "Labeling" if planned else "Waiting for images"
    if run is not None and run.state == "failed":
        return "failed", "Failed"
    if listed.recorded is not None:
        return "recorded", "Recorded"
    return ("planned", GROUPS["planned"]) if planned else ("empty", GROUPS["empty"])


def _quality(passed: bool | None, warnings: int) -> tuple[str, str]:
    if passed is None:
        return "", ""
    if not passed:
        return "Blocked", "error"
    if warnings:
        return f"{warnings} {'warning' if warnings == 1 else 'warnings'}", "warning"
    return "Passed", "success"
