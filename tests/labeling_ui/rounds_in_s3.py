"""Rounds written straight into S3, for lists of them: what a listing reads, as the steps write it."""

from __future__ import annotations

from typing import Any

import msgspec

from roundtruth import __version__
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import PlannedJob, PlannedTable, RoundPlan, encode_plan
from roundtruth.rounds.record import RecordedJob, RoundRecord
from roundtruth.storage import Storage


def write_plan(storage: Storage, project: Project, key: str, *, images: int = 10, jobs: int = 1) -> RoundPlan:
    """A planned round with its jobs, each over all images."""
    made = tuple(
        PlannedJob(
            name=f"{project.project}-{key}-{number}",
            categories=project.categories,
            part=0,
            images=images,
            workers=3,
        )
        for number in range(1, jobs + 1)
    )
    plan = RoundPlan(
        project=project.project,
        round=key,
        images=images,
        new=images,
        carried_over=0,
        unreadable=0,
        jobs=made,
        labeling_usd=images * 0.08,
        relabel_usd=images * 0.04,
        planned=PlannedTable(file="planned.parquet", sha256="0" * 64),
    )
    storage.write(_folder(project, key).plan, encode_plan(plan))
    return plan


def write_recorded(
    storage: Storage,
    project: Project,
    key: str,
    *,
    counts: dict[str, int] | None = None,
    agreement: float | None = 0.9,
    warnings: int = 0,
    **changes: Any,
) -> RoundRecord:
    """A recorded round: plan, report, verdict, record."""
    counts = counts or {"labeled": 8, "disputed": 2}
    plan = write_plan(storage, project, key, images=sum(counts.values()))
    folder = _folder(project, key)
    record = RoundRecord(
        project=project.project,
        round=key,
        roundtruth=__version__,
        images=sum(counts.values()),
        counts=counts,
        boxes=20,
        answers=30,
        jobs=tuple(
            RecordedJob(
                name=job.name,
                arn=f"arn:aws:sagemaker:us-east-1:123456789012:labeling-job/{job.name}",
                label_attribute="boxes",
                categories=job.categories,
                output_uri=f"s3://some-bucket/{job.name}",
                relabel_pass=0,
                images=job.images,
                workers=job.workers,
            )
            for job in plan.jobs
        ),
        files={},
        **({"spent_usd": 0.8} | changes),
    )
    failed = [{"check": f"check-{number}"} for number in range(warnings)]
    storage.write(folder.consensus, msgspec.json.encode({"agreement": {"mean": agreement}, "workers": []}))
    storage.write(folder.quality, msgspec.json.encode({"passed": True, "warnings": failed}))
    storage.write(folder.record, msgspec.json.encode(record))
    return record


def _folder(project: Project, key: str) -> RoundFolder:
    return RoundFolder(rounds_folder(project) / key)
