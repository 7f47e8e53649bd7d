"""The page of the fault bench, benchmarks/FAULTS.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.fault_alone import ALONE, Alone
from benchmarks.fault_findings import Findings
from benchmarks.fault_strikes import Strikes


@dataclass
class Run:
    """What a run of the bench has brought so far."""

    seed: int
    strikes: Strikes
    cleared: Counter[str]  # task -> times that a person cleared it
    revived: Counter[str]  # process -> times that it ended by itself
    rounds: Mapping[str, Sequence[str]]  # project -> its rounds
    alone: list[Alone] = field(default_factory=list)
    waves: int = 0
    minutes: float = 0.0
    load: tuple[float, float] = (0.0, 0.0)  # of the machine, at the start and at the end
    findings: Findings = field(default_factory=Findings)
    unfinished: str = ""


def page(run: Run) -> str:
    """The whole page."""
    return (
        "\n".join([*_head(run), *_kinds(run), *_alone(run), *_calls(run), *_person(run), *_problems(run)])
        + "\n"
    )


def quoted(written: str) -> str:
    """What the README says of a written page; tests/benchmarks compares the two.

    :param written: the page's text.
    """
    cells = [line.strip("| ").split(" | ") for line in written.splitlines() if line.startswith("| ")]
    told = {cell[0]: cell[1] for cell in cells if len(cell) == 2}
    alone, mixed = told["… one at a time / mixed"].split(" / ")
    twice = told["jobs created twice, labels paid twice"]
    return (
        f"Under {told['faults injected']} faults, {alone} alone and {mixed} mixed, "
        f"{told['rounds finished']} rounds finished, {twice} jobs were created twice, "
        f"{told['images lost']} images and {told['answers lost']} answers lost; "
        f"of {told['versions published']} versions {told['versions that do not verify']} do not verify, "
        f"and a person cleared {told['tasks cleared by a person']} tasks ([FAULTS.md](benchmarks/FAULTS.md))."
    )


def _head(run: Run) -> list[str]:
    found = run.findings
    return [
        "# Rounds under faults",
        "",
        f"`make bench-faults`, seed {run.seed}: whole rounds on CeleryExecutor with two workers, PostgreSQL",
        f"and Redis; S3 and Ground Truth are the sandbox. {run.waves} times all kinds of faults mixed, over",
        "rounds of several projects at once: new images by folder, by arrival, whatever is not labeled; with",
        "and without a relabel pass. Then each kind alone, in a round of its own, at a random moment, and",
        "after it everything is looked at. A fault counts once it has met something: a call that the sandbox",
        "counted, a worker that ran a task, a triggerer in which one waited, a job that Ground Truth shows",
        "as failed. A person only clears the tasks that Airflow shows as failed.",
        "",
        "| | |",
        "| --- | ---: |",
        f"| faults injected | {run.strikes.total} |",
        f"| … one at a time / mixed | {run.strikes.alone.total()} / {run.strikes.mixed.total()} |",
        f"| rounds finished | {found.rounds} of {sum(map(len, run.rounds.values()))} |",
        f"| labeling jobs planned, all made | {found.planned} |",
        f"| labeling jobs made, with the next attempts of those that failed | {found.jobs} |",
        f"| jobs created twice, labels paid twice | {found.created_twice} |",
        f"| images, all accounted for | {found.images} |",
        f"| images lost | {found.images_lost} |",
        f"| workers' answers | {found.answers} |",
        f"| answers lost | {found.answers_lost} |",
        f"| versions published | {found.versions} |",
        f"| versions that do not verify | {found.broken_versions} |",
        f"| tasks cleared by a person | {run.cleared.total()} |",
        f"| minutes | {run.minutes:.0f} |",
        f"| load of the machine at start and end | {run.load[0]:.0f}, {run.load[1]:.0f} |",
    ]


def _kinds(run: Run) -> list[str]:
    strikes = run.strikes
    kinds = sorted({*strikes.alone, *strikes.mixed})
    return [
        "",
        "| fault | alone | mixed |",
        "| --- | ---: | ---: |",
        *(f"| {kind} | {strikes.alone[kind]} | {strikes.mixed[kind]} |" for kind in kinds),
    ]


def _alone(run: Run) -> list[str]:
    never = [kind for kind in sorted(ALONE) if not run.strikes.alone[kind]]
    missing = ["", f"Not struck alone in this run: {', '.join(never)}."] if never else []
    rows = [
        f"| {one.kind} | {one.seconds:.0f} | {one.cleared} | "
        f"{'nothing' if one.findings.is_clean else '; '.join(one.findings.problems)} |"
        for one in run.alone
        if one.has_struck
    ]
    if not rows:
        return missing
    return [
        "",
        "## One at a time",
        "",
        "Seconds from the start of the round until its labels were released.",
        "",
        "| fault | seconds | tasks cleared | lost, paid twice, not whole |",
        "| --- | ---: | ---: | --- |",
        *rows,
        *missing,
    ]


def _calls(run: Run) -> list[str]:
    return [
        "",
        "## Calls that were refused",
        "",
        "| call | times |",
        "| --- | ---: |",
        *(f"| `{call}` | {times} |" for call, times in sorted(run.strikes.calls.items())),
        "",
        "Rounds ask Ground Truth nothing else: they list and stop no job (tests/ground_truth strikes the",
        "operator that stops). Nothing of their size goes up in parts: such an upload is struck in",
        "`tests/roundtruth/test_storage_faults.py`.",
    ]


def _person(run: Run) -> list[str]:
    lines = []
    if run.cleared:
        lines += ["", "## Cleared by a person", "", "| task | times |", "| --- | ---: |"]
        lines += [f"| {task} | {times} |" for task, times in sorted(run.cleared.items())]
    if run.revived:
        died = ", ".join(f"{name} {times}" for name, times in sorted(run.revived.items()))
        lines += ["", f"Ended by themselves, and started again as docker-compose.yaml does: {died}."]
    return lines


def _problems(run: Run) -> list[str]:
    problems = [*run.findings.problems, *([run.unfinished] if run.unfinished else [])]
    return ["", "## Problems", "", *(f"- {problem}" for problem in problems)] if problems else []
