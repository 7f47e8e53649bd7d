"""How Ground Truth labels a project's images: team, workers, limits, price, instructions."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

BOX_CATEGORIES_PER_JOB = 50  # quota "Label categories: bounding box 50" (input-data-limits.md)
OBJECTS_PER_JOB = 100_000  # quota "Dataset: 100,000 objects/job" (input-data-limits.md)
WORKERS_PER_OBJECT = 9  # NumberOfHumanWorkersPerDataObject 1..9 (botocore)

# RoleArn and WorkteamArn as botocore's model has them, narrowed to what a labeling job can use.
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_WORKTEAM = re.compile(
    r"arn:aws[a-z-]*:sagemaker:([a-z0-9-]+):\d{12}:workteam/(public|private|vendor)-crowd/.+"
)


class Settings(BaseModel):
    """Base of every part of a project file: unknown keys and other types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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
    # A list in YAML: hence not strict.
    keywords: Annotated[tuple[str, ...], Strict(False)] = Field(
        default=("image", "bounding box"), min_length=1, max_length=5
    )
    text: str = "Draw one tight box around each object. If there is none, submit without a box."
    good_example: str | None = None
    bad_example: str | None = None

    @field_validator("good_example", "bad_example")
    @classmethod
    def _can_be_shown(cls, example: str | None) -> str | None:
        if example is None:
            return None
        if not example.startswith(("https://", "http://", "s3://")):
            raise ValueError("must be the address of an image: https://… or s3://…")
        # The key stands in a Liquid string, which knows no escapes and ends at a brace.
        if example.startswith("s3://") and any(character in example for character in '"{}\n'):
            raise ValueError("an s3:// example must not hold double quotes, braces or line ends")
        return example


class StoppingConditions(Settings):
    """StoppingConditions of CreateLabelingJob."""

    max_human_labeled_object_count: int | None = Field(default=None, ge=1)
    max_percentage_of_input_dataset_labeled: int | None = Field(default=None, ge=1, le=100)


class Vpc(Settings):
    """VpcConfig of the instances that automated labeling trains on."""

    security_group_ids: Annotated[tuple[str, ...], Strict(False)] = Field(min_length=1, max_length=5)
    subnets: Annotated[tuple[str, ...], Strict(False)] = Field(min_length=1, max_length=16)


class FeeStep(Settings):
    """A step of AWS's fee: what each object costs, up to so many objects in a month."""

    up_to: int | None = Field(default=None, ge=1)  # objects; null: all further ones
    usd: float = Field(ge=0)


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
    # AWS's own fee an object: one number, or a table of steps by objects.
    service_fee_usd: Annotated[float, Field(ge=0)] | Annotated[tuple[FeeStep, ...], Strict(False)] = 0.08
    output_kms_key_id: str | None = Field(default=None, max_length=2048)
    output_sns_topic_arn: str | None = None
    auto_labeling: bool = False  # from 1,250 objects on; the three keys below go with it
    initial_model_arn: str | None = None  # a model of an earlier auto-labeling job, to start from
    volume_kms_key_id: str | None = Field(default=None, max_length=2048)
    vpc: Vpc | None = None
    free_of_pii: bool = False
    free_of_adult_content: bool = False
    tags: dict[str, str] = Field(default_factory=dict, max_length=50)
    stopping_conditions: StoppingConditions = StoppingConditions()
    instructions: Instructions = Instructions()
    poll_seconds: int = Field(default=60, ge=1)
    stalled_after_hours: float | None = Field(default=None, gt=0)  # no image labeled for so long: reported
    # Attempts without a person at a job that fails by itself; one more is made whenever its task is cleared.
    job_attempts: int = Field(default=1, ge=1, le=9)
    pool: str = Field(default="default_pool", min_length=1, max_length=256)  # one slot a running labeling job

    @field_validator("service_fee_usd")
    @classmethod
    def _steps_rise(cls, fee: float | tuple[FeeStep, ...]) -> float | tuple[FeeStep, ...]:
        if isinstance(fee, tuple):
            ends = [step.up_to for step in fee]
            known = [end for end in ends[:-1] if end is not None]
            if not fee or ends[-1] is not None or len(known) < len(ends) - 1 or sorted(set(known)) != known:
                raise ValueError(
                    "must be a number, or steps {up_to, usd} with rising up_to, the last one without"
                )
        return fee

    def fee_usd(self, objects: int, *, after: int = 0) -> float:
        """AWS's fee for so many objects, in US dollars, when ``after`` others went before them.

        The steps are counted from the round's first object on, since what other rounds and projects of the
        account used of the month is not known here: it is the most that these objects can cost.
        """
        if not isinstance(self.service_fee_usd, tuple):
            return objects * self.service_fee_usd
        fee, start = 0.0, 0
        for step in self.service_fee_usd:
            end = after + objects if step.up_to is None else min(step.up_to, after + objects)
            fee += max(0, end - max(start, after)) * step.usd
            start = end if step.up_to is None else step.up_to
        return fee

    @field_validator("role_arn")
    @classmethod
    def _is_a_role(cls, arn: str) -> str:
        if not _ROLE.fullmatch(arn):
            raise ValueError("must be the ARN of an IAM role, arn:aws:iam::<12 digits>:role/<name>")
        return arn

    @field_validator("workteam_arn")
    @classmethod
    def _is_a_workteam(cls, arn: str) -> str:
        if not _WORKTEAM.fullmatch(arn):
            raise ValueError(
                "must be the ARN of a work team, "
                "arn:aws:sagemaker:<region>:<12 digits>:workteam/<public, private or vendor>-crowd/<name>"
            )
        return arn

    @model_validator(mode="after")
    def _team_is_in_the_region(self) -> Labeling:
        region = self.workteam_arn.split(":")[3]
        if region != self.region:
            raise ValueError(f"region is {self.region}, but workteam_arn is in {region}")
        return self

    @model_validator(mode="after")
    def _training_goes_with_auto_labeling(self) -> Labeling:
        for key in ("initial_model_arn", "volume_kms_key_id", "vpc"):
            if getattr(self, key) is not None and not self.auto_labeling:
                raise ValueError(f"{key} goes with auto_labeling: true only")
        return self

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
