"""One fault at a time: each strikes a round of its own at a random moment, and what it left is looked at."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.fault_findings import Findings, created_jobs, find
from benchmarks.fault_kinds import CALL_FAULTS, JOB_FAULTS, MID_PUBLISH, OVERLAP
from benchmarks.fault_processes import Machines
from benchmarks.fault_waves import AT_ANY_MOMENT, strike, upload
from demo.stack_client import StackClient
from roundtruth.project import Project

ALONE = (*JOB_FAULTS, *AT_ANY_MOMENT, OVERLAP, MID_PUBLISH)
"""Every kind there is."""

IMAGES = 3
TRIES = 3  # rounds for a fault that found nothing to strike
STALLED_SECONDS = 3.0
# Calls may be refused from the start on: the first of them come at once. What strikes processes may wait.
LATEST = {True: 2.0, False: 30.0}  # seconds after the start of the round


@dataclass(frozen=True, kw_only=True)
class Alone:
    """What one fault did to one round."""

    kind: str
    round: str
    has_struck: bool
    cleared: int  # tasks by a person
    seconds: float  # until the round was released
    findings: Findings


def lonely_project(client: StackClient) -> Project:
    """A project with one job a round, which takes what is not labeled yet."""
    return client.add_project(
        "alone",
        selection={"max_images": IMAGES},
        quality={"near_duplicates": False, "max_negative_share": 1.0},
    )


def strike_alone(machines: Machines, project: Project, kind: str, name: str, seconds: float) -> Alone:
    """Run a round of the project, let one fault strike it, and look at what is there afterwards.

    A round in which nothing was struck is followed by another one, a few times.

    :raises NotFinishedError: when a round does not end.
    """
    injections = machines.injections
    for number in range(1, TRIES + 1):
        before, begin = injections.strikes.of(kind), time.monotonic()
        cleared = injections.rounds.cleared.total()
        key = f"{name}-{number}"
        _run(machines, project, kind, key, seconds)
        alone = Alone(
            kind=kind,
            round=key,
            has_struck=injections.strikes.of(kind) > before,
            cleared=injections.rounds.cleared.total() - cleared,
            seconds=time.monotonic() - begin,
            findings=_look(machines, project),
        )
        if alone.has_struck or alone.findings.problems:
            break
        injections.say(f"{kind} has struck nothing, once more")
    return alone


def _look(machines: Machines, project: Project) -> Findings:
    client, rounds = machines.injections.client, machines.injections.rounds
    created = created_jobs(client.stack.sandbox_url)
    keys = {project.project: rounds.keys[project.project]}
    return find(client.storage, created, {project.project: project}, keys, all_planned=False)


def _run(machines: Machines, project: Project, kind: str, key: str, seconds: float) -> None:
    injections = machines.injections
    rounds = injections.rounds
    keys = [key, f"{key}b"] if kind == OVERLAP else [key]
    upload(injections.client, project, keys, IMAGES)
    if kind in JOB_FAULTS:
        injections.plan_job_fault(kind, f"{project.project}-{key}-1")
    killer = machines.slow_publishing(project) if kind == MID_PUBLISH else None
    rounds.start(project, key)
    if kind == OVERLAP:
        time.sleep(injections.chance.uniform(0, 4))
        overlaps = rounds.running(project)
        rounds.start(project, keys[1])
        if overlaps:
            injections.strikes.count(OVERLAP)
    meanwhile = _Meanwhile(machines, project, kind, killer)
    rounds.wait([project], seconds, meanwhile=meanwhile.look)
    injections.take_back()


class _Meanwhile:
    """Brings the fault about at its moment."""

    def __init__(
        self, machines: Machines, project: Project, kind: str, killer: Callable[[], bool] | None
    ) -> None:
        self._machines, self._project, self._kind, self._killer = machines, project, kind, killer
        latest = LATEST[kind in CALL_FAULTS]
        self._due = kind in AT_ANY_MOMENT
        self._at = time.monotonic() + machines.injections.chance.uniform(0, latest)
        self._release_at: float | None = None

    def look(self) -> None:
        machines, now = self._machines, time.monotonic()
        machines.revive()
        machines.injections.harvest()
        machines.injections.count_job_faults()
        if self._killer is not None and self._killer():
            self._killer = None
        if self._due and now > self._at:
            self._due = not strike(machines, self._kind, [self._project])
        if machines.injections.stalled and self._release_at is None:
            self._release_at = now + STALLED_SECONDS
        if self._release_at is not None and now > self._release_at:
            machines.injections.release_stalled()
            self._release_at = None
