"""Consensus of large rounds: three workers, seven boxes an image, ten jobs, EM until it settles.

Run: python -m benchmarks.bench_consensus_scale [--runs 5] [--images 10000 ...] > page.md
The task ``measure_consensus`` as Airflow runs it, in a process of its own: it reads the jobs' answers, fuses
them part by part with shared worker skills, and writes labels, agreement, skills, report and figures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from statistics import median

from benchmarks.bench_round import FIRST, WORKERS, stages_of_round

BOXES, JOBS = 7, 10


def main() -> None:
    """Measure each size several times, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--images", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    chosen = arguments.parse_args()
    runs = {images: [_measured(images) for _ in range(chosen.runs)] for images in chosen.images}
    print("| images | answers | CPU, s (lowest–highest) | by the clock, s | ms CPU an image | peak, MB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for images, took in runs.items():
        cpu = sorted(one["cpu"] for one in took)
        print(
            f"| {images:,} | {images * len(WORKERS):,} | **{median(cpu):.1f}** ({cpu[0]:.1f}–{cpu[-1]:.1f}) "
            f"| {median(one['clock'] for one in took):.1f} | {median(cpu) / images * 1000:.2f} "
            f"| {median(one['peak'] for one in took):.0f} |"
        )
    print(f"\n{chosen.runs} runs each; load average {os.getloadavg()[0]:.0f} at the end.")


def _measured(images: int) -> dict[str, float]:
    sizes = [f"--images={images}", f"--boxes={BOXES}", f"--jobs={JOBS}"]
    with tempfile.TemporaryDirectory() as folder:
        return stages_of_round(sizes, folder, FIRST, ("consensus",))["consensus"]


if __name__ == "__main__":
    main()
