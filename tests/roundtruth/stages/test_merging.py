"""Categories of many jobs become one list of classes: labeled over HTTP, merged, recorded, released."""

from __future__ import annotations

import json
import logging
import unicodedata
import urllib.request
from typing import Any

import msgspec
import pandas as pd
import pytest

from roundtruth.annotations import IMAGES, from_parquet
from roundtruth.datasets.assemble import PARTIAL
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.formats import yolo
from roundtruth.datasets.tables import DATASET_IMAGES
from roundtruth.datasets.version_tables import VersionTables, read_version_tables
from roundtruth.errors import CategoryError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.sandbox.truth import TrueBox, Truth, encode_truth, truth_uri
from roundtruth.stages import dataset_release, labeling_round
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project
from tests.round_runs import finish_without_checks, run_until_merged
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]

ROUND = {"consensus": {"method": "majority", "min_agreement": 0.0, "relabel_passes": 0}}
PLACES = (20, 90, 160, 230)


def project_of(bucket: str, categories: list[str], **changes: Any) -> Project:
    """A project in the test's own bucket; its name makes job names that no other test has."""
    return make_project(
        project=f"p{bucket[-10:]}",
        root=f"s3://{bucket}",
        categories=categories,
        labeling__workers_per_object=1,  # nobody to disagree with: no image is disputed
        **ROUND,
        **changes,
    )


def put_objects(storage: Storage, s3: Any, bucket: str, count: int, names: list[str]) -> list[str]:
    """Images that hold one object of each of these names."""
    refs = put_images(s3, bucket, count)
    objects = tuple(
        TrueBox(label=name, left=place, top=40, width=60, height=90)
        for name, place in zip(names, PLACES, strict=False)
    )
    for ref in refs:
        truth = encode_truth(Truth(width=320, height=240, objects=objects))
        storage.write(ObjectUri.parse(truth_uri(ref)), truth)
    return refs


def label_and_record(storage: Storage, sagemaker: Any, project: Project, key: str) -> RoundRecord:
    assert run_until_merged(storage, sagemaker, project, key) is not None
    return recorded(storage, project, key)


def recorded(storage: Storage, project: Project, key: str) -> RoundRecord:
    finish_without_checks(storage, project, key)
    record = read_record(storage, round_folder(project, key))
    assert record is not None
    return record


def merge_again(storage: Storage, project: Project, key: str) -> RoundRecord:
    """A backfill of a round's last steps by the project file of today."""
    labeling_round.merge(storage, project, key)
    return recorded(storage, project, key)


def release(storage: Storage, project: Project) -> VersionTables:
    candidate_uri = dataset_release.assemble(storage, project)
    assert candidate_uri is not None
    published = dataset_release.publish(storage, project, candidate_uri)
    return read_version_tables(storage, project.root_uri, project.dataset.name, published["version"])


def classes_of(version: VersionTables) -> dict[str, int]:
    """The categories that have boxes, and their ids."""
    pairs = set(zip(version.labels["category"], version.labels["class_id"], strict=True))
    assert len(pairs) == len(dict(pairs))
    return {name: int(class_id) for name, class_id in sorted(pairs)}


def numbers(frame: pd.DataFrame) -> set[str]:
    return {str(ref).rpartition("/")[2].removesuffix(".jpg") for ref in frame["source_ref"]}


