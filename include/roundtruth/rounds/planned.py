"""A plan as it lies in S3: the table of images a round took, and its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from roundtruth.annotations import from_parquet, table
from roundtruth.errors import RoundError
from roundtruth.rounds.attempts import attempt_name, current_attempt, earlier_attempts
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.requested import RoundRequest
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json

if TYPE_CHECKING:
    import pandas as pd

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


# Candidates that the selection left out and that later rounds have to know of.
LEFT_OUT = pa.schema(
    [
        ("source_ref", pa.string()),
        ("etag", pa.string()),
        ("lost_draw", pa.bool_()),  # by mode: random; false: cut off by max_images, it waits
    ]
)


class ImportedJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a finished job that was imported, and what its images brought."""

    label_attribute: str
    job_name: str  # as the manifest names it; empty where it does not
    output_uris: tuple[str, ...]
    labels_from: str  # answers, consolidated, both, or none where nothing was labeled
    asked: str  # label-categories: the job's own list; labels: only the categories that it used are known
    adjusts: bool  # an adjustment job
    labeled: int
    negative: int
    failed: int
    unlabeled: int
    answers: int
    superseded: int  # images whose label by another of the jobs counts
    problems: tuple[str, ...] = ()


class PlannedJob(msgspec.Struct, frozen=True, kw_only=True):
    """One labeling job of a round: some of its images, some of the project's categories."""

    name: str
    categories: tuple[str, ...]
    part: int  # 0-based group of images, see PLANNED
    images: int  # without the gold ones
    workers: int  # answers an image
    relabel_pass: int = 0  # 0: the round's first job over these images
    gold: tuple[str, ...] = ()  # source_refs of gold images mixed in; they are no images of the round
    imported: ImportedJob | None = None


class PlannedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table that a plan points at: its file beside plan.json, and its digest."""

    file: str
    sha256: str


class ImportedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A finished job's output that a round was imported from."""

    uri: str  # the job's folder, or a manifest that lies alone
    manifest_sha256: str
    label_categories: str | None = None  # where its label category config was said to lie
    answers: bool = True  # false: its workers' answers were passed over on purpose
    job_arn: str = ""  # where the job was named, not its files: these do not say it


class ImportedFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What an imported round was made from: importing again can tell whether it is the same."""

    sources: tuple[ImportedSource, ...]
    moved: dict[str, str] = {}  # old beginning of source-refs -> where these images lie now


class RoundPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a round holds; ``images`` counts all it took, with the unreadable ones."""

    project: str
    round: str
    images: int
    new: int
    carried_over: int
    unreadable: int
    left_out: int = 0  # candidates that the selection passed over; not among images
    left_out_images: PlannedTable | None = None  # those of them that later rounds have to know of
    drawn_by: str = ""  # the random draw that they lost, see Selection.drawn_by
    jobs: tuple[PlannedJob, ...]
    labeling_usd: float
    relabel_usd: float
    planned: PlannedTable
    gold_truth: PlannedTable | None = None  # JSON lines: the truth of all gold images, see rounds/gold.py
    imported: ImportedFrom | None = None  # jobs that were over before: nothing is labeled or paid
    requested: RoundRequest | None = None  # what was asked for when the round was started by hand
    attempt: int = 1  # which attempt at the round the names of the jobs belong to; plan.json holds the first

    @property
    def gold(self) -> tuple[str, ...]:
        """The gold images of all jobs, sorted; not among ``images``."""
        return tuple(sorted({ref for job in self.jobs for ref in job.gold}))


def encode_plan(plan: RoundPlan) -> bytes:
    """plan.json; the same plan gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def read_plan(storage: Storage, folder: RoundFolder, attempt: int | None = None) -> RoundPlan | None:
    """The plan of a round with the jobs of an attempt, the newest without one; None before it is planned."""
    content = storage.read_if_there(folder.plan)
    if content is None:
        return None
    plan = decode_json(content.data, RoundPlan)
    return of_attempt(plan, attempt or current_attempt(storage, folder).attempt)


def plans_of_earlier_attempts(storage: Storage, folder: RoundFolder, before: int) -> tuple[RoundPlan, ...]:
    """The plan with the jobs of each attempt before one, by its number; the first one first."""
    content = storage.read_if_there(folder.plan)
    if content is None:
        return ()
    plan = decode_json(content.data, RoundPlan)
    return tuple(of_attempt(plan, one.attempt) for one in earlier_attempts(storage, folder, before))


def of_attempt(plan: RoundPlan, attempt: int) -> RoundPlan:
    """The plan as plan.json has it, with the names that the jobs have in an attempt."""
    jobs = tuple(msgspec.structs.replace(job, name=attempt_name(job.name, attempt)) for job in plan.jobs)
    return msgspec.structs.replace(plan, jobs=jobs, attempt=attempt)


def read_left_out(storage: Storage, folder: RoundFolder) -> tuple[str, pd.DataFrame]:
    """The draw of a planned round and the images (LEFT_OUT) that later rounds have to know of."""
    content = storage.read_if_there(folder.plan)
    plan = decode_json(content.data, RoundPlan) if content else None
    if plan is None or plan.left_out_images is None:
        return "", table([], LEFT_OUT)
    uri = folder.uri / plan.left_out_images.file
    return plan.drawn_by, from_parquet(storage.read(uri), LEFT_OUT, name=str(uri))


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
