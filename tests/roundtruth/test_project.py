from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from roundtruth.errors import ProjectError
from roundtruth.project import Project
from roundtruth.project_files import load_project
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri
from tests.project_samples import ABSENT, PUBLIC_TEAM, load_changed, make_project

PENS = Path(__file__).parents[2] / "include" / "projects" / "pens.yaml"
OTHER_REGION = "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/team"
PUBLIC = {"labeling__workteam_arn": PUBLIC_TEAM, "labeling__free_of_pii": True}


# Each row: what is changed in a valid file, the key the error names, words of the rule.
RULES: list[tuple[str, dict[str, Any], str, str]] = [
    ("no project", {"project": ABSENT}, "project: ", "is required"),
    ("project of another type", {"project": 7}, "project: ", "must be text, got 7"),
    (
        "project in capitals",
        {"project": "Pens"},
        "project: ",
        "lower-case letters, digits and single hyphens",
    ),
    ("project with a space", {"project": "my pens"}, "project: ", "lower-case"),
    ("project with two hyphens", {"project": "a--b"}, "project: ", "single hyphens"),
    ("project ends in a hyphen", {"project": "a-"}, "project: ", "single hyphens"),
    ("project too long", {"project": "a" * 25}, "project: ", "must be 1 to 24"),
    ("project too long by hyphens", {"project": "-".join("abcdefghijklm")}, "project: ", "must be 1 to 24"),
    ("project with a line end", {"project": "pens\n"}, "project: ", "lower-case"),
    ("dataset name", {"dataset__name": "Pens 2"}, "dataset.name: ", "lower-case"),
    ("no dataset name", {"dataset__name": ABSENT}, "dataset.name: ", "is required"),
    ("another task", {"task": "polygon"}, "task: ", "'bounding-box'"),
    ("root on disk", {"root": "/data"}, "root: ", "s3://<bucket>/<folder>"),
    ("root with a bad bucket", {"root": "s3://Bad_Bucket/x"}, "root: ", "s3://<bucket>/<folder>"),
    ("root with an empty part", {"root": "s3://bucket/a//b"}, "root: ", "empty, `.` or `..` parts"),
    ("root with dots", {"root": "s3://bucket/a/../b"}, "root: ", "empty, `.` or `..` parts"),
    ("no categories", {"categories": []}, "categories: ", "must list 1 or more, got 0"),
    ("categories as text", {"categories": "pen"}, "categories: ", "must be a list"),
    ("a category that YAML reads as true", {"categories": [True]}, "categories.0: ", "must be text"),
    ("an empty category", {"categories": [""]}, "categories.0: ", "must have 1 or more characters"),
    ("a long category", {"categories": ["x" * 257]}, "categories.0: ", "at most 256"),
    ("categories twice", {"categories": ["pen", "pen"]}, "categories: ", "the same category"),
    ("categories that differ by case", {"categories": ["Pen", "pen"]}, "categories: ", "'Pen' and 'pen'"),
    ("a category with spaces", {"categories": ["pen "]}, "categories: ", "spaces around it"),
    ("a category nobody can read", {"categories": ["pen\u200b"]}, "categories: ", "nobody sees"),
    ("an alias to nothing", {"aliases": {"biro": "marker"}}, "the whole file: ", "not listed: marker"),
    ("an alias of a category", {"aliases": {"pen": "pencil"}}, "the whole file: ", "alias too: pen"),
    ("no cron expression", {"schedule": "every monday"}, "schedule: ", "five fields, got 'every monday'"),
    ("a schedule with seconds", {"schedule": "0 6 * * 1 0"}, "schedule: ", "five fields"),
    ("a schedule that never comes", {"schedule": "0 6 31 2 *"}, "schedule: ", "no such day"),
    ("an hourly schedule", {"schedule": "0 * * * *"}, "schedule: ", "at most once a day"),
    ("a schedule twice a day", {"schedule": "0 6,18 * * *"}, "schedule: ", "at most once a day"),
    ("@hourly", {"schedule": "@hourly"}, "schedule: ", "at most once a day"),
    ("no date", {"start_date": "soon"}, "start_date: ", "must be a date such as 2026-01-05, got"),
    ("images elsewhere", {"images__prefix": "/images/"}, "images.prefix: ", "relative to root"),
    ("images in a file", {"images__prefix": "images"}, "images.prefix: ", "relative to root"),
    ("images above root", {"images__prefix": "../x/"}, "images.prefix: ", "`..` parts"),
    ("images among rounds", {"images__prefix": "rounds/x/"}, "images.prefix: ", "must not lie in rounds/"),
    (
        "images among datasets",
        {"images__prefix": "datasets/"},
        "images.prefix: ",
        "must not lie in datasets/",
    ),
    ("an unknown partition", {"images__partition": "day"}, "images.partition: ", "'last-modified'"),
    ("no images needed", {"images__minimum": 0}, "images.minimum: ", "greater than or equal to 1, got 0"),
    ("settling backwards", {"images__settle_seconds": -1}, "images.settle_seconds: ", "equal to 0, got -1"),
    ("random without fraction", {"selection": {"mode": "random"}}, "selection: ", "fraction goes with"),
    ("fraction without random", {"selection": {"fraction": 0.5}}, "selection: ", "fraction goes with"),
    ("too large a fraction", {"selection": {"mode": "random", "fraction": 2}}, "selection.fraction: ", "1"),
    ("query without where", {"selection": {"mode": "query"}}, "selection: ", "where goes with"),
    ("where without query", {"selection": {"where": "true"}}, "selection: ", "where goes with"),
    ("no image at most", {"selection": {"max_images": 0}}, "selection.max_images: ", "equal to 1"),
    ("no role", {"labeling__role_arn": ABSENT}, "labeling.role_arn: ", "is required"),
    ("a role's name", {"labeling__role_arn": "r" * 30}, "labeling.role_arn: ", "ARN of an IAM role"),
    ("no team", {"labeling__workteam_arn": ABSENT}, "labeling.workteam_arn: ", "is required"),
    ("a team's name", {"labeling__workteam_arn": "team"}, "labeling.workteam_arn: ", "ARN of a work team"),
    ("a team elsewhere", {"labeling__workteam_arn": OTHER_REGION}, "labeling: ", "is in eu-west-1"),
    ("no worker", {"labeling__workers_per_object": 0}, "labeling.workers_per_object: ", "1, got 0"),
    ("ten workers", {"labeling__workers_per_object": 10}, "labeling.workers_per_object: ", "9, got 10"),
    (
        "workers as text",
        {"labeling__workers_per_object": "3"},
        "labeling.workers_per_object: ",
        "a whole number",
    ),
    (
        "workers as a bool",
        {"labeling__workers_per_object": True},
        "labeling.workers_per_object: ",
        "a whole number",
    ),
    ("51 categories a job", {"labeling__max_categories_per_job": 51}, "max_categories_per_job: ", "50"),
    ("too many objects", {"labeling__max_objects_per_job": 100_001}, "max_objects_per_job: ", "100000"),
    ("too short a task", {"labeling__task_time_limit": 29}, "labeling.task_time_limit: ", "equal to 30"),
    ("too long a task", {"labeling__task_time_limit": 28_801}, "labeling.task_time_limit: ", "28800"),
    ("available too shortly", {"labeling__task_availability": 59}, "labeling.task_availability: ", "60"),
    ("too many tasks", {"labeling__max_concurrent_tasks": 5001}, "labeling.max_concurrent_tasks: ", "5000"),
    ("a tag of a number", {"labeling__tags": {"team": 7}}, "labeling.tags.team: ", "must be text"),
    ("51 tags", {"labeling__tags": {str(n): "" for n in range(51)}}, "labeling.tags: ", "at most 50"),
    ("public without a price", PUBLIC, "labeling: ", "needs price_per_task"),
    (
        "a price for the own team",
        {"labeling__price_per_task": {"cents": 36}},
        "labeling: ",
        "public work team",
    ),
    (
        "public without free_of_pii",
        {"labeling__workteam_arn": PUBLIC_TEAM, "labeling__price_per_task": {"cents": 36}},
        "labeling: ",
        "needs free_of_pii",
    ),
    (
        "three dollars",
        {**PUBLIC, "labeling__price_per_task": {"dollars": 3}},
        "price_per_task.dollars: ",
        "2",
    ),
    (
        "a price key",
        {**PUBLIC, "labeling__price_per_task": {"cent": 3}},
        "price_per_task.cent: ",
        "mean cents?",
    ),
    ("no title", {"labeling__instructions": {"title": ""}}, "labeling.instructions.title: ", "1 or more"),
    ("a long title", {"labeling__instructions": {"title": "x" * 129}}, "instructions.title: ", "at most 128"),
    ("no keywords", {"labeling__instructions": {"keywords": []}}, "instructions.keywords: ", "1 or more"),
    (
        "an example on disk",
        {"labeling__instructions": {"good_example": "good.jpg"}},
        "labeling.instructions.good_example: ",
        "https://… or s3://…",
    ),
    (
        "an example that ends the template",
        {"labeling__instructions": {"bad_example": "s3://b/a}}.jpg"}},
        "labeling.instructions.bad_example: ",
        "must not hold double quotes, braces",
    ),
    (
        "stop at 101 %",
        {"labeling__stopping_conditions": {"max_percentage_of_input_dataset_labeled": 101}},
        "max_percentage_of_input_dataset_labeled: ",
        "100",
    ),
    ("an unknown method", {"consensus": {"method": "mean"}}, "consensus.method: ", "'majority'"),
    (
        "too high an agreement",
        {"consensus": {"min_agreement": 1.1}},
        "consensus.min_agreement: ",
        "1, got 1.1",
    ),
    ("an agreement of NaN", {"consensus": {"min_agreement": float("nan")}}, "min_agreement: ", "finite"),
    ("too many passes", {"consensus": {"relabel_passes": 4}}, "consensus.relabel_passes: ", "3"),
    ("gold without truth", {"consensus": {"gold": {"share": 0.1}}}, "consensus.gold.truth: ", "is required"),
    ("gold in a folder", {"consensus": {"gold": {"truth": "s3://bucket/gold/"}}}, "gold.truth: ", "a file"),
    ("gold of a bucket", {"consensus": {"gold": {"truth": "s3://bucket"}}}, "gold.truth: ", "a file in S3"),
    (
        "nothing but gold",
        {"consensus": {"gold": {"truth": "s3://bucket/truth.jsonl", "share": 1.0}}},
        "consensus.gold.share: ",
        "0.5",
    ),
    (
        "an unknown check",
        {"quality": {"severities": {"box_inside": "info"}}},
        "quality.severities: ",
        "mean box_",
    ),
    (
        "an unknown severity",
        {"quality": {"severities": {"box_side": "bad"}}},
        "severities.box_side: ",
        "'info'",
    ),
    ("splits of 1.1", {"dataset__splits": {"train": 0.9}}, "dataset.splits: ", "must be 1, not 1.1"),
    ("no yolo", {"dataset__formats": ["coco"]}, "dataset.formats: ", "must list yolo"),
    ("yolo twice", {"dataset__formats": ["yolo", "yolo"]}, "dataset.formats: ", "each format once"),
    ("an unknown format", {"dataset__formats": ["yolo", "tfrecord"]}, "dataset.formats.1: ", "'voc'"),
    ("no time to approve", {"dataset__approval_hours": 0}, "dataset.approval_hours: ", "greater than 0"),
    ("no budget", {"budget_usd": 0}, "budget_usd: ", "greater than 0, got 0"),
    ("an endless budget", {"budget_usd": float("inf")}, "budget_usd: ", "finite"),
    ("a typo", {"budget": 5}, "budget: ", "there is no such key; did you mean budget_usd?"),
    (
        "a typo below",
        {"labeling__worker_per_object": 5},
        "labeling.worker_per_object: ",
        "workers_per_object?",
    ),
    ("a key like no other", {"zzz": 5}, "zzz: ", "there is no such key"),
    ("a part that is no part", {"quality": 5}, "quality: ", "must hold keys and values"),
]


