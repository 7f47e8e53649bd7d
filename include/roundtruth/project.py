"""The labeling project: one YAML file, one validated model."""

from __future__ import annotations

import re
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import yaml
from croniter import croniter
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from roundtruth.errors import ProjectError
from roundtruth.storage import ObjectUri

# Together with a round and a job number these must fit Ground Truth's 63 characters (see rounds/names.py).
ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](-?[a-z0-9]){0,23}$")]
S3Folder = Annotated[str, StringConstraints(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?$")]
S3Key = Annotated[str, StringConstraints(pattern=r"^s3://[^/]+/.+$")]
CategoryName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["critical", "warning", "info"]

BOX_CATEGORIES_PER_JOB = 50  # quota "Label categories: bounding box 50" (input-data-limits.md)
OBJECTS_PER_JOB = 100_000  # quota "Dataset: 100,000 objects/job" (input-data-limits.md)
WORKERS_PER_OBJECT = 9  # NumberOfHumanWorkersPerDataObject 1..9 (botocore)


class Settings(BaseModel):
    """Base of every part of a project file: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class TaskPrice(Settings):
    """PublicWorkforceTaskPrice.AmountInUsd: what one worker gets for one image; MTurk only."""

    dollars: int = Field(default=0, ge=0, le=2)
    cents: int = Field(default=0, ge=0, le=99)
    tenth_fractions_of_a_cent: int = Field(default=0, ge=0, le=9)

    @property
    def usd(self) -> float:
        """The price as one number, in US dollars."""
        return self.dollars + self.cents / 100 + self.tenth_fractions_of_a_cent / 1000


class Instructions(Settings):
    """What workers read beside the image; examples are image URLs or s3:// URIs that the page may show."""

    title: str = Field(default="Draw a box around every object", min_length=1, max_length=128)
    description: str = Field(
        default="Draw a tight box around every object of the listed categories.",
        min_length=1,
        max_length=255,
    )
    keywords: tuple[str, ...] = Field(default=("image", "bounding box"), min_length=1, max_length=5)
    text: str = "Draw one tight box around each object. If there is none, submit without a box."
    good_example: str | None = None
    bad_example: str | None = None


class StoppingConditions(Settings):
    """StoppingConditions of CreateLabelingJob."""

    max_human_labeled_object_count: int | None = Field(default=None, ge=1)
    max_percentage_of_input_dataset_labeled: int | None = Field(default=None, ge=1, le=100)


class Labeling(Settings):
    """How Ground Truth labels: team, workers, limits, price."""

    role_arn: str = Field(min_length=20, max_length=2048)
    workteam_arn: str = Field(max_length=256)
    region: str = "us-east-1"
    workers_per_object: int = Field(default=3, ge=1, le=WORKERS_PER_OBJECT)
    max_categories_per_job: int = Field(default=BOX_CATEGORIES_PER_JOB, ge=1, le=BOX_CATEGORIES_PER_JOB)
    max_objects_per_job: int = Field(default=OBJECTS_PER_JOB, ge=1, le=OBJECTS_PER_JOB)
    task_time_limit: int = Field(default=300, ge=30, le=28_800)  # seconds
    task_availability: int | None = Field(default=None, ge=60, le=2_592_000)  # seconds; default: the team's
    max_concurrent_tasks: int = Field(default=1000, ge=1, le=5000)
    price_per_task: TaskPrice | None = None
    service_fee_usd: float = Field(default=0.08, ge=0)  # AWS's own fee an object
    output_kms_key_id: str | None = Field(default=None, max_length=2048)
    volume_kms_key_id: str | None = Field(default=None, max_length=2048)
    output_sns_topic_arn: str | None = None
    auto_labeling: bool = False
    free_of_pii: bool = False
    free_of_adult_content: bool = False
    tags: dict[str, str] = Field(default_factory=dict, max_length=50)
    stopping_conditions: StoppingConditions = StoppingConditions()
    instructions: Instructions = Instructions()
    poll_seconds: int = Field(default=60, ge=1)

    @property
    def is_public(self) -> bool:
        """Whether the work team is Mechanical Turk."""
        return ":workteam/public-crowd/" in self.workteam_arn

    @model_validator(mode="after")
    def _price_goes_with_the_public_team(self) -> Labeling:
        if self.is_public and self.price_per_task is None:
            raise ValueError("a public work team needs price_per_task")
        if not self.is_public and self.price_per_task is not None:
            raise ValueError("price_per_task goes with the public work team only")
        if self.is_public and not self.free_of_pii:
            raise ValueError("a public work team needs free_of_pii: true, or Ground Truth fails the job")
        return self


class Consensus(Settings):
    """When workers count as agreed, and how their boxes become one."""

    method: Literal["majority", "median", "ground-truth"] = "majority"
    min_iou: Share = 0.5  # boxes of two workers that overlap less are different objects
    min_agreement: Share = 0.7  # mean agreement an image needs, 0–1
    relabel_passes: int = Field(default=1, ge=0, le=3)
    relabel_workers: int = Field(default=2, ge=1, le=WORKERS_PER_OBJECT)


class Quality(Settings):
    """Thresholds of the checks, and severities that differ from the default, by check name."""

    # What each check is and why: quality/checks.py. A critical check blocks the release, or quarantines the
    # images that fail it where only they are at fault; a warning is shown; info is counted.
    default_severities: ClassVar[dict[str, Severity]] = {
        "columns_and_types": "critical",
        "label_image_known": "critical",
        "category_known": "critical",
        "box_inside_image": "critical",
        "positive_size": "critical",
        "sliver_clipped": "info",
        "box_side": "warning",
        "aspect_ratio": "warning",
        "box_fills_image": "warning",
        "duplicate_box": "warning",
        "two_classes_on_one_object": "warning",
        "images_accounted_for": "critical",
        "image_listed_once": "critical",
        "status_known": "critical",
        "status_fits_boxes": "critical",
        "size_known": "critical",
        "size_as_drawn": "critical",
        "image_readable": "warning",
        "content_unique": "warning",
        "upright": "info",
        "boxes_per_image": "warning",
        "quarantined_share": "critical",
        "negative_share": "warning",
        "boxes_per_category": "warning",
        "manifest_line_usable": "warning",
        "image_in_one_split": "critical",
        "content_in_one_split": "critical",
        "category_in_every_split": "warning",
        "split_filled": "warning",
        "dataset_file_valid": "critical",
    }

    clip_tolerance: float = Field(default=1, ge=0)  # pixels; a box that sticks out no further is clipped
    min_box_side: float = Field(default=2, ge=0)  # pixels
    max_aspect_ratio: float = Field(default=50, ge=1)
    max_box_share: Share = 0.98  # of the image's area
    duplicate_iou: Share = 0.9
    max_boxes_per_image: int = Field(default=300, ge=1)  # what YOLO's prediction keeps (max_det)
    max_negative_share: Share = 0.9
    max_quarantine_share: Share = 0.2  # of the planned images; more is a broken job, not broken images
    min_boxes_per_category: int = Field(default=1, ge=0)
    severities: dict[str, Severity] = Field(default_factory=dict)

    @field_validator("severities")
    @classmethod
    def _name_checks(cls, severities: dict[str, Severity]) -> dict[str, Severity]:
        for name in severities:
            if name not in cls.default_severities:
                near = get_close_matches(name, cls.default_severities, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"there is no check {name!r}{hint}")
        return severities

    def severity(self, check: str) -> Severity:
        """The severity of a check in this project."""
        return self.severities.get(check, self.default_severities[check])


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
    formats: tuple[Literal["yolo", "voc", "coco", "csv"], ...] = ("yolo",)
    layout: Literal["tree", "packed"] = "tree"
    approval: Literal["auto", "on-warning", "always"] = "auto"
    approval_hours: float = Field(default=72, gt=0)  # without an answer until then nothing is published
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
    categories: tuple[CategoryName, ...] = Field(min_length=1)
    aliases: dict[CategoryName, CategoryName] = Field(default_factory=dict)
    schedule: str | None = "0 6 * * 1"  # null: rounds are only started by hand
    start_date: date = date(2026, 1, 5)
    owner: str = "labeling"
    aws_conn_id: str = "aws_default"
    images: Images = Images()
    selection: Selection = Selection()
    labeling: Labeling
    consensus: Consensus = Consensus()
    quality: Quality = Quality()
    dataset: Dataset
    budget_usd: float | None = Field(default=None, gt=0)

    @field_validator("root")
    @classmethod
    def _without_a_slash(cls, root: str) -> str:
        return root.rstrip("/")

    @field_validator("categories")
    @classmethod
    def _categories_differ(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        seen: dict[str, str] = {}
        for name in categories:
            if name != name.strip():
                raise ValueError(f"{name!r} has spaces around it")
            if name.casefold() in seen:
                raise ValueError(f"{seen[name.casefold()]!r} and {name!r} are the same category")
            seen[name.casefold()] = name
        return categories

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str | None) -> str | None:
        if schedule is not None and not croniter.is_valid(schedule):
            raise ValueError(f"{schedule!r} is not a cron expression of five fields")
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


def load_project(path: Path) -> Project:
    """Read and validate a project file.

    :raises ProjectError: listing every broken key with its rule.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path}: is not YAML: {_one_line(str(error))}.") from error
    if not isinstance(content, dict):
        raise ProjectError(f"{path}: must hold keys and values such as `project: pens`.")
    try:
        return Project.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_explain(dict(detail), content) for detail in error.errors())
        raise ProjectError(f"{path}: {problems}.") from error


def project_files(folder: Path) -> list[Path]:
    """The project files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in {".yaml", ".yml"})


def _explain(detail: dict[str, object], content: object) -> str:
    location = detail["loc"]
    assert isinstance(location, tuple)  # noqa: S101  # pydantic's type is a union
    key = ".".join(str(part) for part in location) or "the whole file"
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return f"{key}: there is no such key{_nearest(location)}"
    if detail["type"] == "missing":
        return f"{key}: is required"
    return f"{key}: {message[:1].lower()}{message[1:]}{_shown(detail, location)}"


def _shown(detail: dict[str, object], location: tuple[object, ...]) -> str:
    value = detail.get("input")
    return f", got {value!r}" if location and isinstance(value, str | int | float | bool) else ""


def _nearest(location: tuple[object, ...]) -> str:
    model: type[BaseModel] | None = Project
    for part in location[:-1]:
        field = model.model_fields.get(str(part)) if model else None
        annotation = field.annotation if field else None
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    names = get_close_matches(str(location[-1]), list(model.model_fields), n=1) if model else []
    return f"; did you mean {names[0]}?" if names else ""


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
