"""Planning a round in a bucket of a million images: listing, subtracting, choosing, splitting, manifests.

Run: python -m benchmarks.bench_planning [--keys 1000000] [--new 100000] [--runs 5] > page.md
The listing comes from null_s3.py (a page of a thousand keys a request), so it costs the client what S3's own
would; the files of earlier rounds are in memory. Nine rounds took what is not new. The headers of the new
images are not read here (bench_transfers.py has them): they cost as much each, however many there are.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Any

import pandas as pd

from benchmarks.bench_publish import CountingStorage, make_project
from benchmarks.bench_transfers import null_s3, session
from ground_truth.input_manifest import manifest_bytes
from roundtruth.annotations import IMAGES, to_parquet
from roundtruth.project import Project
from roundtruth.rounds import candidates
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.job_inputs import write_job_inputs
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import read_plan, read_planned_images
from roundtruth.rounds.record import RoundRecord, file_digests, record_round
from roundtruth.storage import ObjectUri, Storage

EARLIER = 9  # rounds


class ListedStorage(CountingStorage):
    """S3 in memory but for the images, which a server lists."""

    def __init__(self, endpoint: str, images: ObjectUri) -> None:
        super().__init__()
        self._images = images
        self._server = Storage.from_session(session(), endpoint_url=endpoint)

    def list_objects(self, prefix: ObjectUri) -> Any:
        """The images from the server."""
        return self._server.list_objects(prefix) if prefix == self._images else super().list_objects(prefix)


def main() -> None:
    """Measure in a process of its own, print the page."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--keys", type=int, default=1_000_000)
    arguments.add_argument("--new", type=int, default=100_000)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--measure", action="store_true")
    chosen = arguments.parse_args()
    if chosen.measure:
        with null_s3() as endpoint:
            print(json.dumps(measure(endpoint, chosen.keys, chosen.new)))
        return
    print(
        "| images listed | of them new | jobs | CPU, s | of it planning | job inputs, manifests | peak, MB |"
    )
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for keys, new in ((chosen.keys // 10, chosen.new // 10), (chosen.keys, chosen.new)):
        runs = [_measured(keys, new) for _ in range(chosen.runs)]
        row = {name: median(run[name] for run in runs) for name in runs[0]}
        cpu = sorted(run["planning"] + run["manifests"] for run in runs)
        print(
            f"| {keys:,} | {new:,} | {row['jobs']:.0f} | **{median(cpu):.1f}** ({cpu[0]:.1f}–{cpu[-1]:.1f}) "
            f"| {row['planning']:.1f} | {row['manifests']:.1f} | {row['peak']:.0f} |",
            flush=True,
        )
    print(f"\nMedians of {chosen.runs} runs (lowest–highest), each in a process of its own.")


def _measured(keys: int, new: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bench_planning", "--measure", f"--keys={keys}"]
    run = subprocess.run([*command, f"--new={new}"], check=True, capture_output=True, text=True)
    row: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return row


def measure(endpoint: str, keys: int, new: int) -> dict[str, float]:
    """Plan a round and write the manifests of its jobs."""
    project = _project(keys, new)
    storage = ListedStorage(endpoint, project.images_uri)
    taken = keys - new
    for number in range(EARLIER):
        _put_round(
            storage, project, number, range(taken * number // EARLIER, taken * (number + 1) // EARLIER)
        )
    candidates.with_headers = lambda _, chosen: chosen.assign(width=640, height=480, orientation=1)
    started = time.process_time()
    plan = plan_round(storage, project, "2026-06-01")
    planned = time.process_time()
    assert plan is not None
    assert plan.images == new
    folder = round_folder(project, "2026-06-01")
    plan = read_plan(storage, folder)
    assert plan is not None
    images = read_planned_images(storage, folder, plan)
    for job in plan.jobs:
        refs = images.loc[images["part"] == job.part, "source_ref"].tolist()
        inputs = write_job_inputs(storage, project, folder, job, refs)
        storage.write(ObjectUri.parse(inputs["manifest_uri"]), manifest_bytes(refs))
    done = time.process_time()
    return {
        "planning": planned - started,
        "manifests": done - planned,
        "jobs": len(plan.jobs),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _project(keys: int, new: int) -> Project:
    project = make_project("packed").model_dump(mode="json", exclude_defaults=True)
    images = {"prefix": f"keys-{keys}/", "partition": "none"}
    labeling = project["labeling"] | {"max_objects_per_job": max(new // 10, 1)}
    return Project.model_validate(project | {"images": images, "labeling": labeling})


def _put_round(storage: CountingStorage, project: Project, number: int, places: range) -> None:
    key = f"2026-01-{number + 1:02d}"
    bucket, prefix = project.images_uri.bucket, project.images_uri.key.rstrip("/")
    count = len(places)
    frame = pd.DataFrame(
        {
            "source_ref": [f"s3://{bucket}/{prefix}/{n // 1000:04d}/photo-{n:07d}.jpg" for n in places],
            "etag": [f"{n:032x}" for n in places],
            "bytes": [290] * count,
            "width": [640] * count,
            "height": [480] * count,
            "orientation": [1] * count,
            "status": ["labeled"] * count,
            "reason": [""] * count,
            "answers": [3] * count,
            "agreement": [0.9] * count,
        }
    )
    folder = round_folder(project, key)
    storage.write(folder.images, to_parquet(frame, IMAGES))
    record = RoundRecord(
        project=project.project,
        round=key,
        roundtruth="0",
        images=count,
        counts={"labeled": count},
        boxes=0,
        answers=0,
        spent_usd=0.0,
        jobs=(),
        files=file_digests(storage, {"images.parquet": folder.images}),
    )
    record_round(storage, folder, record)


if __name__ == "__main__":
    main()