def test_more_than_fifty_categories_are_several_jobs_whose_boxes_are_united_and_a_failure_waits(
    storage: Storage, s3_client: Any, sagemaker_client: Any, sandbox: Any, bucket: str
) -> None:
    categories = [f"part {number}" for number in range(53)]
    project = project_of(bucket, categories)
    there = ["part 0", "part 49", "part 50", "part 52"]
    put_objects(storage, s3_client, bucket, 4, there)
    faults = json.dumps({"jobs": [{"job": f"{project.project}-r1-2", "fail_objects": [2]}]})
    request = urllib.request.Request(
        f"{sandbox.endpoint_url}/_sandbox/faults", data=faults.encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()
    record = label_and_record(storage, sagemaker_client, project, "r1")

    # 50 categories are what a job may have; the second begins at 0 again, where the first has `part 0`.
    assert [len(job.categories) for job in record.jobs] == [50, 3]
    assert record.jobs[1].categories[0] == "part 50"
    # The image that one of its two jobs failed on is incomplete: no label, counted, first in the next round.
    assert record.counts["failed"] == 1
    assert sum(record.counts.values()) == record.images == 4
    images = from_parquet(storage.read(round_folder(project, "r1").images), IMAGES, name="images")
    assert numbers(images[images["status"] == "failed"]) == {"2"}
    assert {ref[-5] for ref, _ in read_history(storage, project).carried_over} == {"2"}
    s3_client.put_object(Bucket=bucket, Key="images/new.jpg", Body=storage.read(project.images_uri / "0.jpg"))
    assert labeling_round.plan_jobs(storage, project, "r2") is not None
    folder = round_folder(project, "r2")
    assert numbers(read_planned_images(storage, folder, require_plan(storage, folder))) == {"2", "new"}

    version = release(storage, project)
    assert numbers(version.images) == {"0", "1", "3"}
    assert version.record.classes == tuple(categories)
    # Good workers confuse a class now and then: each of the four is found, by its own id.
    assert {"part 0": 0, "part 49": 49, "part 50": 50, "part 52": 52}.items() <= classes_of(version).items()
    united = version.labels.groupby("source_ref")["job"].nunique()
    assert (united == 2).all()
    assert len(united) == 3


def test_the_same_name_at_different_indices_of_two_jobs_is_one_class(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    names = ["pencil", "pen"]
    put_objects(storage, s3_client, bucket, 2, names)
    first = label_and_record(
        storage, sagemaker_client, project_of(bucket, names, labeling__max_categories_per_job=1), "r1"
    )
    put_objects(storage, s3_client, bucket, 4, names)
    project = project_of(bucket, names)
    second = label_and_record(storage, sagemaker_client, project, "r2")
    indices = [job.categories.index("pen") for job in (*first.jobs, *second.jobs) if "pen" in job.categories]
    assert indices == [0, 1]
    version = release(storage, project)
    assert len(version.images) == 4
    assert classes_of(version) == {"pen": 1, "pencil": 0}
    assert version.images["unknown"].map(len).eq(0).all()


def test_stray_spaces_and_unicode_forms_are_normalised_and_people_are_told(
    storage: Storage,
    s3_client: Any,
    sagemaker_client: Any,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Jobs made by hand hold such names; a plan that asked for them merges into the project's classes."""
    project = project_of(bucket, ["café", "pen"], aliases={"biro ": "pen"})
    written = (unicodedata.normalize("NFD", "café") + "\u200b", " biro")
    put_objects(storage, s3_client, bucket, 2, list(written))
    folder = round_folder(project, "r1")
    assert labeling_round.plan_jobs(storage, project, "r1") is not None
    plan = msgspec.json.decode(storage.read(folder.plan))
    plan["jobs"][0]["categories"] = written
    storage.write(folder.plan, msgspec.json.encode(plan))
    with caplog.at_level(logging.WARNING):
        record = label_and_record(storage, sagemaker_client, project, "r1")
    assert record.jobs[0].categories == written
    assert record.renamed_categories == {written[0]: "café", " biro": "pen"}
    for name, merged in record.renamed_categories.items():
        assert f"category {name!r} of the jobs is {merged!r} in the project" in caplog.text
    assert classes_of(release(storage, project)) == {"café": 0, "pen": 1}


def test_a_retired_category_s_boxes_leave_its_id_stays_and_it_comes_back_under_it(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    names = ["pencil", "eraser", "pen"]
    first = project_of(bucket, names)
    put_objects(storage, s3_client, bucket, 2, names)
    label_and_record(storage, sagemaker_client, first, "r1")
    assert classes_of(release(storage, first)) == {"eraser": 1, "pen": 2, "pencil": 0}

    retired = project_of(bucket, ["pencil", "pen"])
    version = release(storage, retired)
    assert classes_of(version) == {"pen": 2, "pencil": 0}
    assert version.record.classes == ("pencil", "eraser", "pen")
    assert version.record.repairs["retired"] == 2

    # A new class gets a new id, and the retired one's is never given to it; the round has not asked for it.
    grown = project_of(bucket, ["crayon", "pencil", "pen"], dataset__partial_labels="publish")
    version = release(storage, grown)
    assert version.record.classes == ("pencil", "eraser", "pen", "crayon")
    assert {tuple(ids) for ids in version.images["unknown"]} == {(3,)}

    # Back in the project file it is the class that it was, and so are its boxes.
    back = project_of(bucket, ["pencil", "eraser", "pen"])
    version = release(storage, back)
    assert version.record.classes == ("pencil", "eraser", "pen", "crayon")
    assert classes_of(version) == {"eraser": 1, "pen": 2, "pencil": 0}


def test_a_round_is_merged_again_after_a_category_was_retired_and_renamed(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    names = ["pencil", "biro", "eraser"]
    first = project_of(bucket, names)
    put_objects(storage, s3_client, bucket, 2, names)
    label_and_record(storage, sagemaker_client, first, "r1")
    release(storage, first)

    today = project_of(bucket, ["pencil", "pen"], aliases={"biro": "pen"})
    record = merge_again(storage, today, "r1")
    assert record.jobs[0].categories == ("pencil", "biro")
    assert record.renamed_categories == {"biro": "pen"}
    version = release(storage, today)
    assert version.record.classes == ("pencil", "biro", "eraser", "pen")
    assert classes_of(version) == {"pen": 3, "pencil": 0}

    # Its boxes were left out of the round: were it listed again, it would be unknown there, not absent.
    later = project_of(bucket, ["pencil", "pen", "eraser"], aliases={"biro": "pen"})
    candidate_uri = dataset_release.assemble(storage, later)
    assert candidate_uri is None
    merge_again(storage, later, "r1")
    assert classes_of(release(storage, later)) == {"eraser": 2, "pen": 3, "pencil": 0}


def test_a_category_that_no_project_file_ever_listed_is_an_error_and_no_class(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    asked = project_of(bucket, ["pencil", "marker"])
    put_objects(storage, s3_client, bucket, 1, ["pencil", "marker"])
    assert run_until_merged(storage, sagemaker_client, asked, "r1") is not None
    project = project_of(bucket, ["pencil", "pen"])
    with pytest.raises(
        CategoryError, match=r"-r1-1' has categories that the project does not list: 'marker'"
    ):
        labeling_round.merge(storage, project, "r1")
    assert storage.head(dataset_folder(project).classes) is None


def test_names_that_differ_by_case_only_are_a_conflict_that_names_both_jobs(
    storage: Storage, s3_client: Any, bucket: str
) -> None:
    project = project_of(bucket, ["pencil", "pen"], labeling__max_categories_per_job=1)
    put_objects(storage, s3_client, bucket, 1, ["pencil"])
    jobs = labeling_round.plan_jobs(storage, project, "r1")
    assert jobs is not None
    folder = round_folder(project, "r1")
    plan = msgspec.json.decode(storage.read(folder.plan))
    plan["jobs"][0]["categories"], plan["jobs"][1]["categories"] = ["Marker"], ["marker"]
    one, two = (job["job_name"] for job in jobs)
    storage.write(folder.plan, msgspec.json.encode(plan))
    from roundtruth.stages.merged_tables import merged_categories

    with pytest.raises(CategoryError) as raised:
        merged_categories(storage, project, require_plan(storage, folder).jobs)
    assert f"'Marker' of job {one!r} and 'marker' of job {two!r} differ only by case" in str(raised.value)


@pytest.mark.parametrize("partial_labels", ["wait", "publish"])
def test_a_class_that_no_job_asked_for_on_an_image_is_unknown_there_not_absent(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str, partial_labels: str
) -> None:
    put_objects(storage, s3_client, bucket, 2, ["pencil", "pen"])
    label_and_record(storage, sagemaker_client, project_of(bucket, ["pencil"]), "r1")
    put_objects(storage, s3_client, bucket, 5, ["pencil", "pen"])
    project = project_of(bucket, ["pencil", "pen"], dataset__partial_labels=partial_labels)
    label_and_record(storage, sagemaker_client, project, "r2")
    version = release(storage, project)
    card = storage.read(version.folder.uri / "README.md").decode()
    table = from_parquet(storage.read(version.folder.images), DATASET_IMAGES, name="images")
    unknown = {ref[-5]: tuple(ids) for ref, ids in zip(table["source_ref"], table["unknown"], strict=True)}
    if partial_labels == "wait":
        assert unknown == {"2": (), "3": (), "4": ()}
        assert (version.record.partial, version.record.left_out) == (0, {PARTIAL: 2})
        assert f"2 labeled images wait: {PARTIAL}." in card
        left_out = storage.read(version.folder.uri / "left_out.csv").decode()
        assert f"s3://{bucket}/images/0.jpg,{PARTIAL}" in left_out
    else:
        assert unknown == {"0": (1,), "1": (1,), "2": (), "3": (), "4": ()}
        assert (version.record.partial, version.record.left_out) == (2, {})
        assert "2 images are partially labeled" in card
        assert "pen is unknown on 2 images" in card
        # Whoever trains looks into data.yaml, if into nothing else.
        data_yaml = storage.read(version.folder.uri / "data.yaml")
        assert data_yaml.startswith(b'# Class 1 ("pen") is unknown, not absent, on 2 images')
        assert yolo.decode_data_yaml(data_yaml, file="data.yaml")[0] == ("pencil", "pen")
