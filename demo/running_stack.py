"""Which processes `make up` left running, so that `make down` stops these and no others."""

from __future__ import annotations

import json
from pathlib import Path

import psutil

from demo.stack import Stack


def remember(state: Path, stack: Stack) -> None:
    """Write down the processes with the time they were created: a process id alone may be reused."""
    content = [
        {"pid": process.pid, "created": psutil.Process(process.pid).create_time()}
        for process in stack.processes.values()
    ]
    _file(state).write_text(json.dumps(content))


def read_running(state: Path) -> list[int]:
    """The process groups of ours that still run."""
    if not _file(state).exists():
        return []
    return [entry["pid"] for entry in json.loads(_file(state).read_text()) if _is_ours(entry)]


def forget(state: Path) -> None:
    """Remove what was written down."""
    _file(state).unlink(missing_ok=True)


def _is_ours(entry: dict[str, float]) -> bool:
    try:
        return bool(abs(psutil.Process(int(entry["pid"])).create_time() - entry["created"]) < 1)
    except psutil.NoSuchProcess:
        return False


def _file(state: Path) -> Path:
    return state / "running.json"
