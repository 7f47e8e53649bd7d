"""Whole rounds while processes die, AWS refuses, jobs fail, disks fill; prints Markdown, exits 1 on a loss.

Run: python -m benchmarks.bench_faults [--seed 1] [--faults 50] > benchmarks/FAULTS.md
A stack of its own (CeleryExecutor, PostgreSQL, Redis, two workers, the sandbox as AWS) runs waves of rounds:
two projects, two rounds each at the same time. Faults strike at random moments, seeded: single jobs fail,
stop, stall or complete partly, and one after the other processes are killed and calls refused. A person's
part is played through the REST API: the tasks that Airflow shows as failed are cleared, and nothing else.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

from benchmarks.fault_findings import Findings, find
from benchmarks.fault_injections import Injections, at_any_moment
from benchmarks.fault_rounds import NotFinishedError
from benchmarks.fault_waves import Wave, fault_project, new_injections
from demo.celery_stack import IMPATIENT, CeleryStack
from demo.project_files import write_pens_project
from demo.stack import StackSettings
from demo.stack_client import StackClient

WAVE_SECONDS = 900.0
MOST_WAVES = 8
BEGIN = time.monotonic()


def main() -> int:
    """Run waves until enough faults have struck, then look at what they left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=50, help="faults that have to strike")
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
            return _run(client, asked.seed, asked.faults)
    finally:
        shutil.rmtree(stack.database.folder, ignore_errors=True)
        shutil.rmtree(state, ignore_errors=True)


def say(text: str) -> None:
    """Progress, beside the Markdown on stdout."""
    print(f"{time.monotonic() - BEGIN:6.1f} s  {text}", file=sys.stderr, flush=True)


def _run(client: StackClient, seed: int, wanted: int) -> int:
    injections = new_injections(client, seed, say)
    projects = [fault_project(client, name) for name in ("north", "south")]
    begin = time.monotonic()
    waiting: deque[str] = deque()
    unfinished = ""
    number = 0
    while number < MOST_WAVES and sum(injections.struck.values()) < wanted:
        number += 1
        waiting.extend(_shuffled(injections) + _shuffled(injections))
        try:
            Wave(number, projects, injections, waiting).run(WAVE_SECONDS)
        except NotFinishedError as error:
            unfinished = str(error)
            break
        say(f"wave {number} is over: {sum(injections.struck.values())} faults so far")
    found = find(client, injections.rounds.projects, injections.rounds.keys)
    print(
        report(
            injections,
            found,
            seed=seed,
            waves=number,
            seconds=time.monotonic() - begin,
            unfinished=unfinished,
        )
    )
    enough = sum(injections.struck.values()) >= wanted
    return 0 if found.is_clean and enough and not unfinished else 1


def _shuffled(injections: Injections) -> list[str]:
    names = sorted(at_any_moment(injections))
    injections.chance.shuffle(names)
    return names


def report(
    injections: Injections, found: Findings, *, seed: int, waves: int, seconds: float, unfinished: str
) -> str:
    """The page benchmarks/FAULTS.md."""
    struck, cleared = injections.struck, injections.rounds.cleared
    started = sum(map(len, injections.rounds.keys.values()))
    lines = [
        "# Rounds under faults",
        "",
        f"`make bench-faults`, seed {seed}: {waves} waves of four rounds, two projects with two rounds each",
        "at the same time, on CeleryExecutor with two workers, PostgreSQL and Redis; S3 and Ground Truth are",
        "the sandbox. The only help from a person: clearing the tasks that Airflow shows as failed.",
        "",
        "| | |",
        "| --- | --- |",
        f"| faults injected | {sum(struck.values())} |",
        f"| rounds finished | {found.rounds} of {started} |",
        f"| labeling jobs made | {found.jobs} |",
        f"| jobs created twice | {found.created_twice} |",
        f"| images lost | {found.images_lost} |",
        f"| answers lost | {found.answers_lost} |",
        f"| versions published, all verified | {found.versions} |",
        f"| versions that do not verify | {found.broken_versions} |",
        f"| tasks cleared by a person | {sum(cleared.values())} |",
        f"| minutes | {seconds / 60:.1f} |",
        "",
        "| fault | times |",
        "| --- | --- |",
        *(f"| {kind} | {times} |" for kind, times in sorted(struck.items())),
        "",
        "| task cleared | times |",
        "| --- | --- |",
        *(f"| {task} | {times} |" for task, times in sorted(cleared.items())),
    ]
    if injections.revived:
        died = ", ".join(f"{name} {times}" for name, times in sorted(injections.revived.items()))
        lines += [
            "",
            f"Processes that a fault ended by itself, started again as docker-compose.yaml does: {died}.",
        ]
    if found.problems or unfinished:
        lines += ["", "## Problems", "", *(f"- {problem}" for problem in found.problems), unfinished]
    return "\n".join(lines).rstrip()


if __name__ == "__main__":
    sys.exit(main())