@pytest.mark.parametrize(
    ("changes", "key", "words"), [row[1:] for row in RULES], ids=[row[0] for row in RULES]
)
def test_broken_rule_names_file_key_and_rule(
    tmp_path: Path, changes: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(ProjectError) as error:
        load_changed(tmp_path, **changes)
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'pens.yaml'}: ")
    assert key in message
    assert words in message
    assert "\n" not in message


def test_defaults() -> None:
    project = make_project(images=ABSENT)
    assert project.model_dump(exclude={"labeling", "quality"}) == {
        "project": "pens",
        "task": "bounding-box",
        "root": "s3://some-bucket/boxes",
        "categories": ("pencil", "pen"),
        "aliases": {},
        "schedule": "0 6 * * 1",
        "start_date": datetime.date(2026, 1, 5),
        "owner": "labeling",
        "aws_conn_id": "aws_default",
        "images": {
            "prefix": "images/",
            "partition": "last-modified",
            "minimum": 1,
            "settle_seconds": 300,
            "wait_minutes": 60,
        },
        "selection": {"mode": "all", "fraction": None, "seed": 0, "where": None, "max_images": None},
        "consensus": project.consensus.model_dump(),
        "dataset": {
            "name": "pens",
            "splits": {"train": 0.8, "val": 0.1, "test": 0.1},
            "group_by": None,
            "pinned": {},
            "formats": ("yolo",),
            "layout": "tree",
            "approval": "auto",
            "approval_hours": 72,
            "approval_default": "discard",
            "partial_labels": "wait",
        },
        "budget_usd": None,
        "deadline_hours": None,
        "notify": (),
        "pages": {"thumbnails": 1000},
        "training": None,
    }
    assert project.labeling.model_dump(exclude={"role_arn", "workteam_arn", "instructions"}) == {
        "region": "us-east-1",
        "workers_per_object": 3,
        "max_categories_per_job": 50,
        "max_objects_per_job": 100_000,
        "task_time_limit": 300,
        "task_availability": None,
        "max_concurrent_tasks": 1000,
        "price_per_task": None,
        "service_fee_usd": 0.08,
        "output_kms_key_id": None,
        "volume_kms_key_id": None,
        "output_sns_topic_arn": None,
        "auto_labeling": False,
        "initial_model_arn": None,
        "vpc": None,
        "free_of_pii": False,
        "free_of_adult_content": False,
        "tags": {},
        "stopping_conditions": {
            "max_human_labeled_object_count": None,
            "max_percentage_of_input_dataset_labeled": None,
        },
        "poll_seconds": 60,
        "stalled_after_hours": None,
        "pool": "default_pool",
        "job_attempts": 1,
    }


