"""The labeling project: one YAML file, one validated model."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Literal
from unicodedata import normalize

from croniter import CroniterBadDateError, croniter
from pydantic import AfterValidator, Field, Strict, StringConstraints, field_validator, model_validator

from roundtruth.category_names import normalise_category
from roundtruth.dataset_settings import Format, GroupBy, Pinned
from roundtruth.labeling_settings import WORKERS_PER_OBJECT, Labeling, Settings
from roundtruth.operation_settings import Notification, Pages, Training
from roundtruth.quality_settings import Quality, Share
from roundtruth.storage import ObjectUri

# Together with a round and a job number it must fit Ground Truth's 63 characters (see rounds/names.py).
PROJECT_NAME_LIMIT = 24
_PROJECT_NAME = re.compile(r"[a-z0-9](-?[a-z0-9])*")
# Bucket names: Amazon S3 user guide, bucketnamingrules.
_S3_FOLDER = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")
# What Roundtruth and Ground Truth write under a project's root; an image found there would be labeled again.
_OUR_FOLDERS = ("rounds/", "ground_truth_annots/", "datasets/")


def _project_name(name: str) -> str:
    if not _PROJECT_NAME.fullmatch(name) or len(name) > PROJECT_NAME_LIMIT:
        raise ValueError(
            f"must be 1 to {PROJECT_NAME_LIMIT} lower-case letters, digits and single hyphens between them"
        )
    return name


def _s3_folder(folder: str) -> str:
    if not _S3_FOLDER.fullmatch(folder):
        raise ValueError("must be a folder in S3, s3://<bucket>/<folder>")
    path = folder.removeprefix("s3://").rstrip("/")
    if "//" in path or any(part in {".", ".."} for part in path.split("/")):
        raise ValueError("must not hold empty, `.` or `..` parts")
    return folder.rstrip("/")


def _s3_object(uri: str) -> str:
    if not _S3_FOLDER.fullmatch(uri) or uri.endswith("/") or uri.count("/") < 3:
        raise ValueError("must be a file in S3, s3://<bucket>/<key>")
    return uri


ProjectName = Annotated[str, AfterValidator(_project_name)]
S3Folder = Annotated[str, AfterValidator(_s3_folder)]
S3Object = Annotated[str, AfterValidator(_s3_object)]
CategoryName = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(partial(normalize, "NFC"))
]
# What jobs may write: with stray spaces, too.
AliasName = Annotated[
    str, StringConstraints(min_length=1, max_length=256), AfterValidator(normalise_category)
]


class Images(Settings):
    """Where new images arrive and which of them a round takes."""

    prefix: str = "images/"
    # last-modified: those that arrived in the round's window; prefix: those in images/<round>/;
    # none: whatever is not labeled yet.
    partition: Literal["last-modified", "prefix", "none"] = "last-modified"
    minimum: int = Field(default=1, ge=1)  # a round with fewer new images is skipped
    settle_seconds: int = Field(default=300, ge=0)  # the newest image must be this old before a round starts
    wait_minutes: float = Field(default=60, ge=0)  # how long a round waits for enough images

    @field_validator("prefix")
    @classmethod
    def _is_a_folder(cls, prefix: str) -> str:
        if prefix.startswith("/") or not prefix.endswith("/"):
            raise ValueError("must be a folder relative to root, such as images/")
        if "//" in prefix or any(part in {".", ".."} for part in prefix.split("/")):
            raise ValueError("must not hold empty, `.` or `..` parts")
        if prefix.startswith(_OUR_FOLDERS):
            raise ValueError(f"must not lie in {prefix.partition('/')[0]}/, which Roundtruth writes itself")
        return prefix


class Selection(Settings):
    """Which of the new images a round takes."""

    mode: Literal["all", "random", "query"] = "all"
    fraction: Share | None = None
    seed: int = 0
    where: str | None = None  # SQL condition over the image table (DuckDB)
    max_images: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _mode_has_its_keys(self) -> Selection:
        if (self.mode == "random") != (self.fraction is not None):
            raise ValueError("fraction goes with mode: random, and only there")
        if (self.mode == "query") != (self.where is not None):
            raise ValueError("where goes with mode: query, and only there")
        return self

    @property
    def drawn_by(self) -> str:
        """The random draw as text, empty without one: an image that lost it is not drawn by it again."""
        return f"{self.fraction}/{self.seed}" if self.mode == "random" else ""


class Gold(Settings):
    """Images whose truth is known, mixed into the round's first jobs to see how workers do."""

    truth: S3Object  # JSON lines {"source-ref", "boxes"}, or the output manifest of a trusted job
    share: float = Field(default=0.05, gt=0, le=0.5)  # gold images for each other image


