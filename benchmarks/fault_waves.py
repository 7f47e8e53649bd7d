"""A wave: rounds that overlap, and faults that strike one after the other until all rounds are released."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.fault_injections import Injections, at_any_moment
from benchmarks.fault_rounds import Rounds
from demo.stack_client import StackClient
from roundtruth.project import Project

JOBS_A_ROUND = 2
IMAGES_A_JOB = 3
# What goes wrong with single jobs.
JOB_FAULTS = (
    ("a labeling job that fails", {"fail": "ClientError: the role may not read the bucket", "after": 0.3}),
    ("a labeling job that is stopped", {"stop": True, "after": 0.3}),
    ("a labeling job that stalls", {"stall": True, "after": 0.3}),
    ("a labeling job that completes partly", {"fail_objects": [1]}),
)


@dataclass
class Wave:
    """Two rounds of each project at the same time, and the faults that wait for their moment."""

    number: int
    projects: list[Project]
    injections: Injections
    waiting: deque[str]  # names of at_any_moment
    pause: tuple[float, float] = (3.0, 12.0)  # seconds between two faults
    stalled_seconds: float = 10.0
    kill_publishing: bool = True
    _publishing: set[str] = field(default_factory=set)
    _next: float = 0.0
    _release_at: float | None = None

    def run(self, seconds: float) -> None:
        """Start the rounds, let faults strike, and wait until all is recorded and released.

        :raises NotFinishedError: when that takes too long.
        """
        rounds, chance = self.injections.rounds, self.injections.chance
        keys = [f"w{self.number}-{number}" for number in (1, 2)]
        self._upload(rounds.client, keys)
        self._plan_job_faults(keys, chance)
        for place, key in enumerate(keys):
            for project in self.projects:
                rounds.start(project, key)
                self.injections.struck["two rounds of a project at the same time"] += place
            time.sleep(chance.uniform(0, 3))
        self._next = time.monotonic() + chance.uniform(*self.pause)
        rounds.wait(seconds, meanwhile=self._meanwhile)
        self.injections.harvest()
        self.injections.count_job_faults()

    def _upload(self, client: StackClient, keys: list[str]) -> None:
        count = JOBS_A_ROUND * IMAGES_A_JOB
        for place, key in enumerate(keys):
            start = (self.number * len(keys) + place) * count
            for project in self.projects:
                client.upload_images(project, count, start=start, folder=f"{key}/")

    def _plan_job_faults(self, keys: list[str], chance: random.Random) -> None:
        jobs = [
            f"{project.project}-{key}-{number}"
            for project in self.projects
            for key in keys
            for number in range(1, JOBS_A_ROUND + 1)
        ]
        chance.shuffle(jobs)
        # Every other job at most: the rest shows that a fault stays with the job that has it.
        for job, (kind, fault) in zip(
            jobs[: max(len(jobs) // 2, len(JOB_FAULTS))], JOB_FAULTS * len(jobs), strict=False
        ):
            self.injections.plan_job_fault(kind, job, **fault)

    def _meanwhile(self) -> None:
        self.injections.revive()
        for project in self.projects if self.kill_publishing else ():
            if project.project not in self._publishing and self.injections.kill_publishing(project):
                self._publishing.add(project.project)
        now = time.monotonic()
        if self._release_at is None and self.injections.job_stands_still():
            self._release_at = now + self.stalled_seconds
        if self._release_at is not None and now > self._release_at:
            self.injections.release_stalled_jobs()
            self._release_at = None
        if self.waiting and now > self._next:
            strike: Callable[[], None] = at_any_moment(self.injections)[self.waiting.popleft()]
            strike()
            self._next = time.monotonic() + self.injections.chance.uniform(*self.pause)


def fault_project(client: StackClient, name: str) -> Project:
    """A project whose rounds have two jobs and a folder of images each."""
    return client.add_project(
        name,
        images={"partition": "prefix"},
        labeling={"max_objects_per_job": IMAGES_A_JOB},
        quality={"near_duplicates": False, "max_negative_share": 1.0},
    )


def new_injections(client: StackClient, seed: int, say: Callable[[str], None]) -> Injections:
    """What brings faults about on a stack, with its own chance."""
    return Injections(client, Rounds(client, say), random.Random(seed), say)
