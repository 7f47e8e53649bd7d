"""A wave: rounds that overlap, and faults among others at any moment, until all rounds are released."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.fault_kinds import (
    CALL_FAULTS,
    DUPLICATE,
    FULL_DISK,
    JOB_FAULTS,
    KILLED_ALONE,
    KILLED_SCHEDULER,
    KILLED_TRIGGERER,
    KILLED_WORKER,
    OVERLAP,
    RESTARTED_SANDBOX,
)
from benchmarks.fault_processes import Machines
from demo.stack_client import StackClient
from roundtruth.project import Project

IMAGES_A_JOB = 3
JOBS_A_ROUND = 2
IMAGES_A_ROUND = IMAGES_A_JOB * JOBS_A_ROUND
TRIES = 4  # for a fault that finds nothing to strike


@dataclass
class Wave:
    """Some rounds of each project at the same time, and the faults that wait for their moment."""

    name: str
    projects: list[Project]
    machines: Machines
    waiting: deque[str]  # kinds
    rounds_each: int = 2
    pause: tuple[float, float] = (5.0, 20.0)  # seconds between two faults
    stalled_seconds: float = 8.0
    kill_publishing: bool = True
    _next: float = 0.0
    _release_at: float | None = None
    _tries: dict[str, int] = field(default_factory=dict)
    _killers: list[Callable[[], bool]] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        """Start the rounds, let faults strike, and wait until all is recorded and released.

        :raises NotFinishedError: when that takes too long.
        """
        injections = self.machines.injections
        rounds, chance = injections.rounds, injections.chance
        for project in self.projects:
            upload(rounds.client, project, self._keys(project))
            self._plan_job_faults(project)
        for place in range(self.rounds_each):
            for project in self.projects:
                keys = self._keys(project)
                if place < len(keys):
                    overlaps = place and rounds.running(project)
                    rounds.start(project, keys[place])
                    if overlaps:
                        injections.strikes.count(OVERLAP)
            time.sleep(chance.uniform(0, 3))
        if self.kill_publishing:
            self._killers = [self.machines.slow_publishing(project) for project in self.projects]
        self._next = time.monotonic() + chance.uniform(*self.pause)
        rounds.wait(self.projects, seconds, meanwhile=self._meanwhile)
        injections.take_back()

    def _keys(self, project: Project) -> list[str]:
        if project.images.partition == "last-modified":
            return [window_of_now()]  # one day is one round
        return [f"{self.name}-{number}" for number in range(1, self.rounds_each + 1)]

    def _plan_job_faults(self, project: Project) -> None:
        """Half of the jobs, each in another way: the rest shows that a fault stays with its job."""
        injections = self.machines.injections
        jobs = [
            f"{project.project}-{key}-{number}"
            for key in self._keys(project)
            for number in range(1, JOBS_A_ROUND + 1)
        ]
        injections.chance.shuffle(jobs)
        kinds = list(JOB_FAULTS)
        injections.chance.shuffle(kinds)
        for job, kind in zip(jobs[: max(1, len(jobs) // 2)], kinds, strict=False):
            injections.plan_job_fault(kind, job)

    def _meanwhile(self) -> None:
        injections = self.machines.injections
        self.machines.revive()
        injections.harvest()
        injections.count_job_faults()
        self._killers = [kill for kill in self._killers if not kill()]
        now = time.monotonic()
        if self._release_at is None and injections.stalled:
            self._release_at = now + self.stalled_seconds
        if self._release_at is not None and now > self._release_at:
            injections.release_stalled()
            self._release_at = None
        if self.waiting and now > self._next:
            self._strike(self.waiting.popleft())
            self._next = time.monotonic() + injections.chance.uniform(*self.pause)

    def _strike(self, kind: str) -> None:
        if strike(self.machines, kind, self.projects):
            return
        self._tries[kind] = self._tries.get(kind, 0) + 1
        if self._tries[kind] < TRIES:
            self.waiting.append(kind)


def strike(machines: Machines, kind: str, projects: list[Project]) -> bool:
    """Let a fault of a kind strike now; tells whether it did, or was put in force."""
    if kind in CALL_FAULTS:
        machines.injections.refuse_calls(kind)
        return True
    strikes: dict[str, Callable[[list[Project]], bool]] = {
        KILLED_WORKER: machines.kill_worker,
        KILLED_ALONE: lambda projects: machines.kill_worker(projects, with_tasks=False),
        KILLED_TRIGGERER: machines.kill_triggerer,
        KILLED_SCHEDULER: machines.kill_scheduler,
        RESTARTED_SANDBOX: machines.restart_sandbox,
        FULL_DISK: machines.fill_disk,
        DUPLICATE: machines.injections.trigger_again,
    }
    return strikes[kind](projects)


AT_ANY_MOMENT = (
    *CALL_FAULTS,
    KILLED_WORKER,
    KILLED_ALONE,
    KILLED_TRIGGERER,
    KILLED_SCHEDULER,
    RESTARTED_SANDBOX,
    FULL_DISK,
    DUPLICATE,
)
"""The kinds that ``strike`` brings about."""


def fault_projects(client: StackClient) -> list[Project]:
    """Three projects that choose their images in three ways; two of them may ask people again."""
    doubtful = {"relabel_passes": 1, "relabel_workers": 1, "max_doubt": 0.05}
    return [
        fault_project(client, "north", images={"partition": "prefix"}),
        fault_project(
            client, "south", selection={"max_images": IMAGES_A_ROUND}, consensus=doubtful
        ),  # partition: none
        fault_project(
            client,
            "west",
            images={"partition": "last-modified"},
            schedule="0 6 * * *",
            consensus=doubtful,
        ),
    ]


def fault_project(client: StackClient, name: str, **changes: Any) -> Project:
    """A project whose rounds have two jobs."""
    return client.add_project(
        name,
        labeling={"max_objects_per_job": IMAGES_A_JOB},
        quality={"near_duplicates": False, "max_negative_share": 1.0},
        **changes,
    )


def upload(client: StackClient, project: Project, keys: list[str], images: int = IMAGES_A_ROUND) -> None:
    """Put the images of some rounds, where the project's rounds look for theirs."""
    there = sum(1 for _ in client.storage.list_objects(project.images_uri)) // 2  # each with its truth
    for place, key in enumerate(keys):
        folder = f"{key}/" if project.images.partition == "prefix" else "photos/"
        client.upload_images(project, images, start=there + place * images, folder=folder)


def window_of_now() -> str:
    """The daily round, at six, whose window this moment lies in."""
    return (datetime.now(UTC) + timedelta(hours=18)).strftime("%Y-%m-%d")
