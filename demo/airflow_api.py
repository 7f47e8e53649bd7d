"""Airflow's REST API, as far as the demo and the end-to-end tests need it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

PAGE = 100
LOOKS = 4  # at an answer that does not come in a minute
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """One task instance of a run; ``map_index`` is -1 for a task that is not mapped."""

    task_id: str
    map_index: int
    state: str | None
    try_number: int

    @property
    def name(self) -> str:
        """The task as the web UI shows it."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"


class AirflowRefusedError(Exception):
    """Airflow did not start a run; the message is its answer."""


class AirflowApi:
    """A client that logs in as the stack's admin."""

    def __init__(self, url: str, airflow_home: Path) -> None:
        self.url = url
        self._passwords = airflow_home / "passwords.json"
        self._client = httpx.Client(base_url=f"{url}/api/v2", timeout=60)

    def log_in(self) -> None:
        """Take a token for the admin user, whose password Airflow made at its first start."""
        answer = httpx.post(
            f"{self.url}/auth/token", json={"username": "admin", "password": self.password()}, timeout=30
        )
        answer.raise_for_status()
        self._client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def password(self) -> str:
        """The password that Airflow made for the admin user at its first start."""
        return str(json.loads(self._passwords.read_text())["admin"])

    def wait_for_dags(self, dag_ids: set[str], seconds: float = 120) -> None:
        """Wait until the Dag processor has parsed these Dags.

        :raises TimeoutError: naming what is missing, with the import errors.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = {dag["dag_id"] for dag in self._all("/dags", "dags")}
            if dag_ids <= found:
                return
            time.sleep(1)
        errors = [error["stack_trace"] for error in self._get("/importErrors")["import_errors"]]
        raise TimeoutError(f"Airflow has no Dag {', '.join(sorted(dag_ids - found))}.\n" + "\n".join(errors))

    def reparse(self) -> None:
        """Ask the Dag processor to parse every Dag file now: it looks at a new project only now and then."""
        tokens = {dag["fileloc"]: dag["file_token"] for dag in self._all("/dags", "dags")}
        for token in tokens.values():
            self._client.put(f"/parseDagFile/{token}").raise_for_status()

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a Dag."""
        self._client.patch(f"/dags/{dag_id}", json={"is_paused": paused}).raise_for_status()

    def trigger(
        self, dag_id: str, *, partition_key: str | None = None, conf: dict[str, Any] | None = None
    ) -> str:
        """Start a run; returns its id."""
        body = {"logical_date": None, "conf": conf or {}}
        if partition_key is not None:
            body["partition_key"] = partition_key
        answer = self._client.post(f"/dags/{dag_id}/dagRuns", json=body)
        if answer.is_error:
            raise AirflowRefusedError(f"Airflow refused to start {dag_id}: {answer.text}")
        return str(answer.json()["dag_run_id"])

    def clear(self, dag_id: str, run_id: str, tasks: list[TaskState]) -> None:
        """Clear tasks as the web UI does by default: these, and what waits for them downstream."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [
                task.task_id if task.map_index < 0 else [task.task_id, task.map_index] for task in tasks
            ],
            "include_downstream": True,
            "only_failed": False,
        }
        self._client.post(f"/dags/{dag_id}/clearTaskInstances", json=body).raise_for_status()

    def close_backfills(self, dag_id: str) -> None:
        """End the backfills of a Dag whose runs are over; Airflow itself looks for these every 30 s only.

        A Dag takes one backfill at a time. What was still queued would be failed.
        """
        for backfill in self._get("/backfills", dag_id=dag_id)["backfills"]:
            if backfill["completed_at"] is None:
                answer = self._client.put(f"/backfills/{backfill['id']}/cancel")
                if answer.status_code != httpx.codes.CONFLICT:  # Airflow has just noticed
                    answer.raise_for_status()

    def add_pool(self, name: str, slots: int) -> None:
        """Make a pool whose slots are held also by tasks that wait in the triggerer."""
        body = {"name": name, "slots": slots, "include_deferred": True}
        self._client.post("/pools", json=body).raise_for_status()

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any] | None:
        """What a task asks a person, with its options; None before it asks."""
        answer = self._client.get(_hitl_path(dag_id, run_id, task_id))
        return dict(answer.json()) if answer.is_success else None

    def answer(
        self, dag_id: str, run_id: str, task_id: str, option: str, params: dict[str, Any] | None = None
    ) -> None:
        """Answer it, as the web UI does."""
        body = {"chosen_options": [option], "params_input": params or {}}
        self._client.patch(_hitl_path(dag_id, run_id, task_id), json=body).raise_for_status()

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """All runs of a Dag, oldest first."""
        return self._all(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="id")

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run: queued, running, success or failed."""
        return str(self._get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """The task instances of a run."""
        found = self._all(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances")
        return [
            TaskState(
                task_id=one["task_id"],
                map_index=one["map_index"],
                state=one["state"],
                try_number=one["try_number"],
            )
            for one in found
        ]

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned, or None."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        answer = self._client.get(path, params={"deserialize": "true"})
        return answer.json()["value"] if answer.is_success else None

    def xcoms(self, dag_id: str, run_id: str) -> list[Any]:
        """What all tasks of a run have handed to others."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found = self._all(f"{path}/~/xcomEntries", "xcom_entries")
        values = []
        for entry in found:
            address = f"{path}/{entry['task_id']}/xcomEntries/{entry['key']}"
            answer = self._get(address, map_index=entry["map_index"], deserialize=True)
            values.append(answer["value"])
        return values

    def log_tail(self, dag_id: str, run_id: str, task: TaskState, lines: int = 25) -> str:
        """The last lines of a task's log."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{max(task.try_number, 1)}"
        answer = self._client.get(
            path, params={"map_index": task.map_index}, headers={"Accept": "application/json"}
        )
        if answer.is_error:
            return f"(no log: {answer.status_code})"
        entries = answer.json()["content"]
        return "\n".join(_readable(entry) for entry in entries[-lines:])

    def _all(self, path: str, name: str, **params: Any) -> list[dict[str, Any]]:
        """All entries of a list; Airflow keeps its pages to ``[api] maximum_page_limit``, by default 100."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._get(path, limit=PAGE, offset=len(found), **params)
            found += page[name]
            if not page[name] or len(found) >= page["total_entries"]:
                return found

    def _get(self, path: str, **params: Any) -> dict[str, Any]:
        for looks_left in reversed(range(LOOKS)):
            try:
                answer = self._client.get(path, params=params)
            except httpx.TransportError:
                # A busy machine: a look may be taken again.
                if not looks_left:
                    raise
                continue
            break
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content


def _hitl_path(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"


def _readable(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    text = str(entry.get("event", entry))
    for error in entry.get("error_detail") or []:
        text += f"\n  {error.get('exc_type')}: {error.get('exc_value')}"
    return text
