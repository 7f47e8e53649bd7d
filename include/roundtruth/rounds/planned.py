"""A plan as it lies in S3: the table of images a round took, and its jobs."""

from __future__ import annotations

import msgspec
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import from_parquet
from roundtruth.errors import RoundError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.storage import Storage

PLANNED = pa.schema(
    [
        ("source_ref", pa.string()),
        ("etag", pa.string()),
        ("bytes", pa.int64()),
        ("last_modified", pa.timestamp("us", tz="UTC")),
        ("width", pa.int32()),  # stored pixels; null where the image is unreadable
        ("height", pa.int32()),
        ("orientation", pa.int8()),  # EXIF, 1–8
        ("unreadable", pa.string()),  # why nobody can label it; empty where they can
        ("carried_over", pa.bool_()),  # an earlier round gave no label
        ("part", pa.int32()),  # 0-based: which of the round's groups of images, one job (a chunk) each
    ]
)


class PlannedJob(msgspec.Struct, frozen=True, kw_only=True):
    """One labeling job of a round: some of its images, some of the project's categories."""

    name: str
    categories: tuple[str, ...]
    part: int  # 0-based group of images, see PLANNED
    images: int  # without the gold ones
    workers: int  # answers an image
    relabel_pass: int = 0  # 0: the round's first job over these images
    gold: tuple[str, ...] = ()  # source_refs of gold images mixed in; they are no images of the round


class PlannedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table that a plan points at: its file beside plan.json, and its digest."""

    file: str
    sha256: str


class RoundPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a round holds; ``images`` counts all it took, with the unreadable ones."""

    project: str
    round: str
    images: int
    new: int
    carried_over: int
    unreadable: int
    left_out: int = 0  # candidates that the selection passed over; not among images
    jobs: tuple[PlannedJob, ...]
    labeling_usd: float
    relabel_usd: float
    planned: PlannedTable
    gold_truth: PlannedTable | None = None  # JSON lines: the truth of all gold images, see rounds/gold.py

    @property
    def gold(self) -> tuple[str, ...]:
        """The gold images of all jobs, sorted; not among ``images``."""
        return tuple(sorted({ref for job in self.jobs for ref in job.gold}))


def encode_plan(plan: RoundPlan) -> bytes:
    """plan.json; the same plan gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def read_plan(storage: Storage, folder: RoundFolder) -> RoundPlan | None:
    """The plan of a round, or None before it is planned."""
    content = storage.read_if_there(folder.plan)
    return msgspec.json.decode(content.data, type=RoundPlan) if content else None


def require_plan(storage: Storage, folder: RoundFolder) -> RoundPlan:
    """The plan of a round.

    :raises RoundError: when it is not planned yet.
    """
    plan = read_plan(storage, folder)
    if plan is None:
        raise RoundError(f"Round {folder.key!r} has no plan at {folder.plan}; run plan_round first.")
    return plan


def read_planned_images(storage: Storage, folder: RoundFolder, plan: RoundPlan) -> pd.DataFrame:
    """The table of planned images (PLANNED), in the order of their manifests."""
    uri = folder.uri / plan.planned.file
    return from_parquet(storage.read(uri), PLANNED, name=str(uri))
