"""Runs the benches of speed and scale one after the other and puts their pages together as RESULTS.md.

Run: python -m benchmarks.bench_all --peers PYTHON [--only conversion ...]
Each bench's page is kept in .bench/results, so that one can be run again alone; RESULTS.md has all there are.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / ".bench/results"
RESULTS = ROOT / "benchmarks/RESULTS.md"

BENCHES: dict[str, tuple[str, list[str], str]] = {
    "conversion": (
        "Conversion of an output manifest to YOLO label files",
        ["benchmarks.bench_conversion", "--peers", "{peers}"],
        "The reference is a bare loop in one process that decodes (orjson), formats and writes, and checks "
        "nothing; ours checks every line and box. Ratios divide each run by a run of the reference right "
        "before it; peers got the same boxes as COCO. CPU seconds unless it says so. `files` tells who "
        "loses the images without a box.",
    ),
    "transfers": (
        "Many small objects",
        ["benchmarks.bench_transfers"],
        "Against a server that answers at once, or after 20 ms (`null_s3.py`); 64 requests in flight, for "
        "obstore's own calls as for ours. Copies on condition of an ETag, of the layout `tree` alone, are "
        "sent by one thread over its own connections (`conditional_copies.py`): obstore cannot set one; its "
        "own figure beside them is that of a copy without any. Pull is `dataset pull` of a version, all "
        "digests compared, beside obstore's reads into files in memory.",
    ),
    "pixels": (
        "Looking at all pixels",
        ["benchmarks.bench_pixels"],
        "The task `inspect_images` on photos on this machine: every byte hashed, every block decoded.",
    ),
    "planning": (
        "Planning a round in a large bucket",
        ["benchmarks.bench_planning"],
        "Listing (from `null_s3.py`), subtracting what nine earlier rounds took, choosing, splitting into "
        "ten jobs, job inputs and manifests. Headers of the new images: above, a range read each.",
    ),
    "consensus": (
        "Consensus of large rounds",
        ["benchmarks.bench_consensus_scale"],
        "The task `measure_consensus` on ten jobs of three unlike workers (edges 1.5, 3 and 6 pixels off, "
        "1–8 % of the boxes missed, 0.5–5 % named wrongly), seven boxes an image, EM until it settles.",
    ),
    "round": (
        "A round after its last answer, and two packed versions",
        ["benchmarks.bench_round"],
        "Ten jobs, three workers; each task in a process of its own, S3 as a folder, looking at pixels off.",
    ),
    "rounds": (
        "The same with a tenth of the images, five times",
        ["benchmarks.bench_round", "--images=100000", "--runs=5"],
        "Medians; the ratio of the second version to the first is taken within each run. Loading Great "
        "Expectations, 5 s for each of its two checks, is half of the second version's.",
    ),
    "airflow": (
        "Airflow's own share",
        ["benchmarks.bench_airflow"],
        "All Dag files parsed in one process, as the Dag processor does it, Airflow's import not counted.",
    ),
    "scaling": (
        "A week of ten million images, simulated",
        ["benchmarks.scaling_simulation"],
        "[docs/scaling.md](../docs/scaling.md) says what it is made from and what it means.",
    ),
}


def main() -> None:
    """Run what is asked for, write RESULTS.md."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peers", default=".bench/conversion-peers/bin/python")
    arguments.add_argument("--only", action="append", choices=BENCHES)
    arguments.add_argument("--page", action="store_true", help="run nothing, only put the pages together")
    chosen = arguments.parse_args()
    PAGES.mkdir(parents=True, exist_ok=True)
    for name, (title, command, _) in BENCHES.items():
        if chosen.page or (chosen.only and name not in chosen.only):
            continue
        print(f"== {title}", file=sys.stderr, flush=True)
        run = [sys.executable, "-m", *(part.format(peers=chosen.peers) for part in command)]
        if name == "airflow":
            for database in sorted(ROOT.glob(".demo/pens/airflow/airflow.db")):
                run += ["--database", str(database)]
        paths = os.pathsep.join([str(ROOT / "include"), str(ROOT / "plugins"), str(ROOT)])
        done = subprocess.run(
            run,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            text=True,
        )
        load = f"Load average {os.getloadavg()[0]:.0f} at its end."
        (PAGES / f"{name}.md").write_text(f"{done.stdout.strip()}\n\n{load}\n", encoding="utf-8")
    RESULTS.write_text(page(), encoding="utf-8")


def page() -> str:
    """RESULTS.md, of the pages that there are."""
    parts = [
        "# Speed and scale\n",
        "`make bench` writes this page (`python -m benchmarks.bench_all --only …` one part of it). "
        "Consensus, quality checks, publishing and splits have pages of their own beside it.\n",
        f"Machine: {os.cpu_count()} cores, {_memory():.0f} GB, {platform.system()}, Python "
        f"{platform.python_version()}, shared with other work: a part says the load it ran under. Compare "
        "ratios and CPU seconds; seconds by the clock are as good as the machine was idle. Peaks are of a "
        "process, in MB of 2**20 bytes.\n",
    ]
    for name, (title, _, intro) in BENCHES.items():
        place = PAGES / f"{name}.md"
        if place.is_file():
            parts.append(f"## {title}\n\n{intro}\n\n{place.read_text(encoding='utf-8').strip()}\n")
    return "\n".join(parts)


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    main()
