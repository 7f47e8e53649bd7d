"""A round of several jobs with made-up answers, in a folder: to see what its stages hold in memory.

``PYTHONPATH=include python -m tests.large_round FOLDER JOBS IMAGES`` makes one of JOBS jobs of IMAGES images
each, runs measure and merge over it in a process of their own, and prints peak memory and processor time.
"""

from __future__ import annotations

import hashlib
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from obstore.store import LocalStore

from roundtruth.annotations import ANSWERS, LABELS, to_parquet
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.planned import PLANNED, PlannedJob, PlannedTable, RoundPlan, encode_plan, require_plan
from roundtruth.stages.fused_answers import fuse_answers
from roundtruth.storage import Storage
from tests.project_samples import make_project

KEY = "2026-01-05"
WORKERS, POOL, BOXES = 3, 20, 7
PLACE = ["left", "top", "width", "height"]


class _EveryBucketIsThere:
    def head_bucket(self, **_: Any) -> dict[str, Any]:
        return {}


def folder_storage(folder: Path) -> Storage:
    """Storage whose buckets are folders."""

    def open_bucket(bucket: str) -> Any:
        return LocalStore(folder / bucket, mkdir=True)

    return Storage(open_bucket, _EveryBucketIsThere())


def large_project() -> Project:
    return make_project(quality={"near_duplicates": False})


def put_large_round(storage: Storage, project: Project, jobs: int, images: int) -> RoundPlan:
    """Plan a round and put the collected tables of its jobs, as ``collect`` leaves them."""
    folder = round_folder(project, KEY)
    planned = [
        PlannedJob(
            name=f"pens-{KEY}-{number + 1}",
            categories=project.categories,
            part=number,
            images=images,
            workers=WORKERS,
        )
        for number in range(jobs)
    ]
    tables = [_planned(number, images) for number in range(jobs)]
    content = to_parquet(pd.concat(tables, ignore_index=True), PLANNED)
    storage.write(folder.uri / "planned.parquet", content)
    plan = RoundPlan(
        project=project.project,
        round=KEY,
        images=jobs * images,
        new=jobs * images,
        carried_over=0,
        unreadable=0,
        jobs=tuple(planned),
        labeling_usd=0.0,
        relabel_usd=0.0,
        planned=PlannedTable(file="planned.parquet", sha256=hashlib.sha256(content).hexdigest()),
    )
    storage.write(folder.plan, encode_plan(plan))
    for number, job in enumerate(planned):
        _put_job(storage, folder, job, number)
    return plan


def _refs(number: int, images: int) -> np.ndarray:
    return np.array(
        [f"s3://some-bucket/boxes/images/{number:02d}/{one:06d}.jpg" for one in range(images)], object
    )


def _planned(number: int, images: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source_ref": _refs(number, images),
            "etag": "0" * 32,
            "bytes": 100_000,
            "last_modified": pd.Timestamp("2026-01-02", tz="UTC"),
            "width": 1280,
            "height": 960,
            "orientation": 1,
            "unreadable": "",
            "carried_over": False,
            "part": number,
        }
    )


def _put_job(storage: Storage, folder: RoundFolder, job: PlannedJob, number: int) -> None:
    chance = np.random.default_rng(number)
    refs = _refs(number, job.images)
    image = np.repeat(np.arange(job.images), np.maximum(chance.poisson(BOXES, job.images), 1))
    side = chance.uniform(40, 200, (len(image), 2))
    truth = np.concatenate([chance.uniform(0, 1, (len(image), 2)) * ([1280, 960] - side), side], axis=1)
    category = chance.integers(0, len(job.categories), len(image))
    parts = [_drawn(chance, image, truth, category, slot) for slot in range(WORKERS)]
    rows = pd.concat(parts, ignore_index=True).sort_values(
        ["image", "worker"], kind="stable", ignore_index=True
    )
    rows["box"] = rows.groupby(["image", "worker"]).cumcount()
    rows["source_ref"] = refs[rows["image"]]
    rows["category"] = np.array(job.categories, object)[rows["named"]]
    rows["worker"] = np.array([f"private.us-east-1.{one:016x}" for one in range(POOL)], object)[
        rows["worker"]
    ]
    answers = rows.assign(
        job=job.name,
        image_width=1280,
        image_height=960,
        seconds=chance.uniform(5, 60, len(rows)).round(3),
        submitted="2026-01-05T10:00:00.000Z",
    )
    consolidated = pd.DataFrame(truth + chance.normal(0, 2, truth.shape), columns=PLACE).assign(
        source_ref=refs[image],
        category=np.array(job.categories, object)[category],
        score=0.9,
        votes=pd.NA,
        answers=pd.NA,
        job=job.name,
    )
    objects = pd.DataFrame(
        {
            "source_ref": refs,
            "status": "labeled",
            "reason": "",
            "width": 1280,
            "height": 960,
            "answers": WORKERS,
        }
    )
    inputs = folder.job(job.name)
    storage.write(inputs.answers, to_parquet(answers, ANSWERS))
    storage.write(inputs.consolidated, to_parquet(consolidated, LABELS))
    storage.write(inputs.objects, to_parquet(objects, OBJECTS))


def _drawn(
    chance: np.random.Generator, image: np.ndarray, truth: np.ndarray, category: np.ndarray, slot: int
) -> pd.DataFrame:
    """What one worker an image draws: most of the objects, with a slip, some named otherwise."""
    noticed = chance.random(len(image)) < 0.93
    drawn = truth[noticed] + chance.normal(0, 3, (int(noticed.sum()), 4))
    slips = chance.random(len(drawn)) < 0.04
    frame = pd.DataFrame(drawn, columns=PLACE)
    return frame.assign(
        image=image[noticed],
        worker=(image[noticed] * WORKERS + slot) % POOL,
        named=np.where(slips, 0, category[noticed]),
    )


def stage_costs(storage: Storage) -> dict[str, float]:
    """Run measure and merge; peak memory in MB, processor time in seconds."""
    from roundtruth.stages import labeling_round

    project = large_project()
    folder = round_folder(project, KEY)
    plan = require_plan(storage, folder)
    started = time.process_time()
    fuse_answers(storage, project, folder, plan, plan.jobs)
    measured = time.process_time()
    labeling_round.merge(storage, project, KEY)
    return {
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "measure_seconds": measured - started,
        "merge_seconds": time.process_time() - measured,
    }


def costs_in_a_process(folder: Path, jobs: int, images: int) -> dict[str, float]:
    """Make a round and run its stages in a process of their own."""
    put_large_round(folder_storage(folder), large_project(), jobs, images)
    command = [sys.executable, "-m", "tests.large_round", str(folder)]
    found = subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
    costs: dict[str, float] = json.loads(found.stdout)
    return costs


if __name__ == "__main__":
    place, *size = sys.argv[1:]
    if size:
        sys.stdout.write(json.dumps(costs_in_a_process(Path(place), *map(int, size))))
    else:
        sys.stdout.write(json.dumps(stage_costs(folder_storage(Path(place)))))
