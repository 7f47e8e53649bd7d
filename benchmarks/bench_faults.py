"""Whole rounds while processes die, AWS refuses, jobs fail, disks fill; writes a page, exits 1 on a loss.

Run: python -m benchmarks.bench_faults [--seed 1] [--faults 50] [--minutes 90] [--out FILE]
A stack of its own (CeleryExecutor, PostgreSQL, Redis, two workers, the sandbox as AWS). All kinds of
faults strike waves of rounds that overlap, then each kind strikes alone; moments are random, seeded. A
person's part is played through the REST API: the tasks that Airflow shows as failed are cleared, and nothing
else. The page is written anew after each step.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from random import Random

from benchmarks.fault_alone import ALONE, lonely_project, strike_alone
from benchmarks.fault_findings import created_jobs, find
from benchmarks.fault_injections import Injections
from benchmarks.fault_page import Run, page
from benchmarks.fault_processes import Machines
from benchmarks.fault_rounds import NotFinishedError, Rounds
from benchmarks.fault_waves import AT_ANY_MOMENT, Wave, fault_projects, upload
from demo.celery_stack import IMPATIENT, CeleryStack
from demo.project_files import write_pens_project
from demo.stack import StackSettings
from demo.stack_client import StackClient
from roundtruth.project import Project

ROUND_SECONDS = 600.0
WAVE_SECONDS = 1500.0
MOST_WAVES = 6
BEGIN = time.monotonic()


def main() -> int:
    """Strike in waves, then with each kind alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=50, help="faults that have to strike")
    parser.add_argument("--minutes", type=float, default=90, help="after them nothing new is begun")
    parser.add_argument("--out", type=Path, default=Path(".bench/FAULTS.md"))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is stopped too
    state = Path(tempfile.mkdtemp(prefix="roundtruth-faults-"))
    settings = StackSettings(
        state=state,
        projects=state / "projects",
        sandbox_options=("--speed", "100", "--workers", "good", "--seed", str(asked.seed)),
        environment=IMPATIENT,
    )
    write_pens_project(settings.projects)
    stack = CeleryStack(settings=settings)
    try:
        with stack:
            stack.start(say)
            client = StackClient(stack)
            client.api.wait_for_dags({"pens_labeling_round", "pens_dataset_release"})
            rounds = Rounds(client, say)
            machines = Machines(stack, Injections(client, rounds, Random(asked.seed), say))
            return Bench(machines, asked).run()
    finally:
        shutil.rmtree(stack.database.folder, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def say(text: str) -> None:
    """Progress, on stderr."""
    print(f"{time.monotonic() - BEGIN:6.1f} s  {text}", file=sys.stderr, flush=True)


class Bench:
    """The bench on a running stack."""

    def __init__(self, machines: Machines, asked: argparse.Namespace) -> None:
        self.machines, self.wanted, self.out = machines, asked.faults, asked.out
        self.deadline = BEGIN + asked.minutes * 60
        self.injections = machines.injections
        self.result = Run(
            seed=asked.seed,
            strikes=self.injections.strikes,
            cleared=self.injections.rounds.cleared,
            revived=machines.revived,
            rounds=self.injections.rounds.keys,
            load=(os.getloadavg()[0], os.getloadavg()[0]),
        )

    def run(self) -> int:
        """All of it; returns the exit code."""
        try:
            self._mixed()
            self._alone()
        except NotFinishedError as error:
            self.result.unfinished = str(error)
        self._write(all_planned=not self.result.unfinished)
        result = self.result
        never_alone = [kind for kind in ALONE if not result.strikes.alone[kind]]
        if never_alone:
            say(f"never alone: {', '.join(never_alone)}")
        enough = result.strikes.total >= self.wanted and not never_alone
        return 0 if result.findings.is_clean and enough and not result.unfinished else 1

    def _alone(self) -> None:
        if time.monotonic() > self.deadline:
            return
        project = lonely_project(self.injections.client)
        kinds = sorted(ALONE)
        self.injections.chance.shuffle(kinds)
        self.injections.strikes.is_alone = True
        for number, kind in enumerate(kinds, 1):
            if time.monotonic() > self.deadline:
                break
            alone = strike_alone(self.machines, project, kind, f"f{number}", ROUND_SECONDS)
            self.result.alone.append(alone)
            what = alone.findings.problems or "clean"
            say(f"{kind}: {alone.seconds:.0f} s, {alone.cleared} cleared, {what}")
            self._write()
        self._sweep([project])
        self.injections.strikes.is_alone = False

    def _mixed(self) -> None:
        projects = fault_projects(self.injections.client)
        waiting: deque[str] = deque()
        # The rest strikes alone.
        while self.result.waves < MOST_WAVES and self.result.strikes.total < self.wanted - len(ALONE):
            if time.monotonic() > self.deadline:
                break
            self.result.waves += 1
            kinds = sorted(AT_ANY_MOMENT)
            self.injections.chance.shuffle(kinds)
            waiting.extend(kinds)
            # The project whose rounds are days has one day only.
            taking_part = projects if self.result.waves == 1 else projects[:2]
            Wave(f"w{self.result.waves}", taking_part, self.machines, waiting).run(WAVE_SECONDS)
            say(f"wave {self.result.waves} is over: {self.result.strikes.total} faults so far")
            self._write()
        self._sweep([project for project in projects if project.images.partition == "none"])

    def _sweep(self, projects: list[Project]) -> None:
        """A last round that takes all that waits, without a fault."""
        rounds = self.injections.rounds
        for project in projects:
            upload(self.injections.client, project, ["sweep"], 1)  # a round without any image would be none
            rounds.start(project, "sweep", max_images=1000)
        rounds.wait(projects, ROUND_SECONDS)

    def _write(self, *, all_planned: bool = False) -> None:
        rounds, client = self.injections.rounds, self.injections.client
        created = created_jobs(client.stack.sandbox_url)
        self.result.findings = find(
            client.storage, created, rounds.projects, rounds.keys, all_planned=all_planned
        )
        self.result.minutes = (time.monotonic() - BEGIN) / 60
        self.result.load = (self.result.load[0], os.getloadavg()[0])
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.write_text(page(self.result), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
