"""Airflow's own share: the tasks of a ten-job round, what they load, and parsing of many projects' Dags.

Run: python -m benchmarks.bench_airflow [--database airflow.db ...] > page.md
Parsing runs as Airflow's Dag processor does it, in a new process a number of projects. ``--database`` names
databases of finished runs (`make demo` leaves .demo/*/airflow/airflow.db): what a task costs beside its work
is read from the tasks that do next to nothing.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.dag_parsing import HEAVY, PENS, ROOT, _environment

PROJECTS = (1, 20, 200)
JOBS = 10
PARSE = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
loaded = time.process_time()
bag = DagBag(sys.argv[1])
parsed = time.process_time()
heavy = sorted(set(sys.argv[2].split(",")) & set(sys.modules))
dag = bag.dags[sys.argv[3]]
tasks = {task.task_id: task.get_closest_mapped_task_group() is not None for task in dag.tasks}
print("PARSED" + json.dumps({"load": loaded, "parse": parsed - loaded, "dags": len(bag.dags),
    "errors": len(bag.import_errors), "heavy": heavy, "tasks": tasks}))
"""
# They read or write a few small objects; what they take is what any task takes.
SMALL_TASKS = ("label.build_manifest", "relabel_1.build_manifest")


def main() -> None:
    """Measure, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--database", action="append", default=[])
    arguments.add_argument("--runs", type=int, default=5)
    chosen = arguments.parse_args()
    print("| projects | Dags | parse, CPU s (lowest–highest) | a project, ms | heavy modules loaded |")
    print("| ---: | ---: | ---: | ---: | --- |")
    for count in PROJECTS:
        runs = [parse(count) for _ in range(chosen.runs)]
        seconds = sorted(run["parse"] for run in runs)
        first = runs[0]
        assert first["errors"] == 0
        print(
            f"| {count} | {first['dags']} | **{statistics.median(seconds):.2f}** "
            f"({seconds[0]:.2f}–{seconds[-1]:.2f}) | {statistics.median(seconds) / count * 1e3:.0f} "
            f"| {', '.join(first['heavy']) or 'none'} |",
            flush=True,
        )
    load = statistics.median(run["load"] for run in runs)
    print(f"\nAirflow itself, before the first Dag file, takes {load:.1f} s of CPU a process.\n")
    print(_tasks(first["tasks"]))
    for database in chosen.database:
        print("\n" + _overhead(Path(database)))


def parse(count: int) -> dict[str, Any]:
    """Parse the Dags of so many projects in a new process."""
    pens = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        home, projects = Path(folder) / "home", Path(folder) / "projects"
        projects.mkdir()
        for number in range(count):
            content = pens | {
                "project": f"pens-{number}",
                "root": f"{pens['root']}-{number}",
                "dataset": pens["dataset"] | {"name": f"pens-{number}"},
            }
            (projects / f"pens-{number}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        command = [sys.executable, "-c", PARSE, str(ROOT / "dags"), ",".join(HEAVY), "pens-0_labeling_round"]
        # By the clock: on a machine that does other things too, Airflow would give up at 30 s.
        environment = {**_environment(home, projects), "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if "PARSED" not in done.stdout:
            raise RuntimeError(done.stdout + done.stderr)
        found: dict[str, Any] = json.loads(done.stdout.split("PARSED", 1)[1])
        return found


def _tasks(tasks: dict[str, bool]) -> str:
    """How many task instances a round of ten jobs has, by name; relabel passes only where images are sent."""
    mapped = sorted(name for name, is_mapped in tasks.items() if is_mapped)
    single = sorted(name for name, is_mapped in tasks.items() if not is_mapped)
    first = [name for name in mapped if not name.startswith("relabel")]
    again = [name for name in mapped if name.startswith("relabel")]
    text = (
        f"A round of {JOBS} jobs has {len(single)} single tasks ({_names(single)}) and {len(first)} a job "
        f"({_names(first)}): "
        f"**{len(single) + JOBS * len(first)} task instances**"
    )
    if again:
        text += f"; each relabel job adds {len(again)} ({_names(again)})"
    return text + "."


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _overhead(database: Path) -> str:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = connection.execute(
        "SELECT task_id, start_date, end_date FROM task_instance "
        "WHERE state = 'success' AND start_date IS NOT NULL AND queued_dttm IS NOT NULL"
    ).fetchall()
    durations = defaultdict(list)
    for task_id, started, ended in rows:
        durations[task_id].append(_seconds(started, ended))
    small = [one for name in SMALL_TASKS for one in durations.get(name, [])]
    known = _names([name for name in SMALL_TASKS if name in durations])
    lines = [
        f"In the database of `{database.parts[-3]}` ({len(rows)} finished tasks, LocalExecutor, here) the "
        "scheduler's view of them:",
        "",
        "| the scheduler's view | times | median, s | 90 % within, s | longest, s |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_waits(what, found) for what, found in scheduler_view(connection).items()),
        "",
        f"A task with little to do ({known}) runs {statistics.median(small or [0.0]):.1f} s by the clock, "
        "which is Airflow's own: a process, its imports, the Dag file.",
        "",
        "| task | runs | by the clock, s (median) |",
        "| --- | ---: | ---: |",
    ]
    lines += [
        f"| `{name}` | {len(found)} | {statistics.median(found):.1f} |"
        for name, found in sorted(durations.items())
    ]
    return "\n".join(lines)


def scheduler_view(connection: sqlite3.Connection) -> dict[str, list[float]]:
    """How long, in seconds, runs and tasks waited at each of Airflow's own steps.

    Of a task that was deferred only its last way back is known, behind its start: such are left out.
    """
    runs = {
        (dag_id, run_id): (created, started)
        for dag_id, run_id, created, started in connection.execute(
            "SELECT dag_id, run_id, queued_at, start_date FROM dag_run "
            "WHERE queued_at IS NOT NULL AND start_date IS NOT NULL"
        )
    }
    ended = {run: [_moment(started)] for run, (_, started) in runs.items()}
    tasks = []
    for dag_id, run_id, *moments in connection.execute(
        "SELECT dag_id, run_id, scheduled_dttm, queued_dttm, start_date, end_date FROM task_instance "
        "WHERE end_date IS NOT NULL"
    ):
        if (dag_id, run_id) in runs:
            ended[dag_id, run_id].append(_moment(moments[-1]))
            if None not in moments and moments[2] >= moments[1]:
                tasks.append(((dag_id, run_id), *map(_moment, moments[:3])))
    view: dict[str, list[float]] = {
        "a run is created → it runs": [_seconds(*both) for both in runs.values()],
        "the task before has ended → the next is scheduled": [],
        "scheduled → queued": [(queued - scheduled).total_seconds() for _, scheduled, queued, _ in tasks],
        "queued → started": [(started - queued).total_seconds() for _, _, queued, started in tasks],
    }
    for run, scheduled, _, _ in tasks:
        before = [one for one in ended[run] if one <= scheduled]
        if before:
            view["the task before has ended → the next is scheduled"].append(
                (scheduled - max(before)).total_seconds()
            )
    return view


def _waits(what: str, seconds: list[float]) -> str:
    found = sorted(seconds) or [0.0]
    most = found[min(len(found) - 1, len(found) * 9 // 10)]
    return f"| {what} | {len(seconds)} | {statistics.median(found):.2f} | {most:.2f} | {found[-1]:.2f} |"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _seconds(start: str, end: str) -> float:
    return (_moment(end) - _moment(start)).total_seconds()


if __name__ == "__main__":
    main()
