"""Whole rounds over HTTP, without Airflow; the one module here that loads Great Expectations."""

from __future__ import annotations

import io
import json
import urllib.request
from typing import Any

import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, IMAGES, LABELS, PUBLISHABLE, from_parquet
from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.rounds.record import read_record
from roundtruth.sandbox.truth import TrueBox, Truth, encode_truth, truth_uri
from roundtruth.stages import labeling_round
from roundtruth.storage import ObjectUri, Storage
from tests.project_samples import make_project
from tests.round_runs import etags, finish_without_checks, label, run_until_merged
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]


@pytest.fixture
def project(bucket: str) -> Project:
    """A project in the test's own bucket; its name makes job names that no other test has."""
    return make_project(project=f"p{bucket[-10:]}", root=f"s3://{bucket}", labeling__workers_per_object=3)


def put_faults(sandbox: Any, *jobs: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{sandbox.endpoint_url}/_sandbox/faults", data=json.dumps({"jobs": jobs}).encode(), method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()


def tables(
    storage: Storage, project: Project, key: str, *, merged: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and images of a round."""
    folder = round_folder(project, key)
    uris = (folder.stage("merged-labels.parquet"), folder.stage("merged-images.parquet"))
    labels, images = uris if merged else (folder.labels, folder.images)
    return (
        from_parquet(storage.read(labels), LABELS, name="labels"),
        from_parquet(storage.read(images), IMAGES, name="images"),
    )


def numbers(images: pd.DataFrame, **where: object) -> set[str]:
    """The names of the images of a table, without folder and suffix."""
    for column, value in where.items():
        images = images[images[column] == value]
    return {str(ref).rpartition("/")[2].removesuffix(".jpg") for ref in images["source_ref"]}


def worker_ids(storage: Storage, folder: RoundFolder) -> set[str]:
    """The workers of a round as Ground Truth calls them, without the part that all ids share."""
    answers = from_parquet(storage.read(folder.answers), ANSWERS, name="answers")
    return {str(worker).rpartition(".")[2] for worker in answers["worker"]}


def told(storage: Storage, folder: RoundFolder) -> dict[str, str]:
    """What each file of a round says but those of answers; Parquet files by their values."""
    found = {}
    for stored in storage.list_objects(folder.uri):
        if stored.uri.name == "answers.parquet":
            continue
        data = storage.read(stored.uri)
        if stored.uri.name.endswith(".parquet"):
            found[stored.uri.key] = pd.read_parquet(io.BytesIO(data)).to_csv()
        else:
            found[stored.uri.key] = data.decode()
    return found


def test_a_whole_round_twice(
    storage: Storage,
    s3_client: Any,
    sagemaker_client: Any,
    bucket: str,
    project: Project,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", logger="roundtruth")
    put_images(s3_client, bucket, 12)
    s3_client.put_object(Bucket=bucket, Key="images/empty.jpg", Body=b"")
    folder = round_folder(project, "r1")

    opened = labeling_round.open_round(storage, project, "r1")
    assert opened == {
        "prefix": "images/",
        "modified_after": None,
        "modified_until": None,
        "known_images_uri": f"s3://{bucket}/rounds/r1/known-images.tsv",
        "minimum": 1,
    }
    assert storage.read(folder.known_images) == b""
    jobs = labeling_round.plan_jobs(storage, project, "r1")
    assert jobs is not None
    assert [job["job_name"] for job in jobs] == [f"{project.project}-r1-1"]
    assert "round r1: 13 images, 1 jobs, 0.96 USD and up to 0.96 for relabeling (AWS's fee" in caplog.text
    (counts,) = label(storage, sagemaker_client, project, "r1", jobs)
    assert (counts["images"], counts["answers"], counts["problems"]) == (12, 36, ())
    assert counts["labeled"] + counts["negative"] == 12
    again = labeling_round.measure(storage, project, "r1", relabel_pass=0)
    assert again is not None
    label(storage, sagemaker_client, project, "r1", again)
    assert labeling_round.measure(storage, project, "r1", relabel_pass=1) == []
    statuses = labeling_round.merge(storage, project, "r1")
    assert sum(statuses.values()) == 13
    assert statuses["unreadable"] == 1
    checked = labeling_round.check(storage, project, "r1")
    assert checked["passed"]
    recorded = labeling_round.record(storage, project, "r1")

    # Conservation: planned = publishable + carried over (disputed, quarantined, …) + unreadable.
    labels, images = tables(storage, project, "r1")
    planned = read_planned_images(storage, folder, require_plan(storage, folder))
    assert sorted(images["source_ref"]) == sorted(planned["source_ref"])
    assert sum(recorded["counts"].values()) == len(planned) == 13
    publishable = images[images["status"].isin(PUBLISHABLE)]
    assert checked == {"publishable": len(publishable), "boxes": len(labels), "passed": True}
    assert set(labels["source_ref"]) == set(images.loc[images["status"] == "labeled", "source_ref"])
    assert set(labels["category"]) == {"pencil", "pen"}
    # Every fourth image has no object: people looked, and it stays in as a negative.
    assert {"0", "4", "8"} & numbers(images, status="negative")
    rows = pd.read_csv(io.BytesIO(storage.read(folder.annot_csv)))
    assert len(rows) == len(labels)
    # Ground Truth's own box of the base job stands beside ours, and what only it has is listed.
    assert rows["ground_truth_iou"].dropna().between(project.consensus.min_iou, 1).all()
    assert rows["ground_truth_iou"].notna().mean() > 0.5
    compared = json.loads(storage.read(folder.consensus))["ground_truth"]
    assert len(compared["only_ground_truth"]) < compared["boxes"]
    assert set(rows["img_width"]) == {320}

    record = read_record(storage, folder)
    assert record is not None
    assert record.images == 13
    assert record.counts == recorded["counts"]
    assert record.spent_usd == recorded["spent_usd"] > 0
    assert f"spent {record.spent_usd:.2f} USD" in caplog.text
    assert record.answers == 36 + sum(job.images * job.workers for job in record.jobs if job.relabel_pass)
    described = sagemaker_client.describe_labeling_job(LabelingJobName=jobs[0]["job_name"])
    assert record.jobs[0].arn == described["LabelingJobArn"]
    manifest = described["LabelingJobOutput"]["OutputDatasetS3Uri"]
    assert manifest == f"{record.jobs[0].output_uri}/manifests/output/output.manifest"
    assert set(record.files) == {
        "answers.parquet",
        "labels.parquet",
        "images.parquet",
        "annot.csv",
        "consensus.json",
        "skills.json",
        "quality.json",
    }

    # Raw ids of workers are in the answers, and in nothing else that anybody gets to see.
    ids = worker_ids(storage, folder)
    assert len(ids) >= 3
    files = told(storage, folder)
    assert {name.rpartition("/")[2] for name in files} > {"consensus.json", "skills.json", "workers.svg"}
    assert not [(name, one) for name, text in files.items() for one in ids if one in text]
    assert caplog.text
    assert not [one for one in ids if one in caplog.text]

    # Each step once more: not a byte changes, and no job is made again.
    before = etags(storage, bucket)
    listed = sagemaker_client.list_labeling_jobs(NameContains=project.project)["LabelingJobSummaryList"]
    # A planned round has its images, and waits for none.
    assert labeling_round.open_round(storage, project, "r1") == opened | {"minimum": 0}
    jobs_again = labeling_round.plan_jobs(storage, project, "r1")
    assert jobs_again is not None
    assert label(storage, sagemaker_client, project, "r1", jobs_again) == [counts]
    relabeled = labeling_round.measure(storage, project, "r1", relabel_pass=0)
    assert relabeled is not None
    label(storage, sagemaker_client, project, "r1", relabeled)
    assert [one["job_name"] for one in jobs_again + relabeled] == [one["job_name"] for one in jobs + again]
    assert all(one["finished"] for one in jobs_again + relabeled)
    assert labeling_round.measure(storage, project, "r1", relabel_pass=1) == []
    assert labeling_round.merge(storage, project, "r1") == statuses
    assert labeling_round.check(storage, project, "r1") == checked
    assert labeling_round.record(storage, project, "r1") == recorded
    assert etags(storage, bucket) == before
    relisted = sagemaker_client.list_labeling_jobs(NameContains=project.project)["LabelingJobSummaryList"]
    assert len(relisted) == len(listed)

    # A second round with nothing new is none.
    assert labeling_round.plan_jobs(storage, project, "r2") is None
    assert labeling_round.measure(storage, project, "r2", relabel_pass=0) is None
    assert not [key for key in etags(storage, bucket) if key.startswith("rounds/r2/")]


def put_three_categories(storage: Storage, bucket: str, count: int) -> list[str]:
    """Images with one pencil, one pen and one eraser each."""
    uris = []
    for number in range(count):
        uri = ObjectUri(bucket, f"images/{number}.jpg")
        boxes = tuple(
            TrueBox(label=name, left=20 + 90 * place, top=40, width=70, height=90)
            for place, name in enumerate(("pencil", "pen", "eraser"))
        )
        storage.write(
            ObjectUri.parse(truth_uri(str(uri))), encode_truth(Truth(width=320, height=240, objects=boxes))
        )
        uris.append(str(uri))
    return uris


def test_more_categories_than_a_job_holds(
    storage: Storage, s3_client: Any, sagemaker_client: Any, sandbox: Any, bucket: str
) -> None:
    project = make_project(
        project=f"p{bucket[-10:]}",
        root=f"s3://{bucket}",
        categories=["pencil", "pen", "eraser"],
        labeling__max_categories_per_job=2,
        consensus={"method": "majority", "min_agreement": 0.0, "relabel_passes": 0},
    )
    put_images(s3_client, bucket, 6)
    put_three_categories(storage, bucket, 6)
    put_faults(sandbox, {"job": f"{project.project}-r1-2", "fail_objects": [2]})
    statuses = run_until_merged(storage, sagemaker_client, project, "r1")
    assert statuses is not None
    assert statuses["failed"] == 1
    assert sum(statuses.values()) == 6
    labels, images = tables(storage, project, "r1", merged=True)
    # Image 2 failed in the job that asks for erasers: its pencil and pen alone are no complete label.
    assert numbers(images, status="failed") == {"2"}
    whole = labels[~labels["source_ref"].str.endswith("/2.jpg")]
    by_job = whole.groupby("job")["category"].agg(lambda names: tuple(sorted(set(names))))
    assert by_job.to_dict() == {
        f"{project.project}-r1-1": ("pen", "pencil"),
        f"{project.project}-r1-2": ("eraser",),
    }
    union = whole.groupby("source_ref")["category"].agg(set)
    assert (union.map(len) == 3).sum() >= 3  # skilled workers miss little
    answers = images.set_index("source_ref")["answers"]
    assert answers.max() >= 3

    # The failed image waits for the next round, which takes it first.
    finish_without_checks(storage, project, "r1")
    assert labeling_round.plan_jobs(storage, project, "r2") is None
    put_images(s3_client, bucket, 8)
    known = storage.read(
        ObjectUri.parse(str(labeling_round.open_round(storage, project, "r2")["known_images_uri"]))
    )
    assert len(known.splitlines()) == 6
    jobs = labeling_round.plan_jobs(storage, project, "r2")
    assert jobs is not None
    assert [json.loads(storage.read(ObjectUri.parse(job["images_uri"]))) for job in jobs] == [
        [f"s3://{bucket}/images/{number}.jpg" for number in (2, 6, 7)]
    ] * 2


def test_round_of_unreadable_images_only(
    storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str, project: Project
) -> None:
    s3_client.put_object(Bucket=bucket, Key="images/text.jpg", Body=b"hello")
    assert run_until_merged(storage, sagemaker_client, project, "r1") == {"unreadable": 1}
    assert finish_without_checks(storage, project, "r1")["counts"] == {"unreadable": 1}
    assert labeling_round.plan_jobs(storage, project, "r2") is None


def test_steps_out_of_order(storage: Storage, bucket: str, project: Project) -> None:
    for step in (labeling_round.merge, labeling_round.check, labeling_round.record):
        with pytest.raises(RoundError, match="has no plan"):
            step(storage, project, "r1")
    with pytest.raises(RoundError, match="has no plan"):
        labeling_round.collect(storage, project, "r1", "some-job")


def test_a_job_of_another_round(storage: Storage, s3_client: Any, bucket: str, project: Project) -> None:
    put_images(s3_client, bucket, 1)
    labeling_round.plan_jobs(storage, project, "r1")
    with pytest.raises(RoundError, match="has planned no job 'other-1'"):
        labeling_round.collect(storage, project, "r1", "other-1")


def test_a_broken_answer_is_told_and_nobody_s_id_with_it(
    storage: Storage,
    sagemaker_client: Any,
    s3_client: Any,
    bucket: str,
    project: Project,
    caplog: pytest.LogCaptureFixture,
) -> None:
    put_images(s3_client, bucket, 2)
    caplog.set_level("INFO")
    assert run_until_merged(storage, sagemaker_client, project, "r1") is not None
    job = require_plan(storage, round_folder(project, "r1")).jobs[0].name
    ids = worker_ids(storage, round_folder(project, "r1"))
    described = sagemaker_client.describe_labeling_job(LabelingJobName=job)
    manifest = ObjectUri.parse(described["LabelingJobOutput"]["OutputDatasetS3Uri"])
    output = manifest.key.partition("/manifests/")[0]
    responses = list(storage.list_objects(ObjectUri(bucket, f"{output}/annotations/worker-response")))
    for stored, content in zip(
        responses, ({"x": {"boundingBoxes": "none"}}, {"y": {"text": "hm"}}), strict=True
    ):
        response = json.loads(storage.read(stored.uri))
        response["answers"][1]["answerContent"] = content
        storage.write(stored.uri, json.dumps(response).encode())
    counts = labeling_round.collect(storage, project, "r1", job)
    assert len(counts["problems"]) == 2
    assert all("answer 2 of the file" in problem for problem in counts["problems"])
    labeling_round.measure(storage, project, "r1", relabel_pass=0)
    labeling_round.merge(storage, project, "r1")
    finish_without_checks(storage, project, "r1")
    said = {**told(storage, round_folder(project, "r1")), "log": caplog.text, "returned": str(counts)}
    assert not [(name, one) for name, text in said.items() for one in ids if one in text]
