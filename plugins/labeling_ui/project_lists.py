"""The rounds of every project that a user may read, and what is wrong with some of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from labeling_ui import dag_runs, deployment
from labeling_ui.access import import_dag, round_dag
from labeling_ui.dag_runs import Run
from labeling_ui.live_jobs import live_jobs, workers_portal
from labeling_ui.problems import problem_of
from labeling_ui.round_list import Row, make_row, with_live
from roundtruth.overviews.project_rounds import ProjectRounds
from roundtruth.project import Project

log = logging.getLogger(__name__)
_rounds: dict[str, tuple[object, ProjectRounds]] = {}
_lock = threading.Lock()
# Each asks for one project at a time; those that wait for a silent S3 end by deployment.PAGE_LIMITS.
_threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="projects")
MOST_SECONDS = 12.0  # for all projects together: as long as one silent S3 takes


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


def list_projects(projects: Sequence[Project], session: Session) -> list[ProjectList]:
    """The rounds of several projects, asked for side by side: who is silent keeps the others from nobody.

    What keeps some from being read, or from being read in time, becomes the ``problem`` of its project.
    """
    if len(projects) <= 1:
        return [list_project(one, session) for one in projects]
    runs = [_runs_of(one, session) for one in projects]  # a session is used by one thread alone
    wait([_threads.submit(deployment.connected, one) for one in projects])  # boto3's clients: CPU, not S3
    asked = [_threads.submit(_list, one, mine, None) for one, mine in zip(projects, runs, strict=True)]
    wait(asked, timeout=MOST_SECONDS)
    return [
        future.result() if future.done() else _too_late(one)
        for one, future in zip(projects, asked, strict=True)
    ]


def list_project(project: Project, session: Session, *, only: str | None = None) -> ProjectList:
    """The rounds of a project; what keeps them from being read becomes its ``problem``.

    :param only: the one round whose row is wanted.
    """
    return _list(project, _runs_of(project, session), only)


def _runs_of(project: Project, session: Session) -> Mapping[str, Run]:
    dags = (import_dag(project.project), round_dag(project.project))
    return dag_runs.newest_runs(session, dags)


def _list(project: Project, runs: Mapping[str, Run], only: str | None) -> ProjectList:
    try:
        reader = _reader(project, deployment.connected(project))
        listed = reader.read(
            active={key: run for key, run in runs.items() if run.is_active},
            signs={key: (run.run_id, run.state, run.ended) for key, run in runs.items()},
            failed={key for key, run in runs.items() if run.state == "failed"},
            at_once=() if only is None else (only,),
        )
    except Exception as error:
        status, sentence = problem_of(error)
        log.warning("Rounds of %s: %s", project.project, sentence, exc_info=status == 500 and error)
        return ProjectList(project=project, problem=sentence)
    wanted = (one for one in listed if only in (None, one.key))
    rows = tuple(make_row(project, one, runs.get(one.key)) for one in wanted)
    return ProjectList(
        project=project,
        rows=rows,
        is_complete=reader.is_complete,
        latest=max((row.version for row in rows), key=lambda name: (len(name), name), default=""),
        planned={job.name: job.images + len(job.gold) for one in listed if one.open for job in one.open.jobs},
        portal=workers_portal(project.aws_conn_id, project.labeling.workteam_arn),
    )


def _too_late(project: Project) -> ProjectList:
    sentence = (
        f"S3 has not told of them for {MOST_SECONDS:.0f} seconds; see whether {project.root} can be reached "
        f"from Airflow's API server through connection {project.aws_conn_id!r}, and reload the page."
    )
    log.warning("Rounds of %s: %s", project.project, sentence)
    return ProjectList(project=project, problem=sentence)


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
