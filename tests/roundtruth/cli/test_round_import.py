"""`roundtruth round import` on the sandbox: a real job's output up to a verified dataset version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from roundtruth.cli import main
from roundtruth.datasets.verify import verify_version
from roundtruth.project_files import load_project
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.record import read_record
from roundtruth.stages import dataset_release
from roundtruth.storage import ObjectUri, Storage
from tests.finished_jobs import failure, label, put_job
from tests.project_samples import project_content
from tests.real_data import REAL, needs_real
from tests.sandbox_job import job_request, put_images, wait_for_job
from tests.store import open_store

PEN = ("pen", 10, 20, 40, 50)


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return open_store(sandbox.endpoint_url)


@pytest.fixture
def run(sandbox: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `roundtruth round import` for a project in the test's bucket, changed as told."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.endpoint_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, **changes: Any) -> Result:
        file = tmp_path / "project.yaml"
        file.write_text(yaml.safe_dump(project_content(root=f"s3://{bucket}", **changes)))
        return CliRunner().invoke(main, ["round", "import", str(file), *arguments])

    return run


@needs_real
def test_a_real_job_becomes_a_round_and_a_verified_version(
    run: Any, storage: Storage, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    s3_client.create_bucket(Bucket="zegar-sagemaker-us")
    for image in sorted((REAL / "cigars" / "images").iterdir()):
        s3_client.put_object(Bucket="zegar-sagemaker-us", Key=image.name, Body=image.read_bytes())
    changes = {"project": "cigars", "categories": ["Arturo Fuente", "Davidoff"], "dataset__name": "cigars"}
    result = run("--round", "2022-03-01", str(REAL / "cigars"), **changes)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "job zegar-labeling-test (zegar-labeling-test): 23 labeled, 9 negative; "
        "labels from Ground Truth's own boxes",
        "  all it is known to have asked for: Arturo Fuente, Davidoff; if it asked for more, import it with "
        "--label-categories",
        "round 2022-03-01: 32 images (23 labeled, 9 negative), 54 boxes",
        f"recorded: s3://{bucket}/rounds/2022-03-01/round.json; no job was created, nothing was paid",
    ]
    project = load_project(tmp_path / "project.yaml")
    candidate = dataset_release.assemble(storage, project)
    assert candidate is not None
    assert dataset_release.check(storage, project, candidate)["passed"]
    published = dataset_release.publish(storage, project, candidate)
    assert (published["images"], published["boxes"], published["rounds"]) == (32, 54, ["2022-03-01"])
    assert published["classes"] == ["Arturo Fuente", "Davidoff"]
    assert verify_version(storage, project.root_uri, "cigars", "latest").problems == ()
    assert dataset_release.assemble(storage, project) is None


def test_a_job_by_its_name(
    run: Any, storage: Storage, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    uris = put_images(s3_client, bucket, 4)
    name = f"old-{bucket[-10:]}"
    sagemaker_client.create_labeling_job(**job_request(s3_client, bucket, name, uris))
    wait_for_job(sagemaker_client, name)
    result = run("--round", "2020-01-01", "--json", name)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (job,) = found["jobs"]
    assert (job["name"], job["asked"], job["answers"]) == (name, "label-categories", 12)
    assert job["labels_from"] == "answers"
    assert sum(found["counts"].values()) == 4
    (listed,) = sagemaker_client.list_labeling_jobs(NameContains=bucket[-10:])["LabelingJobSummaryList"]
    record = read_record(storage, RoundFolder(ObjectUri(bucket, "rounds/2020-01-01")))
    assert record is not None
    assert [job.arn for job in record.jobs] == [listed["LabelingJobArn"]]  # lineage leads to it


def test_what_waits_is_told(run: Any, storage: Storage, s3_client: Any, bucket: str) -> None:
    first, second = put_images(s3_client, bucket, 2)
    rows: list[dict[str, Any]] = [
        {"source-ref": first} | label("boxes", "old", [PEN]),
        {"source-ref": second} | failure("boxes", "old"),
    ]
    folder = put_job(storage, f"s3://{bucket}/out/old", [*rows, {"page": 3}])
    result = run("--round", "2020-01-01", folder, quality={"max_quarantine_share": 1})
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "job old (boxes): 1 labeled, 0 negative, 1 failed; labels from Ground Truth's own boxes",
        "round 2020-01-01: 2 images (1 failed, 1 labeled), 1 boxes",
        "1 of them are carried over: the next round takes them first",
        f"recorded: s3://{bucket}/rounds/2020-01-01/round.json; no job was created, nothing was paid",
    ]
    assert "unusable: " in result.stderr
    assert "output.manifest:3: has no source-ref" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["--round", "2020-01-01", "no-such-job"], "No labeling job 'no-such-job' can be", id="name"
        ),
        pytest.param(
            ["--round", "2020-01-01", "s3://no-such-bucket/job"], "Bucket 'no-such-bucket'", id="bucket"
        ),
        pytest.param(
            ["--round", "No Key", "s3://no-such-bucket/job"], "cannot name a labeling job", id="key"
        ),
        pytest.param(["--round", "r1", "--moved", "x", "s3://b/job"], "says not what moved where", id="move"),
        pytest.param(["--round", "r1"], "Missing argument 'JOB...'", id="no job"),
    ],
)
def test_errors_exit_2(run: Any, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


@needs_real
def test_a_classification_job_is_refused(run: Any) -> None:
    result = run("--round", "r1", str(REAL / "bird-classes-5-workers"))
    assert result.exit_code == 2
    assert "holds image-classification; project 'pens' is of task bounding-box" in result.stderr
