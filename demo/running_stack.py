"""Which processes a stack runs, written down in its state folder: `make down` stops these and no others."""

from __future__ import annotations

import json
from pathlib import Path

import psutil


def remember(state: Path, pids: list[int]) -> None:
    """Write down processes with the time they were created: a process id alone may be used again."""
    content = [{"pid": pid, "created": _created(pid)} for pid in pids]
    _file(state).write_text(json.dumps([entry for entry in content if entry["created"] is not None]))


def read_running(state: Path) -> list[int]:
    """The process groups of a state folder that still run."""
    if not _file(state).exists():
        return []
    content = json.loads(_file(state).read_text() or "[]")
    return [entry["pid"] for entry in content if _is_ours(entry)]


def forget(state: Path) -> None:
    """Remove what was written down."""
    _file(state).unlink(missing_ok=True)


def _is_ours(entry: dict[str, float]) -> bool:
    created = _created(int(entry["pid"]))
    return created is not None and abs(created - entry["created"]) < 1


def _created(pid: int) -> float | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _file(state: Path) -> Path:
    return state / "running.json"
