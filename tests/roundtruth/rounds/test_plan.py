from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.annotations import IMAGES, table, to_parquet
from roundtruth.errors import RoundError, StorageError
from roundtruth.project import Project
from roundtruth.rounds.cost import check_budget, estimate_price
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.plan import draft_plan, plan_round
from roundtruth.rounds.planned import RoundPlan, read_planned_images, require_plan
from roundtruth.rounds.relabel import job_images
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project
from tests.round_runs import etags
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]


@pytest.fixture
def root(bucket: str) -> str:
    return f"s3://{bucket}"


def images_of(storage: Storage, project: Project, plan: RoundPlan) -> pd.DataFrame:
    return read_planned_images(storage, round_folder(project, plan.round), plan)


def names(frame: pd.DataFrame) -> list[str]:
    return [str(ref).rpartition("/images/")[2] for ref in frame["source_ref"]]


def planned(storage: Storage, project: Project, key: str) -> RoundPlan:
    plan = plan_round(storage, project, key)
    assert plan is not None
    return plan


def finish(storage: Storage, project: Project, plan: RoundPlan, **status: str) -> None:
    """Record a round as if it were over, images labeled but for those named: ``_0="failed"`` is 0.jpg."""
    folder, frame = round_folder(project, plan.round), images_of(storage, project, plan)
    rows: list[dict[str, object]] = [
        {"source_ref": ref, "etag": etag, "status": status.get(f"_{ref.rpartition('/')[2][:-4]}", "labeled")}
        for ref, etag in zip(frame["source_ref"], frame["etag"], strict=True)
    ]
    storage.write(folder.images, to_parquet(table(rows, IMAGES), IMAGES))
    storage.write(folder.record, b"{}")


# --- which images ---


