"""Brings faults of machines about: processes that die at work, a disk that is full."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psutil

from benchmarks.fault_injections import Injections, wait_for
from benchmarks.fault_kinds import (
    FULL_DISK,
    KILLED_ALONE,
    KILLED_SCHEDULER,
    KILLED_TRIGGERER,
    KILLED_WORKER,
    MID_PUBLISH,
    PUBLISHED_FILES,
    RESTARTED_SANDBOX,
)
from demo.celery_stack import WORKERS, CeleryStack
from roundtruth.project import Project

FULL_DISK_SECONDS = 8.0
PUBLISHING_SECONDS = 8.0  # that a write takes while the release is killed
PATIENCE = 8.0  # seconds to wait for something to strike


@dataclass
class Machines:
    """The stack's processes; each strike tells whether it met a process at work."""

    stack: CeleryStack
    injections: Injections
    revived: Counter[str] = field(default_factory=Counter)

    def kill_worker(self, projects: Sequence[Project], *, with_tasks: bool = True) -> bool:
        """End a worker that runs a task: with it, as when its machine loses power, or without."""
        if not wait_for(lambda: bool(self._busy()), PATIENCE):
            return False
        name = self.injections.chance.choice(self._busy() or list(WORKERS))
        tasks = self.stack.running_tasks(name)
        if tasks:
            self._kill(name, KILLED_WORKER if with_tasks else KILLED_ALONE, with_tasks=with_tasks)
        return bool(tasks)

    def kill_triggerer(self, projects: Sequence[Project]) -> bool:
        """End the process that waits for people and jobs, while a task waits in it."""
        if not wait_for(lambda: self._is_any(projects, "deferred"), PATIENCE, pause=0.5):
            return False
        self._kill("triggerer", KILLED_TRIGGERER)
        return True

    def kill_scheduler(self, projects: Sequence[Project]) -> bool:
        """End the scheduler while a run is under way."""
        if not any(self.injections.rounds.unfinished(project) for project in projects):
            return False
        self._kill("scheduler", KILLED_SCHEDULER)
        return True

    def restart_sandbox(self, projects: Sequence[Project]) -> bool:
        """End S3 and Ground Truth while a job or a task is at work, and start them over their state."""

        def is_used() -> bool:
            return bool(self._busy()) or any(
                job["status"] == "InProgress" for job in self.injections.created()
            )

        if not wait_for(is_used, PATIENCE):
            return False
        self.injections.harvest()
        self.injections.count_job_faults()
        self._kill("sandbox", RESTARTED_SANDBOX)
        self.stack.wait_for("sandbox", f"{self.stack.sandbox_url}/_sandbox/health")
        self.injections.restore()
        return True

    def fill_disk(self, projects: Sequence[Project]) -> bool:
        """Let one worker write no byte to any file for some seconds: EFBIG where a full disk gives ENOSPC.

        It has struck when the worker ran a task meanwhile: the first thing a task does is to open its log.
        """
        if not wait_for(lambda: bool(self._busy()), PATIENCE):
            return False
        worker = self.injections.chance.choice(self._busy() or list(WORKERS))
        self.injections.say(f"{FULL_DISK} ({worker})")
        pid = self.stack.processes[worker].pid
        limited = _limit_files(pid, 0)
        met = wait_for(lambda: self.stack.running_tasks(worker) > 0, FULL_DISK_SECONDS)
        time.sleep(FULL_DISK_SECONDS / 2)
        for process in limited:
            _limit(process, psutil.RLIM_INFINITY)
        _limit_files(pid, psutil.RLIM_INFINITY)  # what was started meanwhile has the limit too
        if met:
            self.injections.strikes.count(FULL_DISK)
        return met

    def slow_publishing(self, project: Project) -> Callable[[], bool]:
        """Let one write of the project's next version take seconds.

        :returns: what kills the workers once that write is under way, and tells whether it has.
        """
        file = self.injections.chance.choice(PUBLISHED_FILES)
        method = "COPY" if file.startswith("images") else "PUT"
        call = f"{method} */{project.project}/datasets/*/versions/*/{file}"
        is_under_way = self.injections.slow_call(call, PUBLISHING_SECONDS)

        def kill() -> bool:
            if not is_under_way():
                return False
            publishing = self.injections.rounds.is_running(project, "publish_version")
            names = self._busy()
            self.injections.say(f"{MID_PUBLISH} ({', '.join(names)}), at {file}")
            for name in names:
                self.stack.kill_process(name)
            if publishing and names:
                self.injections.strikes.count(MID_PUBLISH)
            for name in names:
                self.stack.start_process(name)
            return True

        return kill

    def revive(self) -> None:
        """Start again what died by itself, as docker-compose.yaml does (`restart: unless-stopped`)."""
        for name, process in list(self.stack.processes.items()):
            if process.poll() is not None:
                self.injections.say(f"{name} ended by itself with exit code {process.returncode}")
                self.revived[name] += 1
                self.stack.kill_process(name)
                self.stack.start_process(name)

    def _busy(self) -> list[str]:
        return [name for name in WORKERS if self.stack.running_tasks(name)]

    def _is_any(self, projects: Sequence[Project], state: str) -> bool:
        return any(self.injections.rounds.has_task(project, state) for project in projects)

    def _kill(self, name: str, kind: str, *, with_tasks: bool = True) -> None:
        self.injections.say(f"{kind} ({name})")
        self.stack.kill_process(name, with_tasks=with_tasks)
        self.injections.strikes.count(kind)
        time.sleep(self.injections.chance.uniform(0.5, 2))
        self.stack.start_process(name)


def _limit_files(pid: int, size: int) -> list[psutil.Process]:
    worker = psutil.Process(pid)
    processes = [worker, *worker.children(recursive=True)]
    for process in processes:
        _limit(process, size)
    return processes


def _limit(process: psutil.Process, size: int) -> None:
    try:
        process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return
