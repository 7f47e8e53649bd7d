"""Seconds and peak memory of the quality checks over a large round; writes the table benchmarks/QUALITY.md.

Run: python benchmarks/bench_quality.py [--boxes 1000000] [--images 150000]
All suites of a round: columns, labels, images, their content (digests and fingerprints, of as many images of
earlier rounds too), published images, categories, workers, agreement; with Data Docs. Each case runs in a
process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.quality_settings import Quality

TABLE = Path(__file__).parent / "QUALITY.md"

CASES = {
    "clean": "nothing fails",
    "some bad": "1 % of the boxes fail each check",
    "all bad": "every box sticks out of its image and has a copy",
}


def main() -> None:
    """Measure each case and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--boxes", type=int, default=1_000_000)
    arguments.add_argument("--images", type=int, default=150_000)
    arguments.add_argument("--case", choices=CASES)
    chosen = arguments.parse_args()
    if chosen.case:
        measure(chosen.case, chosen.boxes, chosen.images)
        return
    lines = [
        "# Quality checks over a large round",
        "",
        f"{chosen.boxes:,} boxes and as many answers of workers on {chosen.images:,} images, compared with "
        f"{chosen.images:,} images of earlier rounds; all checks of a round, Data Docs included. "
        f"One process, on {os.cpu_count()} cores shared with whatever else ran (load average "
        f"{os.getloadavg()[0]:.1f} at the start): seconds by the clock grow with that, CPU seconds little. "
        "`make bench-quality` writes this.",
        "",
        "The tables themselves, made before the clock starts, are part of the peak memory "
        "(column `tables, MB`: the process before the first check).",
        "",
        "| round | loading Great Expectations, s (CPU s) | checks, s (CPU s) | peak memory, MB | tables, MB "
        "| quarantined images |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case, meaning in CASES.items():
        sizes = [f"--boxes={chosen.boxes}", f"--images={chosen.images}", f"--case={case}"]
        run = subprocess.run([sys.executable, __file__, *sizes], check=True, capture_output=True, text=True)
        lines.append(f"| {case}: {meaning} | {run.stdout.strip().splitlines()[-1]} |")
        print(lines[-1], flush=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(case: str, boxes: int, images: int) -> None:
    """Run the checks once in this process and print the numbers of the table's row."""
    from roundtruth.quality.gate import check_round
    from roundtruth.quality.people import people_suites, time_per_box
    from roundtruth.storage import ObjectUri, Storage

    labels, image_table = make_round(case, boxes, images)
    facts = make_facts(image_table)
    known = facts.assign(source_ref=facts["source_ref"] + " earlier", sha256=facts["sha256"] + "0")
    answers, report = make_answers(labels)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = _now()
    import great_expectations  # noqa: F401

    loaded = _now()
    with tempfile.TemporaryDirectory() as folder:
        result = check_round(
            labels=labels,
            images=image_table,
            planned=images,
            settings=Quality(),
            categories=[f"category {number}" for number in range(20)],
            facts=facts,
            known=known,
            also=people_suites(time_per_box(answers), report, Quality()),
            docs_uri=ObjectUri.parse(str(Path(folder) / "docs")),
            storage=Storage(),
        )
    done = _now()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    quarantined = result.verdict.counts["quarantined"]
    print(f"{_spent(started, loaded)} | {_spent(loaded, done)} | {peak:.0f} | {before:.0f} | {quarantined}")


def _now() -> tuple[float, float]:
    return time.monotonic(), time.process_time()


def _spent(start: tuple[float, float], end: tuple[float, float]) -> str:
    return f"{end[0] - start[0]:.1f} ({end[1] - start[1]:.1f})"


def make_round(case: str, boxes: int, images: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A round of 1920×1080 photos; boxes are spread unevenly, as in real rounds."""
    random = np.random.default_rng(20260105)
    names = pd.Series(
        [f"s3://bucket/bounding_box/images/2026/photo {number:07d}.jpg" for number in range(images)]
    )
    image = np.sort((images * random.random(boxes) ** 1.5).astype(np.int64))
    width, height = random.uniform(8, 400, boxes), random.uniform(8, 400, boxes)
    left, top = random.uniform(0, 1920 - width), random.uniform(0, 1080 - height)
    labels = pd.DataFrame(
        {
            "source_ref": names.to_numpy()[image],
            "category": np.array([f"category {number}" for number in range(20)])[
                random.integers(0, 20, boxes)
            ],
            "left": left,
            "top": top,
            "width": width,
            "height": height,
            "score": random.random(boxes),
            "votes": np.full(boxes, 3, dtype=np.int16),
            "answers": np.full(boxes, 3, dtype=np.int16),
            "job": "pens-2026-01-05-1",
        }
    )
    labels = _spoil(labels, case, random)
    status = np.where(names.isin(labels["source_ref"]), "labeled", "negative")
    table = pd.DataFrame(
        {
            "source_ref": names,
            "etag": [f"{number:032x}" for number in range(images)],
            "bytes": 500_000,
            "width": 1920,
            "height": 1080,
            "orientation": 1,
            "status": status,
            "reason": "",
            "answers": 3,
            "agreement": 0.9,
        }
    )
    return labels, table


def make_facts(images: pd.DataFrame) -> pd.DataFrame:
    """Digests and fingerprints of the images; every hundredth looks like the one before it."""
    random = np.random.default_rng(7)
    numbers = random.integers(0, 2**64, len(images), dtype=np.uint64)
    numbers[1::100] = numbers[0::100][: len(numbers[1::100])] ^ np.uint64(0b1001)
    return pd.DataFrame(
        {
            "source_ref": images["source_ref"],
            "etag": images["etag"],
            "sha256": images["etag"] * 2,
            "phash": [f"{number:016x}" for number in numbers.tolist()],
            "format": "JPEG",
            "orientation": 1,
            "unreadable": "",
            "gone": False,
        }
    )


def make_answers(labels: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """An answer's box a label, by fifty workers, and a consensus report about them."""
    worker = [f"worker-{number:02d}" for number in range(50)]
    place = np.arange(len(labels))
    answers = pd.DataFrame(
        {
            "source_ref": labels["source_ref"].to_numpy(),
            "job": "pens-2026-01-05-1",
            "worker": np.array(worker)[place // 7 % 50],
            "box": place % 7,
            "seconds": 20.0,
        }
    )
    report = [{"worker": name, "compared_answers": 100, "pairwise_f1": 0.8} for name in worker]
    return answers, {"workers": report, "agreement": {"mean": 0.8}}


def _spoil(labels: pd.DataFrame, case: str, random: np.random.Generator) -> pd.DataFrame:
    if case == "clean":
        return labels
    if case == "all bad":
        half = labels.iloc[: len(labels) // 2].assign(left=1900.0, width=100.0)
        return pd.concat([half, half], ignore_index=True)
    parts = np.array_split(random.permutation(len(labels))[: len(labels) // 25], 4)
    labels.loc[parts[0], "left"] = -50.0
    labels.loc[parts[1], "width"] = 0.0
    labels.loc[parts[2], "width"] = 1.0
    copies = labels.iloc[parts[3]]
    return pd.concat([labels.drop(index=labels.index[-len(copies) :]), copies], ignore_index=True)


if __name__ == "__main__":
    main()