def test_plan_takes_what_is_there(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    project, uris = make_project(root=root), put_images(s3_client, bucket, 3)
    draft = draft_plan(storage, project, "r1")
    assert not [key for key in etags(storage, bucket) if key.startswith("rounds/")]
    plan = planned(storage, project, "r1")
    assert plan == draft.plan
    assert (plan.images, plan.new, plan.carried_over, plan.unreadable) == (3, 3, 0, 0)
    frame = images_of(storage, project, plan)
    assert list(frame["source_ref"]) == uris
    assert set(zip(frame["width"], frame["height"], frame["orientation"], frame["part"], strict=True)) == {
        (320, 240, 1, 0)
    }
    (job,) = plan.jobs
    assert (job.name, job.categories, job.images, job.workers) == ("pens-r1-1", ("pencil", "pen"), 3, 3)
    table_uri = round_folder(project, "r1").uri / plan.planned.file
    assert hashlib.sha256(storage.read(table_uri)).hexdigest() == plan.planned.sha256


def test_a_plan_is_written_once(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    project = make_project(root=root)
    put_images(s3_client, bucket, 2)
    first, before = planned(storage, project, "r1"), etags(storage, bucket)
    put_images(s3_client, bucket, 4)
    assert planned(storage, project, "r1") == first
    assert {key: etags(storage, bucket)[key] for key in before} == before


def test_two_planners_agree_on_one_plan(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    project = make_project(root=root)
    put_images(s3_client, bucket, 3)
    with ThreadPoolExecutor(4) as pool:
        plans = list(pool.map(lambda _: plan_round(storage, project, "r1"), range(4)))
    assert len(set(plans)) == 1
    assert require_plan(storage, round_folder(project, "r1")) == plans[0]


def test_unreadable_images_are_accounted_for(
    storage: Storage, s3_client: Any, bucket: str, root: str
) -> None:
    project = make_project(root=root)
    put_images(s3_client, bucket, 2)
    for name, content in {"empty.jpg": b"", "text.jpg": b"hello", "x//y.jpg": b"x"}.items():
        s3_client.put_object(Bucket=bucket, Key=f"images/{name}", Body=content)
    plan = planned(storage, project, "r1")
    assert (plan.images, plan.new, plan.unreadable, plan.jobs[0].images) == (5, 5, 3, 2)
    assert plan.labeling_usd == pytest.approx(2 * 0.08)
    frame = images_of(storage, project, plan).set_index("source_ref")["unreadable"]
    assert frame[f"{root}/images/empty.jpg"] == "is empty (0 bytes)"
    assert "is not a JPEG or PNG image" in frame[f"{root}/images/text.jpg"]
    assert "is not a JPEG or PNG image" in frame[f"{root}/images/x//y.jpg"]
    jobs = job_images(storage, round_folder(project, "r1"), plan, plan.jobs[0])
    assert jobs == [f"{root}/images/0.jpg", f"{root}/images/1.jpg"]


def test_only_unreadable_images(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    s3_client.put_object(Bucket=bucket, Key="images/text.jpg", Body=b"hello")
    plan = planned(storage, make_project(root=root), "r1")
    assert (plan.images, plan.unreadable, plan.jobs, plan.labeling_usd) == (1, 1, (), 0)


def test_too_few_images_leave_nothing_behind(
    storage: Storage, s3_client: Any, bucket: str, root: str
) -> None:
    put_images(s3_client, bucket, 2)
    before = etags(storage, bucket)
    assert plan_round(storage, make_project(root=root, images__minimum=3), "r1") is None
    assert plan_round(storage, make_project(root=f"{root}/other"), "r1") is None
    assert etags(storage, bucket) == before


def test_missing_bucket(storage: Storage) -> None:
    with pytest.raises(StorageError, match=r"Bucket 'no-such-bucket' of .* does not exist"):
        plan_round(storage, make_project(root="s3://no-such-bucket/x"), "r1")


def test_round_without_a_plan(storage: Storage, root: str) -> None:
    with pytest.raises(RoundError, match=r"Round 'r1' has no plan at .*plan.json; run plan_round first"):
        require_plan(storage, round_folder(make_project(root=root), "r1"))


def test_a_query_may_ask_for_sizes(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    put_images(s3_client, bucket, 1, size=(640, 480))
    content = s3_client.get_object(Bucket=bucket, Key="images/0.jpg")["Body"].read()
    put_images(s3_client, bucket, 2)
    s3_client.put_object(Bucket=bucket, Key="images/large.jpg", Body=content)
    project = make_project(root=root, selection={"mode": "query", "where": "width >= 640"})
    assert names(images_of(storage, project, planned(storage, project, "r1"))) == ["large.jpg"]


# --- what earlier rounds did ---


def test_history(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    project = make_project(root=root)
    put_images(s3_client, bucket, 6)
    first = planned(storage, project, "r1")
    # In flight: nobody else takes them, the round itself sees them as its own.
    assert len(read_history(storage, project).settled) == 6
    assert read_history(storage, project, without="r1").settled == frozenset()
    assert plan_round(storage, project, "r2") is None
    finish(
        storage, project, first, _1="failed", _2="unlabeled", _3="disputed", _4="quarantined", _5="unreadable"
    )
    history = read_history(storage, project)
    assert {ref[-5] for ref, _ in history.settled} == {"0", "5"}
    assert {ref[-5] for ref, _ in history.carried_over} == {"1", "2", "3", "4"}
    # Carried-over images alone start no round; with a new one they come first.
    assert plan_round(storage, project, "r2") is None
    put_images(s3_client, bucket, 7)
    second = planned(storage, project, "r2")
    assert (second.new, second.carried_over) == (1, 4)
    assert names(images_of(storage, project, second)) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "6.jpg"]
    finish(storage, project, second, _1="failed")
    history = read_history(storage, project)
    assert {ref[-5] for ref, _ in history.carried_over} == {"1"}


def test_a_replaced_image_is_a_new_one(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    project = make_project(root=root)
    put_images(s3_client, bucket, 2)
    finish(storage, project, planned(storage, project, "r1"), _1="failed")
    put_images(s3_client, bucket, 2, size=(640, 480))
    plan = planned(storage, project, "r2")
    assert (plan.new, plan.carried_over) == (2, 0)
    assert set(images_of(storage, project, plan)["width"]) == {640}


def test_carried_over_images_from_another_folder(
    storage: Storage, s3_client: Any, bucket: str, root: str
) -> None:
    project = make_project(root=root, images__partition="prefix")
    put_images(s3_client, bucket, 1)
    content = s3_client.get_object(Bucket=bucket, Key="images/0.jpg")["Body"].read()
    for key in ("images/r1/0.jpg", "images/r1/1.jpg", "images/r2/2.jpg"):
        s3_client.put_object(Bucket=bucket, Key=key, Body=content)
    finish(storage, project, planned(storage, project, "r1"), _0="failed", _1="failed")
    storage.delete(ObjectUri(bucket, "images/r1/1.jpg"))
    plan = planned(storage, project, "r2")
    assert names(images_of(storage, project, plan)) == ["r1/0.jpg", "r2/2.jpg"]
    assert (plan.new, plan.carried_over) == (1, 1)


def test_a_crash_before_the_plan_claims_nothing(
    storage: Storage, s3_client: Any, bucket: str, root: str
) -> None:
    put_images(s3_client, bucket, 1)
    storage.write(ObjectUri(bucket, "rounds/r0/known-images.tsv"), b"")
    assert planned(storage, make_project(root=root), "r1").images == 1


# --- jobs and price ---


def test_more_categories_than_a_job_may_hold(
    storage: Storage, s3_client: Any, bucket: str, root: str
) -> None:
    put_images(s3_client, bucket, 2)
    categories = [f"category {number:03}" for number in range(120)]
    plan = planned(storage, make_project(root=root, categories=categories), "r1")
    assert [(job.name, len(job.categories), job.part, job.images) for job in plan.jobs] == [
        ("pens-r1-1", 50, 0, 2),
        ("pens-r1-2", 50, 0, 2),
        ("pens-r1-3", 20, 0, 2),
    ]
    assert [name for job in plan.jobs for name in job.categories] == categories
    assert plan.labeling_usd == pytest.approx(2 * 3 * 0.08)


def test_more_objects_than_a_job_may_hold(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    put_images(s3_client, bucket, 7)
    s3_client.put_object(Bucket=bucket, Key="images/0a.jpg", Body=b"")
    project = make_project(root=root, labeling__max_objects_per_job=3, labeling__max_categories_per_job=1)
    plan, folder = planned(storage, project, "r1"), round_folder(project, "r1")
    assert [(job.name, job.categories, job.part, job.images) for job in plan.jobs] == [
        ("pens-r1-1", ("pencil",), 0, 3),
        ("pens-r1-2", ("pen",), 0, 3),
        ("pens-r1-3", ("pencil",), 1, 3),
        ("pens-r1-4", ("pen",), 1, 3),
        ("pens-r1-5", ("pencil",), 2, 1),
        ("pens-r1-6", ("pen",), 2, 1),
    ]
    asked = Counter(
        (image, category)
        for job in plan.jobs
        for image in job_images(storage, folder, plan, job)
        for category in job.categories
    )
    assert set(asked.values()) == {1}
    assert len(asked) == 7 * 2


@settings(deadline=None)  # the first call loads pydantic's and pandas' machinery
@given(
    readable=st.lists(st.booleans(), max_size=30),
    objects=st.integers(1, 8),
    categories=st.integers(1, 9),
    chunk=st.integers(1, 4),
)
def test_every_image_is_asked_once_about_every_category(
    readable: list[bool], objects: int, categories: int, chunk: int
) -> None:
    from roundtruth.rounds.plan import _jobs, _split_into_parts
    from roundtruth.rounds.planned import PLANNED

    project = make_project(
        categories=[f"c{number}" for number in range(categories)],
        labeling__max_objects_per_job=objects,
        labeling__max_categories_per_job=chunk,
    )
    rows: list[dict[str, object]] = [
        {"source_ref": str(number), "unreadable": "" if good else "x"} for number, good in enumerate(readable)
    ]
    frame = _split_into_parts(table(rows, PLANNED), project)
    jobs = list(_jobs(project, "r", frame))
    usable = frame[frame["unreadable"] == ""]
    asked = Counter(
        (ref, category)
        for job in jobs
        for ref in usable.loc[usable["part"] == job.part, "source_ref"]
        for category in job.categories
    )
    assert asked == Counter(
        (ref, category) for ref in usable["source_ref"] for category in project.categories
    )
    assert all(job.images == (usable["part"] == job.part).sum() <= objects for job in jobs)
    assert all(len(job.categories) <= chunk for job in jobs)
    assert len({job.name for job in jobs}) == len(jobs)


def test_budget(storage: Storage, s3_client: Any, bucket: str, root: str) -> None:
    put_images(s3_client, bucket, 5)
    assert draft_plan(storage, make_project(root=root, budget_usd=0.8), "r1").plan.labeling_usd == 0.4
    with pytest.raises(RoundError) as error:
        plan_round(storage, make_project(root=root, budget_usd=0.5), "r1")
    assert str(error.value) == (
        "Round 'r1' of project 'pens' may cost 0.80 USD (0.40 and up to 0.40 for relabeling), "
        "0.30 over budget_usd 0.50; raise the budget, or take fewer images with selection.max_images."
    )
    check_budget(make_project(), "r1", estimate_price(make_project(), images=10**6, category_chunks=9))