class Consensus(Settings):
    """When workers count as agreed, and how their boxes become one."""

    method: Literal["fused", "majority", "median", "ground-truth"] = "fused"
    min_iou: Share = 0.4  # boxes of two workers that overlap less are different objects
    min_agreement: Share = 0.5  # majority, median: mean agreement an image needs, 0–1
    max_doubt: float = Field(default=0.2, ge=0)  # fused: boxes expected to be wrong that an image may have
    relabel_passes: int = Field(default=1, ge=0, le=3)
    relabel_workers: int = Field(default=2, ge=1, le=WORKERS_PER_OBJECT)
    gold: Gold | None = None


class Splits(Settings):
    """Shares of the dataset's splits; they add up to 1."""

    train: Share = 0.8
    val: Share = 0.1
    test: Share = 0.1

    @model_validator(mode="after")
    def _add_up(self) -> Splits:
        if abs(self.train + self.val + self.test - 1) > 1e-6:
            raise ValueError(f"train + val + test must be 1, not {self.train + self.val + self.test:g}")
        return self


class Dataset(Settings):
    """What a release publishes."""

    name: ProjectName
    splits: Splits = Splits()
    group_by: GroupBy | None = None
    pinned: Pinned = Field(default_factory=dict)  # overrides where an image was; takes its group along
    formats: Annotated[tuple[Format, ...], Strict(False)] = ("yolo",)
    layout: Literal["tree", "packed"] = "tree"
    approval: Literal["auto", "on-warning", "always"] = "auto"
    approval_hours: float = Field(default=72, gt=0)  # without an answer until then: approval_default
    approval_default: Literal["discard", "publish", "send-back"] = "discard"
    partial_labels: Literal["wait", "publish"] = "wait"

    @field_validator("formats")
    @classmethod
    def _has_yolo(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if "yolo" not in formats or len(set(formats)) != len(formats):
            raise ValueError("must list yolo, and each format once")
        return formats


class Project(Settings):
    """A labeling project of this deployment."""

    project: ProjectName
    task: Literal["bounding-box"] = "bounding-box"
    root: S3Folder
    categories: Annotated[tuple[CategoryName, ...], Strict(False)] = Field(min_length=1)
    aliases: dict[AliasName, AliasName] = Field(default_factory=dict)
    schedule: str | None = "0 6 * * 1"  # null: rounds are only started by hand
    start_date: Annotated[date, Strict(False)] = date(2026, 1, 5)
    owner: str = "labeling"
    aws_conn_id: str = "aws_default"
    images: Images = Images()
    selection: Selection = Selection()
    labeling: Labeling
    consensus: Consensus = Consensus()
    quality: Quality = Quality()
    dataset: Dataset
    budget_usd: float | None = Field(default=None, gt=0)
    deadline_hours: float | None = Field(
        default=None, gt=0
    )  # a round not done this long after its start is late
    notify: Annotated[tuple[Notification, ...], Strict(False)] = ()
    pages: Pages = Pages()
    training: Training | None = None  # a Dag for each new version

    @field_validator("categories")
    @classmethod
    def _categories_differ(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        seen: dict[str, str] = {}
        for name in categories:
            if name != normalise_category(name) or not name.isprintable():
                raise ValueError(f"{name!r} has spaces around it, or characters that nobody sees")
            if name.casefold() in seen:
                raise ValueError(f"{seen[name.casefold()]!r} and {name!r} are the same category")
            seen[name.casefold()] = name
        return categories

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str | None) -> str | None:
        if schedule is None:
            return None
        if len(schedule.split()) not in {1, 5} or not croniter.is_valid(schedule):
            raise ValueError("must be a cron expression of five fields")
        try:
            croniter(schedule, datetime(2026, 1, 1, tzinfo=UTC)).get_next()
        except CroniterBadDateError:
            raise ValueError("must come round: there is no such day") from None
        # A round's key is its day: a second tick on a day would name the same round again.
        minutes, hours = croniter(schedule).expanded[:2]
        if "*" in (minutes[0], hours[0]) or len(minutes) > 1 or len(hours) > 1:
            raise ValueError("must tick at most once a day, since a round is named by its day")
        return schedule

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Project:
        unknown = sorted(set(self.aliases.values()) - set(self.categories))
        if unknown:
            raise ValueError(f"aliases lead to categories that are not listed: {', '.join(unknown)}")
        both = sorted(set(self.aliases) & set(self.categories))
        if both:
            raise ValueError(f"a category cannot be an alias too: {', '.join(both)}")
        return self

    @property
    def root_uri(self) -> ObjectUri:
        """The folder in S3 that holds everything of the project."""
        return ObjectUri.parse(self.root)

    @property
    def images_uri(self) -> ObjectUri:
        """The folder where new images arrive."""
        return self.root_uri / self.images.prefix
