"""A release in a process of its own, for tests that kill it; loaded once by a fork server, then forked."""

from __future__ import annotations

import json

import boto3

from roundtruth.project import Project
from roundtruth.sandbox import REGION
from roundtruth.stages import dataset_release
from roundtruth.storage import Storage

# Made before the forks: no connection is opened here, and reading botocore's models takes longest.
SESSION = boto3.Session(region_name=REGION, aws_access_key_id="sandbox", aws_secret_access_key="sandbox")
SESSION.client("s3", endpoint_url="http://127.0.0.1:1")


def release(endpoint_url: str, project_json: str, candidate_uri: str | None = None) -> None:
    """Assemble and publish, as the Dag's tasks do, one write after the other.

    :param candidate_uri: then only publish this candidate, as a retry of the last task does.
    """
    storage = Storage.from_session(SESSION, endpoint_url=endpoint_url, concurrency=1)
    project = Project.model_validate(json.loads(project_json))
    candidate_uri = candidate_uri or dataset_release.assemble(storage, project)
    if candidate_uri is not None:
        dataset_release.publish(storage, project, candidate_uri)
