"""A large round after its last answer: consensus, merge, quality, record, and two packed versions.

Run: python -m benchmarks.bench_round [--images 1000000] [--boxes 7] [--jobs 10] [--runs 1] > page.md
Each stage is a process of its own, as each task of Airflow is, so its peak memory is its own. S3 is a folder
on this machine behind the Storage interface (answered_rounds.py). Looking at pixels
(quality.near_duplicates) is off, since there are none. The second version relabels one image of a hundred.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.answered_rounds import FolderStorage, prepare, round_project
from roundtruth.project import Project

FIRST, SECOND = "2026-01-05", "2026-01-12"
STAGES = ("consensus", "merge", "check", "record", "assemble", "check version", "publish")
Rows = dict[str, dict[str, dict[str, float]]]  # round -> stage -> its seconds and MB


def run_stage(storage: FolderStorage, project: Project, stage: str, round_key: str) -> None:
    """One task's work."""
    from roundtruth.stages import dataset_release, labeling_round

    note = storage._folder / "candidate"
    if stage == "consensus":
        labeling_round.measure(storage, project, round_key, relabel_pass=0)
    elif stage in {"merge", "check", "record"}:
        getattr(labeling_round, stage)(storage, project, round_key)
    elif stage == "assemble":
        note.write_text(str(dataset_release.assemble(storage, project)))
    else:
        step = {"check version": dataset_release.check, "publish": dataset_release.publish}[stage]
        step(storage, project, note.read_text())


def main() -> None:
    """Run all stages of both rounds, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--images", type=int, default=1_000_000)
    arguments.add_argument("--boxes", type=int, default=7)
    arguments.add_argument("--jobs", type=int, default=10)
    arguments.add_argument("--runs", type=int, default=1)
    arguments.add_argument("--folder", type=Path)
    arguments.add_argument("--stage")
    arguments.add_argument("--round", default=FIRST)
    chosen = arguments.parse_args()
    project = round_project(chosen.images, chosen.jobs)
    if chosen.stage:
        step = 1 if chosen.round == FIRST or chosen.stage != "prepare" else 100
        storage = FolderStorage(chosen.folder, project, chosen.images, step=step)
        started, clock = time.process_time(), time.perf_counter()
        if chosen.stage == "prepare":
            prepare(storage, project, chosen.round, chosen.boxes)
        else:
            run_stage(storage, project, chosen.stage, chosen.round)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        took = {"cpu": time.process_time() - started, "clock": time.perf_counter() - clock}
        print(json.dumps(took | {"peak": peak}))
        return
    sizes = [f"--images={chosen.images}", f"--boxes={chosen.boxes}", f"--jobs={chosen.jobs}"]
    print(_page([_both_rounds(sizes) for _ in range(chosen.runs)]))
    print(
        f"\n{chosen.images:,} images, {'one run' if chosen.runs == 1 else f'medians of {chosen.runs} runs'}."
    )


def _both_rounds(sizes: list[str]) -> Rows:
    with tempfile.TemporaryDirectory() as folder:
        return {key: stages_of_round(sizes, folder, key) for key in (FIRST, SECOND)}


def stages_of_round(
    sizes: list[str], folder: str, round_key: str, stages: tuple[str, ...] = STAGES
) -> dict[str, dict[str, float]]:
    """Run stages of a round, each in a process of its own; its CPU and clock seconds and its peak in MB."""
    rows = {}
    for stage in ("prepare", *stages):
        command = [sys.executable, "-m", "benchmarks.bench_round", *sizes, f"--folder={folder}"]
        command += [f"--stage={stage}", f"--round={round_key}"]
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"{stage} of {round_key}: {run.stderr[-2000:]}")
        rows[stage] = json.loads(run.stdout.splitlines()[-1])
        print(round_key, stage, rows[stage], file=sys.stderr, flush=True)
    return rows


def _page(runs: list[Rows]) -> str:
    """Medians of the runs; the ratio of both rounds is taken within each."""
    rows = {
        (key, stage): [median(run[key][stage][measure] for run in runs) for measure in ("cpu", "peak")]
        for key in (FIRST, SECOND)
        for stage in STAGES
    }
    lines = [
        "| task | CPU, s | peak memory, MB | 1 % relabeled: CPU, s | peak, MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for stage in STAGES:
        (cpu, peak), (again, again_peak) = rows[FIRST, stage], rows[SECOND, stage]
        lines.append(f"| {stage} | {cpu:.1f} | {peak:.0f} | {again:.1f} | {again_peak:.0f} |")
    first, second = ([_after_consensus(run[key]) for run in runs] for key in (FIRST, SECOND))
    ratio = median(of_second[0] / of_first[0] for of_first, of_second in zip(first, second, strict=True))
    (cpu, peak), (again, again_peak) = (
        map(median, zip(*of_round, strict=True)) for of_round in (first, second)
    )
    lines.append(
        f"| **merge to publish** | **{cpu:.1f}** | **{peak:.0f}** | **{again:.1f}** ({ratio:.0%}) "
        f"| **{again_peak:.0f}** |"
    )
    return "\n".join(lines)


def _after_consensus(stages: dict[str, dict[str, float]]) -> tuple[float, float]:
    """Seconds of CPU of all stages behind the consensus, and the highest peak in MB."""
    after = [stages[stage] for stage in STAGES[1:]]
    return sum(one["cpu"] for one in after), max(one["peak"] for one in after)


if __name__ == "__main__":
    main()
