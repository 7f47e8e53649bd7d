"""What Airflow's database knows of rounds: the newest run of each, and releases that wait for a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow.api_fastapi.app import API_ROOT_PATH
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from labeling_ui.access import release_dag

# The task of dags/dataset_releases.py that asks, see labeling/approval.py.
APPROVAL_TASK = "approve_version"
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True, kw_only=True)
class Run:
    """A Dag run of a round."""

    dag_id: str
    run_id: str
    state: str  # queued, running, success, failed
    started: datetime | None
    ended: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state in {"queued", "running"}

    @property
    def page(self) -> str:
        """Where Airflow shows it."""
        return f"{API_ROOT_PATH.rstrip('/')}/dags/{quote(self.dag_id)}/runs/{quote(self.run_id, safe='')}"


@dataclass(frozen=True, kw_only=True)
class WaitingApproval:
    """A release that waits for a person; ``round`` is the one whose recording started it."""

    run_id: str
    round: str | None
    subject: str
    body: str  # Markdown
    since: datetime
    page: str  # where Airflow takes the answer


def newest_runs(session: Session, dag_ids: Collection[str]) -> Mapping[str, Run]:
    """The newest run of each round, by the round's key; the database picks it, of however many runs."""
    key = func.coalesce(func.nullif(DagRun.partition_key, ""), DagRun.conf["round"].as_string())
    # In a query of its own: PostgreSQL takes the same expression with other parameters for another one.
    keyed = select(DagRun.id, key.label("key")).where(DagRun.dag_id.in_(dag_ids)).subquery()
    newest = (
        select(keyed.c.key, func.max(keyed.c.id).label("id"))
        .where(keyed.c.key != "")
        .group_by(keyed.c.key)
        .subquery()
    )
    columns = (DagRun.dag_id, DagRun.run_id, DagRun._state, DagRun.start_date, DagRun.end_date)
    found = session.execute(select(newest.c.key, *columns).join(newest, DagRun.id == newest.c.id))
    return {
        str(key): Run(dag_id=dag_id, run_id=run_id, state=str(state), started=started, ended=ended)
        for key, dag_id, run_id, state, started, ended in found
    }


def round_of_run(session: Session, dag_id: str, run_id: str) -> str | None:
    """The key of a run's round; None where there is no such run or it has none."""
    where = (DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    found = session.execute(select(DagRun.partition_key, DagRun.conf).where(*where)).first()
    return _round_of(*found) if found else None


def waiting_approvals(session: Session, project: str) -> tuple[WaitingApproval, ...]:
    """The project's releases that wait for a person, the newest first."""
    dag_id = release_dag(project)
    found = session.execute(
        select(HITLDetail, DagRun.partition_key, DagRun.conf, TaskInstance.run_id)
        .join(TaskInstance, TaskInstance.id == HITLDetail.ti_id)
        .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
        .where(
            TaskInstance.dag_id == dag_id,
            TaskInstance.task_id == APPROVAL_TASK,
            HITLDetail.responded_at.is_(None),
            TaskInstance.state.not_in(ENDED),
        )
        .order_by(HITLDetail.created_at.desc())
    )
    root = API_ROOT_PATH.rstrip("/")
    return tuple(
        WaitingApproval(
            run_id=run_id,
            round=_round_of(partition_key, conf),
            subject=detail.subject,
            body=detail.body or "",
            since=detail.created_at,
            page=f"{root}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"
            f"/tasks/{APPROVAL_TASK}/required_actions",
        )
        for detail, partition_key, conf, run_id in found
    )


def _round_of(partition_key: str | None, conf: Mapping[str, Any] | None) -> str | None:
    """As labeling/rounds.py: the partition, or the `round` parameter of a run that was started by hand."""
    return partition_key or (conf or {}).get("round") or None
