"""Rounds made of finished jobs in memory, for tests: importing them, and what their tables then say."""

from __future__ import annotations

from typing import Any

import pandas as pd

from roundtruth.annotations import ANSWERS, IMAGES, LABELS, from_parquet
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.imports.sources import JobSource
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.stages import labeling_round
from roundtruth.stages.round_import import read_jobs
from roundtruth.storage import Storage
from tests.finished_jobs import label, put_job
from tests.memory_store import put_blank
from tests.project_samples import make_project
from tests.round_runs import finish_without_checks

PEN = ("pen", 10, 20, 40, 50)
PEN_MOVED = ("pen", 14, 22, 40, 50)
PENCIL = ("pencil", 150, 30, 60, 20)
ERASER = ("eraser", 200, 150, 40, 40)
THREE = ("pencil", "pen", "eraser")
OLD = "s3://old-bucket/photos"  # where the images of years ago lie: not the project's bucket
KEY = "2024-03-01"


def image(storage: Storage, name: str) -> dict[str, Any]:
    """A line about an image of the old bucket."""
    return {"source-ref": put_blank(storage, f"{OLD}/{name}.png")}


def imported(
    storage: Storage, *jobs: str | JobSource, key: str = KEY, project: Project | None = None, **options: Any
) -> RoundRecord:
    """Import jobs and record the round, without the quality gate (Great Expectations takes seconds)."""
    project = project or make_project()
    sources = [JobSource(uri=job) if isinstance(job, str) else job for job in jobs]
    read_jobs(storage, project, key, sources, **options)
    assert labeling_round.measure(storage, project, key, relabel_pass=0) == []
    labeling_round.merge(storage, project, key)
    finish_without_checks(storage, project, key)
    record = read_record(storage, round_folder(project, key))
    assert record is not None
    assert record.spent_usd == 0
    assert record.imported
    return record


def table_of(storage: Storage, name: str, project: Project | None = None, key: str = KEY) -> pd.DataFrame:
    folder = round_folder(project or make_project(), key)
    schema = {"labels": LABELS, "images": IMAGES, "answers": ANSWERS}[name]
    return from_parquet(storage.read(getattr(folder, name)), schema, name=name)


def boxes_of(storage: Storage, name: str, **where: Any) -> list[tuple[Any, ...]]:
    labels = table_of(storage, "labels", **where)
    of_image = labels[labels["source_ref"] == f"{OLD}/{name}.png"]
    columns = of_image[["category", "left", "top", "width", "height"]].round(6)
    return sorted(columns.itertuples(index=False, name=None))


def statuses(storage: Storage, **where: Any) -> dict[str, str]:
    images = table_of(storage, "images", **where)
    names = [str(ref).rpartition("/")[2].removesuffix(".png") for ref in images["source_ref"]]
    return dict(zip(names, images["status"], strict=True))


def chain(storage: Storage, *, adjusted_answers: bool = True) -> tuple[str, str]:
    """A job of three workers, and an adjustment job of one worker over two of its three images."""
    images = [image(storage, name) for name in "abc"]
    base = [row | label("boxes", "base", [PEN]) for row in images]
    three = {worker: [PEN] for worker in ("w1", "w2", "w3")}
    one = put_job(storage, "s3://jobs/base", base, answers=dict.fromkeys(range(3), three))
    changed = label("better", "adjust", [PEN_MOVED], day=8, **{"adjustment-status": "adjusted"})
    same = label("better", "adjust", [PEN], day=8, **{"adjustment-status": "unadjusted"})
    two = put_job(
        storage,
        "s3://jobs/adjust",
        [base[0] | changed, base[1] | same, base[2]],
        answers={0: {"w9": [PEN_MOVED]}, 1: {"w9": [PEN]}} if adjusted_answers else None,
    )
    return one, two
