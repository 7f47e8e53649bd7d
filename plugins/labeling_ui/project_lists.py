"""The rounds of every project that a user may read, and what is wrong with some of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from labeling_ui import dag_runs, deployment
from labeling_ui.access import import_dag, round_dag
from labeling_ui.live_jobs import live_jobs, workers_portal
from labeling_ui.problems import problem_of
from labeling_ui.round_list import Row, make_row, with_live
from roundtruth.overviews.project_rounds import ProjectRounds
from roundtruth.project import Project

log = logging.getLogger(__name__)
_rounds: dict[str, tuple[object, ProjectRounds]] = {}
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class ProjectList:
    """A project with its rounds; ``problem`` says why there are none to see."""

    project: Project
    rows: tuple[Row, ...] = ()
    problem: str = ""
    is_complete: bool = True  # False: the folders of rounds are being listed, some may be missing yet
    latest: str = ""  # the newest version that holds a round
    portal: str | None = None
    planned: Mapping[str, int] = field(default_factory=dict)  # images of each job that runs

    @property
    def running(self) -> int:
        """Rounds that run."""
        return sum(1 for row in self.rows if row.group == "running")


def list_project(project: Project, session: Session) -> ProjectList:
    """The rounds of a project; what keeps them from being read becomes its ``problem``."""
    try:
        connected = deployment.connected(project)
        dags = (import_dag(project.project), round_dag(project.project))
        runs = dag_runs.newest_runs(session, dags)
        reader = _reader(project, connected)
        listed = reader.read(
            active={key: run for key, run in runs.items() if run.is_active},
            signs={key: (run.run_id, run.state, run.ended) for key, run in runs.items()},
            failed={key for key, run in runs.items() if run.state == "failed"},
        )
    except Exception as error:
        status, sentence = problem_of(error)
        log.warning("Rounds of %s: %s", project.project, sentence, exc_info=status == 500 and error)
        return ProjectList(project=project, problem=sentence)
    rows = tuple(make_row(project, one, runs.get(one.key)) for one in listed)
    return ProjectList(
        project=project,
        rows=rows,
        is_complete=reader.is_complete,
        latest=max((row.version for row in rows), key=lambda name: (len(name), name), default=""),
        planned={job.name: job.images + len(job.gold) for one in listed if one.open for job in one.open.jobs},
        portal=workers_portal(project.aws_conn_id, project.labeling.workteam_arn),
    )


def with_counters(lists: Collection[ProjectList], rows: Collection[Row]) -> tuple[tuple[Row, ...], set[str]]:
    """The rows that a page shows with what Ground Truth says of their running jobs, and what it refused."""
    by_name = {one.project.project: one for one in lists}
    problems: set[str] = set()
    shown: dict[tuple[str, str], Row] = {}
    for name, one in by_name.items():
        mine = [row for row in rows if row.project == name and row.live]
        wanted = [job for row in mine for job in row.live]
        if not wanted:
            continue
        live = live_jobs(one.project.aws_conn_id, wanted)
        problems |= {live.problem} - {""}
        shown |= {(name, row.key): with_live(row, live.jobs, one.planned) for row in mine}
    return tuple(shown.get((row.project, row.key), row) for row in rows), problems


def _reader(project: Project, connected: deployment.Connected) -> ProjectRounds:
    """One a project; another connection or another place makes it anew."""
    sign = (project.root, project.dataset.name, id(connected.cache))
    with _lock:
        kept = _rounds.get(project.project)
        if kept is None or kept[0] != sign:
            kept = _rounds[project.project] = (sign, ProjectRounds(connected.cache, project))
        return kept[1]


def forget() -> None:
    """Read everything anew at the next request."""
    with _lock:
        _rounds.clear()
