"""The accounting of the fault bench: a good folder, and folders with one thing wrong; each finding fires."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from benchmarks.fault_findings import Findings, attempts_of, created_jobs, find
from roundtruth.annotations import ANSWERS, IMAGES, from_parquet, to_parquet
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.stages import dataset_release
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project
from tests.round_runs import finish_without_checks, run_until_merged
from tests.sandbox_fixture import client
from tests.sandbox_job import put_images
from tests.store import open_store

BUCKET, KEYS = "test-fault-findings", ("one", "two")
IMAGES_A_ROUND = 4


@dataclass
class Left:
    """What two rounds left behind; a test breaks some of it."""

    storage: Storage
    project: Project
    created: dict[str, dict[str, Any]]
    keys: list[str]
    content: dict[ObjectUri, tuple[str, bytes]]  # of the whole bucket, by ETag

    def find(self, **options: Any) -> Findings:
        name = self.project.project
        return find(self.storage, self.created, {name: self.project}, {name: self.keys}, **options)

    def table(self, name: str, schema: Any, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        uri = round_folder(self.project, "one").uri / name
        self.storage.write(
            uri, to_parquet(change(from_parquet(self.storage.read(uri), schema, name=name)), schema)
        )

    def uris(self, pattern: str) -> list[ObjectUri]:
        found = (stored.uri for stored in self.storage.list_objects(ObjectUri(BUCKET, "")))
        return [uri for uri in found if re.search(pattern, uri.key)]


@pytest.fixture(scope="module")
def rounds(sandbox: Any) -> Left:
    """Two recorded rounds, each published."""
    s3, sagemaker = client("s3", sandbox.endpoint_url), client("sagemaker", sandbox.endpoint_url)
    s3.create_bucket(Bucket=BUCKET)
    storage = open_store(sandbox.endpoint_url)
    project = make_project(
        project="findings", root=f"s3://{BUCKET}", consensus__relabel_passes=0, labeling__workers_per_object=3
    )
    for key in KEYS:
        put_images(s3, BUCKET, IMAGES_A_ROUND, prefix=f"images/{key}/")
        run_until_merged(storage, sagemaker, project, key)
        finish_without_checks(storage, project, key)
        candidate_uri = dataset_release.assemble(storage, project)
        assert candidate_uri is not None
        dataset_release.publish(storage, project, candidate_uri)
    created = {name: job for name, job in created_jobs(sandbox.endpoint_url).items() if "findings" in name}
    there = storage.list_objects(ObjectUri(BUCKET, ""))
    content = {stored.uri: (stored.etag, storage.read(stored.uri)) for stored in there}
    return Left(storage, project, created, list(KEYS), content)


@pytest.fixture
def left(rounds: Left) -> Iterator[Left]:
    """The same, put right again after the test."""
    yield Left(
        rounds.storage, rounds.project, copy.deepcopy(rounds.created), list(rounds.keys), rounds.content
    )
    now = {stored.uri: stored.etag for stored in rounds.storage.list_objects(ObjectUri(BUCKET, ""))}
    for uri in now.keys() - rounds.content.keys():
        rounds.storage.delete(uri)
    for uri, (etag, data) in rounds.content.items():
        if now.get(uri) != etag:
            rounds.storage.write(uri, data)


def test_nothing_is_found_where_nothing_is_wrong(left: Left) -> None:
    found = left.find()
    assert found.problems == []
    assert found.is_clean
    assert (found.rounds, found.planned, found.jobs, found.images) == (2, 2, 2, 2 * IMAGES_A_ROUND)
    labeled = sum(job["counters"]["HumanLabeled"] for job in left.created.values())
    assert labeled >= 2 * IMAGES_A_ROUND  # those that people disagreed about were asked again in round two
    assert (found.answers, found.versions) == (3 * labeled, 2)


def stranger(left: Left) -> None:
    left.created["findings-one-9"] = left.created["findings-one-1"] | {"name": "findings-one-9"}


def second_attempt_of_a_completed_job(left: Left) -> None:
    job = copy.deepcopy(left.created["findings-one-1"]) | {"name": "findings-one-1-a2"}
    job["counters"]["HumanLabeled"] = 0
    left.created["findings-one-1-a2"] = job


def more_labels_than_images(left: Left) -> None:
    left.created["findings-one-1"]["counters"]["HumanLabeled"] += 1


def job_that_was_not_made(left: Left) -> None:
    del left.created["findings-one-1"]


def answer_paid_twice(left: Left) -> None:
    """The answers of the first image once more, as of another iteration; the round holds all of them."""
    (first, *_) = left.uris(r"ground_truth_annots/findings-one-1/.*worker-response/iteration-1/0/")
    again = first.key.replace("iteration-1/0/", "iteration-2/0/")
    left.storage.write(ObjectUri(BUCKET, again), left.storage.read(first))


def image_labeled_in_two_rounds(left: Left) -> None:
    other = round_folder(left.project, "two")
    images = from_parquet(left.storage.read(other.images), IMAGES, name="two")
    row = images[images["source_ref"].str.contains("/two/") & (images["status"] == "labeled")].head(1)
    left.table("images.parquet", IMAGES, lambda images: pd.concat([images, row]))


def image_not_accounted_for(left: Left) -> None:
    left.table("images.parquet", IMAGES, lambda images: images.iloc[1:])


def image_in_no_round(left: Left) -> None:
    left.storage.write(left.project.images_uri / "late.jpg", b"somebody's photo")


def answer_not_kept(left: Left) -> None:
    def without_first(answers: pd.DataFrame) -> pd.DataFrame:
        first = answers.iloc[0]
        return answers[
            (answers["worker"] != first["worker"]) | (answers["source_ref"] != first["source_ref"])
        ]

    left.table("answers.parquet", ANSWERS, without_first)


def file_of_a_version_changed(left: Left) -> None:
    (first, *_) = left.uris(r"versions/v0001/labels/.*\.txt$")
    left.storage.write(first, b"0 0.5 0.5 1 1\n")


def file_of_a_version_gone(left: Left) -> None:
    left.storage.delete(left.uris(r"versions/v0002/images/")[0])


def version_gone(left: Left) -> None:
    for uri in left.uris(r"versions/v0001/version.json$"):
        left.storage.delete(uri)


def round_not_recorded(left: Left) -> None:
    left.storage.delete(round_folder(left.project, "two").record)


def round_not_published(left: Left) -> None:
    for uri in left.uris(r"versions/v0002/version.json$"):
        left.storage.delete(uri)


@pytest.mark.parametrize(
    ("wrong", "counted", "told"),
    [
        (stranger, "created_twice", "findings-one-9 was made and is in no plan"),
        (
            second_attempt_of_a_completed_job,
            "created_twice",
            "findings-one-1-a2 was made though findings-one-1 is Completed",
        ),
        (more_labels_than_images, "created_twice", "5 labels were given for the 4 images"),
        (job_that_was_not_made, None, "findings-one-1 was planned and never made"),
        (answer_paid_twice, "created_twice", r"answers were paid for s3://.*, 3 planned"),
        (image_labeled_in_two_rounds, "created_twice", r"two/\d.jpg was labeled in 2 rounds"),
        (image_labeled_in_two_rounds, None, r"two/\d.jpg is accounted for and was not planned"),
        (image_not_accounted_for, "images_lost", "was planned and is not accounted for"),
        (image_in_no_round, "images_lost", "late.jpg was uploaded and no round has it"),
        (answer_not_kept, "answers_lost", "is lost"),
        (file_of_a_version_changed, "broken_versions", "@v0001: "),
        (file_of_a_version_gone, "broken_versions", "@v0002: "),
        (version_gone, "broken_versions", "@v0002 is not built on the version before it"),
        (round_not_recorded, None, "rounds/two is not recorded"),
        (round_not_published, None, "round two of findings is not in the newest version"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_finding_fires(
    left: Left, wrong: Callable[[Left], None], counted: str | None, told: str
) -> None:
    wrong(left)
    found = left.find()
    assert not found.is_clean
    assert [problem for problem in found.problems if re.search(told, problem)], found.problems
    if counted is not None:
        assert getattr(found, counted) > 0


def test_images_may_wait_while_rounds_go_on(left: Left) -> None:
    image_in_no_round(left)
    assert left.find(all_planned=False).is_clean


def test_a_failed_job_and_its_next_attempts_are_one(left: Left) -> None:
    job = left.created["findings-one-1"]
    left.created["findings-one-1"] = job | {
        "status": "Failed",
        "counters": job["counters"] | {"HumanLabeled": 1},
    }
    left.created["findings-one-1-a10"] = job | {"counters": job["counters"] | {"HumanLabeled": 1}}
    left.created["findings-one-1-a2"] = job | {
        "status": "Stopped",
        "counters": job["counters"] | {"HumanLabeled": 2},
    }
    assert attempts_of("findings-one-1", left.created) == [
        "findings-one-1",
        "findings-one-1-a2",
        "findings-one-1-a10",
    ]
    assert left.find().is_clean