def test_shipped_project_is_valid() -> None:
    project = load_project(PENS)
    assert project.project == "pens"
    assert project.categories == ("pencil", "pen")
    assert project.images_uri == ObjectUri("ground-truth-data-labeling", "bounding_box/images/")


@pytest.mark.parametrize(
    ("path", "value"),
    [("project", "x"), ("labeling.workers_per_object", 1), ("images.prefix", "x/"), ("dataset.formats", ())],
)
def test_values_never_change(path: str, value: object) -> None:
    inside: Any = make_project()
    *above, last = path.split(".")
    for name in above:
        inside = getattr(inside, name)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(inside, last, value)


@pytest.mark.parametrize("name", ["a", "a" * 24, "a-b-c", "7-segments", "-".join("abcdefghijkl") + "m"])
def test_names_that_fit(name: str) -> None:
    assert make_project(project=name).project == name


@pytest.mark.parametrize("schedule", ["0 6 * * 1", "@daily", "30 23 1 * *", "0 0 29 2 *", None])
def test_schedules_that_fit(schedule: str | None) -> None:
    assert make_project(schedule=schedule).schedule == schedule


@pytest.mark.parametrize("root", ["s3://bucket", "s3://bucket/", "s3://my.bucket-1/a b/한글/"])
def test_root_loses_its_last_slash(root: str) -> None:
    assert make_project(root=root).root == root.rstrip("/")


def test_images_of_a_bucket_s_top() -> None:
    assert str(make_project(root="s3://bucket").images_uri) == "s3://bucket/images/"


def test_public_team_and_its_price() -> None:
    project = make_project(
        **PUBLIC, labeling__price_per_task={"dollars": 0, "cents": 3, "tenth_fractions_of_a_cent": 6}
    )
    assert project.labeling.is_public
    assert project.labeling.price_per_task is not None
    assert project.labeling.price_per_task.usd == pytest.approx(0.036)


def test_severity_of_a_check() -> None:
    quality = Quality(severities={"box_side": "critical"})
    assert quality.severity("box_side") == "critical"
    assert quality.severity("upright") == "info"


def test_splits_may_leave_one_out() -> None:
    splits = make_project(dataset__splits={"train": 1.0, "val": 0, "test": 0}).dataset.splits
    assert (splits.train, splits.val, splits.test) == (1, 0, 0)


def test_project_can_be_dumped_and_read_again() -> None:
    project = make_project()
    assert Project.model_validate(project.model_dump()) == project
