"""Process groups and ports of this machine: end a group with all it started, find a free port."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import psutil

STOP_SECONDS = 10.0


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def stop_groups(group_ids: list[int]) -> None:
    """End process groups and all that they started: ask first, kill what is left after some seconds."""
    groups = _groups_of_trees(group_ids)
    for group in group_ids:
        _signal(group, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline and any(_is_alive(group) for group in group_ids):
        time.sleep(0.1)
    for group in groups:
        _signal(group, signal.SIGKILL)


def kill_trees(group_ids: list[int]) -> None:
    """End process groups and all that they started, at once and without asking."""
    for group in _groups_of_trees(group_ids):
        _signal(group, signal.SIGKILL)


def working_in(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder or below it: each process of a stack does, and what it starts."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _groups_of_trees(group_ids: list[int]) -> list[int]:
    # A task's process has a group of its own, and is nobody's child once the scheduler is gone.
    found = {*group_ids, *(_group(child) for leader in group_ids for child in _descendants(leader))}
    return [group for group in found if group is not None]


def _descendants(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _is_alive(group: int) -> bool:
    """Whether a process of the group runs; a zombie that waits for its parent does not."""
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
        except ProcessLookupError:
            continue
    return False


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
