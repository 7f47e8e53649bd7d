"""What a labeling job is given: label categories, template, manifest rows and its request, all in S3."""

from __future__ import annotations

from typing import Any

import msgspec

from roundtruth.ground_truth.job_request import build_request
from roundtruth.ground_truth.label_categories import encode_label_categories
from roundtruth.ground_truth.task_template import render_task_template
from roundtruth.project import Project
from roundtruth.rounds.folder import JobInputs, RoundFolder
from roundtruth.rounds.planned import PlannedJob
from roundtruth.storage import Storage


def write_job_inputs(
    storage: Storage, project: Project, folder: RoundFolder, job: PlannedJob, images: list[str]
) -> dict[str, Any]:
    """Write what a labeling job is made from, all but its manifest; writing again changes nothing.

    :param images: S3 URIs, in the order of the manifest.
    :returns: ``job_name``, ``request``, where the images are listed and the manifest belongs, and that the
        job is not ``finished``.
    :raises LabelingRequestError: when the request breaks a limit; nothing is written then.
    """
    inputs = folder.job(job.name)
    request = job_request(project, folder, job)
    storage.write(inputs.images, msgspec.json.encode(images))
    storage.write(inputs.label_categories, encode_label_categories(job.categories))
    storage.write(inputs.template, render_task_template(project.labeling.instructions))
    storage.write(inputs.request, msgspec.json.format(msgspec.json.encode(request), indent=2) + b"\n")
    return {
        "job_name": job.name,
        "request": request,
        "images_uri": str(inputs.images),
        "manifest_uri": str(inputs.manifest),
        "finished": False,
    }


def finished_job_inputs(folder: RoundFolder, job: PlannedJob) -> dict[str, Any]:
    """The same for a job whose output is there: nothing is written, and nobody will send its request."""
    inputs = folder.job(job.name)
    return {
        "job_name": job.name,
        "request": {"LabelingJobName": job.name},
        "images_uri": str(inputs.images),
        "manifest_uri": str(inputs.manifest),
        "finished": True,
    }


def job_request(project: Project, folder: RoundFolder, job: PlannedJob) -> dict[str, Any]:
    """The CreateLabelingJob request of a planned job.

    :raises LabelingRequestError: when it breaks botocore's model or a documented limit.
    """
    inputs: JobInputs = folder.job(job.name)
    return build_request(
        project,
        job_name=job.name,
        round_key=folder.key,
        manifest=inputs.manifest,
        label_categories=inputs.label_categories,
        template=inputs.template,
        workers=job.workers,
    )
