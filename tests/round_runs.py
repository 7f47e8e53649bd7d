"""A labeling round without Airflow: the steps of the Dag, one after the other, on the sandbox."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from roundtruth.project import Project
from roundtruth.stages import labeling_round
from roundtruth.storage import ObjectUri, Storage
from tests.sandbox_job import TERMINAL, wait_for_job

Jobs = list[dict[str, Any]]


def label(
    storage: Storage,
    sagemaker: Any,
    project: Project,
    round_key: str,
    jobs: Jobs,
    relabel_run: str | None = None,
) -> Jobs:
    """One branch a job: manifest, labeling job, people's work, their answers; returns the counts."""
    for job in (one for one in jobs if not one["finished"]):  # those of a recorded round are skipped
        images = json.loads(storage.read(ObjectUri.parse(job["images_uri"])))
        rows = "".join(json.dumps({"source-ref": image}, ensure_ascii=False) + "\n" for image in images)
        storage.write(ObjectUri.parse(job["manifest_uri"]), rows.encode())
        create_unless_there(sagemaker, job["request"])
    for job in jobs:
        wait_for_job(sagemaker, job["job_name"], lambda found: found["LabelingJobStatus"] in TERMINAL)
    return [
        labeling_round.collect(storage, project, round_key, job["job_name"], relabel_run=relabel_run)
        for job in jobs
    ]


def create_unless_there(sagemaker: Any, request: dict[str, Any]) -> None:
    """What the operator does, in short: the job's name is the idempotency key."""
    with suppress(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_labeling_job(**request)


def run_until_merged(
    storage: Storage, sagemaker: Any, project: Project, round_key: str
) -> dict[str, int] | None:
    """All steps up to the merged tables (no Great Expectations yet); None when the round takes no image."""
    labeling_round.open_round(storage, project, round_key)
    jobs = labeling_round.plan_jobs(storage, project, round_key)
    if jobs is None:
        return None
    for relabel_pass in range(project.consensus.relabel_passes + 1):
        label(storage, sagemaker, project, round_key, jobs)
        jobs = labeling_round.measure(storage, project, round_key, relabel_pass=relabel_pass) or []
    return labeling_round.merge(storage, project, round_key)


def finish_without_checks(
    storage: Storage, project: Project, round_key: str, relabel_run: str | None = None
) -> dict[str, Any]:
    """Record a merged round as if every check had passed: for tests that are not about quality."""
    from roundtruth.annotations import IMAGES, PUBLISHABLE, ROUND_LABELS, annot_csv, from_parquet, to_parquet
    from roundtruth.rounds.folder import round_folder

    folder = round_folder(project, round_key)
    images = from_parquet(storage.read(folder.stage("merged-images.parquet")), IMAGES, name="images")
    labels = from_parquet(storage.read(folder.stage("merged-labels.parquet")), ROUND_LABELS, name="labels")
    publishable = set(images.loc[images["status"].isin(PUBLISHABLE), "source_ref"])
    labels = labels[labels["source_ref"].isin(publishable)]
    storage.write(folder.labels, to_parquet(labels, ROUND_LABELS))
    storage.write(folder.images, to_parquet(images, IMAGES))
    storage.write(folder.annot_csv, annot_csv(labels, images))
    storage.write(folder.quality, b"{}\n")
    return labeling_round.record(storage, project, round_key, relabel_run=relabel_run)


def etags(storage: Storage, bucket: str) -> dict[str, str]:
    """All objects of a bucket and their ETags."""
    return {found.uri.key: found.etag for found in storage.list_objects(ObjectUri(bucket, ""))}
