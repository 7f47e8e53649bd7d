"""Consensus of large rounds: three workers, seven boxes an image, ten jobs, EM until it settles.

Run: python -m benchmarks.bench_consensus_scale [--runs 5] [--images 10000 …] > page.md
The task ``measure_consensus`` as Airflow runs it, in a process of its own: it reads the jobs' answers, fuses
them part by part with shared worker skills, and writes labels, agreement, skills, report and figures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from statistics import median

from benchmarks.answered_rounds import WORKERS
from benchmarks.bench_round import FIRST, stages_of_round

BOXES, JOBS = 7, 10


def main() -> None:
    """Measure each size several times, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5, help="of each size")
    arguments.add_argument("--images", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    chosen = arguments.parse_args()
    print("| images | answers | runs | CPU, s | by the clock, s | ms CPU an image | peak, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for images in sorted(chosen.images):
        took = [_measured(images) for _ in range(chosen.runs)]
        cpu = median(one["cpu"] for one in took)
        print(
            f"| {images:,} | {images * len(WORKERS):,} | {chosen.runs} | {_spread(took, 'cpu')} "
            f"| {_spread(took, 'clock')} | {cpu / images * 1000:.2f} "
            f"| {median(one['peak'] for one in took):.0f} |",
            flush=True,
        )
    print(
        f"\nOne process, three workers, ten jobs. **Median** (lowest–highest); load average "
        f"{os.getloadavg()[0]:.0f} on {os.cpu_count()} cores at the end."
    )


def _measured(images: int) -> dict[str, float]:
    sizes = [f"--images={images}", f"--boxes={BOXES}", f"--jobs={JOBS}"]
    with tempfile.TemporaryDirectory() as folder:
        return stages_of_round(sizes, folder, FIRST, ("consensus",))["consensus"]


def _spread(took: list[dict[str, float]], measure: str) -> str:
    values = sorted(one[measure] for one in took)
    return f"**{median(values):.1f}** ({values[0]:.1f}–{values[-1]:.1f})"


if __name__ == "__main__":
    main()
