"""Publishing over real HTTP: what a version holds, running twice, crashes between any two writes, two at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import Candidate, read_candidate, write_candidate
from roundtruth.datasets.publish import publish_version
from tests.roundtruth.datasets.recorded_rounds import listing, project_in, put_round, storage_of

FIRST = {
    "a/one.jpg": [("pen", 10.0, 10.0, 20.0, 30.0), ("pencil", 50.0, 5.0, 40.5, 12.25)],
    "b/one.jpg": [("pen", 0.0, 0.0, 100.0, 80.0)],
    "b/nothing here.jpg": [],
    "b/두 번째 #1 100%.png": [("pencil", 90.0, 70.0, 30.0, 30.0)],
}
VERSIONS = "boxes/datasets/pens/versions"


@pytest.fixture
def storage(sandbox: Any) -> Any:
    return storage_of(sandbox.endpoint_url)


def test_a_tree_version_holds_everything_that_trains(storage: Any, s3_client: Any, bucket: str) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    published = publish_version(storage, project, candidate)
    assert (published.version, published.created) == ("v0001", True)
    keys = [key.removeprefix(f"{VERSIONS}/v0001/") for key in listing(s3_client, bucket, f"{VERSIONS}/")]
    print("\n".join(keys))
    read = lambda key: s3_client.get_object(Bucket=bucket, Key=f"{VERSIONS}/v0001/{key}")["Body"].read()  # noqa: E731
    print(read("README.md").decode(), read("version.json").decode(), read("data.yaml").decode())
    assert False
