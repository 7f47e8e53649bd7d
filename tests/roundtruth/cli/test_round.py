from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from roundtruth.cli import main
from roundtruth.stages.round_import import job_sources, read_jobs
from tests.finished_jobs import label, put_job
from tests.project_samples import make_project, project_content
from tests.round_runs import etags
from tests.sandbox_job import put_images
from tests.store import open_store


@pytest.fixture
def plan(sandbox: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `roundtruth round plan` on a project in the test's bucket, changed as told."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.endpoint_url)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, **changes: Any) -> Result:
        file = tmp_path / "pens.yaml"
        changes = {"root": f"s3://{bucket}", **changes}
        file.write_text(yaml.safe_dump(project_content(**changes)))
        return CliRunner().invoke(main, ["round", "plan", str(file), *arguments])

    return run


def test_plan_for_people(plan: Any, s3_client: Any, sandbox: Any, bucket: str) -> None:
    s3_client.put_object(Bucket=bucket, Key="images/+empty.jpg", Body=b"")
    put_images(s3_client, bucket, 7)
    before = etags(open_store(sandbox.endpoint_url), bucket)
    result = plan(
        "--round", "2026-11-16", labeling__max_categories_per_job=1, budget_usd=5, selection__max_images=6
    )
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "6 images: 6 new, 0 carried over from earlier rounds, 1 unreadable; 2 left out by the selection"
    )
    assert lines[1] == f"  unreadable: s3://{bucket}/images/+empty.jpg: is empty (0 bytes)"
    assert "pens-2026-11-16-1" in result.stdout
    assert "pens-2026-11-16-2" in result.stdout
    assert lines[-2] == (
        "Prices: AWS's fee an image and job 0.08 USD; 3 answers by your own team; disputed images once more, "
        "2 answers"
    )
    assert lines[-1] == "Price: 0.80 USD, up to 0.80 USD more for relabeling (budget 5.00 USD)"
    assert etags(open_store(sandbox.endpoint_url), bucket) == before


def test_plan_for_machines(plan: Any, s3_client: Any, bucket: str) -> None:
    put_images(s3_client, bucket, 2)
    s3_client.put_object(Bucket=bucket, Key="images/text.jpg", Body=b"hello")
    result = plan("--round", "r1", "--json", images__minimum=4)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found.pop("unreadable")[0]["image"] == f"s3://{bucket}/images/text.jpg"
    assert found == {
        "project": "pens",
        "round": "r1",
        "images": 3,
        "left_out": 0,
        "gold": 0,
        "new": 3,
        "carried_over": 0,
        "starts": False,
        "minimum": 4,
        "jobs": [
            {
                "name": "pens-r1-1",
                "categories": ["pencil", "pen"],
                "part": 0,
                "images": 2,
                "workers": 3,
                "relabel_pass": 0,
                "gold": [],
                "imported": None,
            }
        ],
        "price_usd": {"labeling": 0.16, "relabel_at_most": 0.16, "at_most": 0.32, "budget": None},
    }


def test_what_would_not_start_has_no_price_yet(plan: Any, s3_client: Any, bucket: str) -> None:
    put_images(s3_client, bucket, 2)
    lines = plan("--round", "r1", images__minimum=4).stdout.splitlines()
    assert lines[1:3] == [
        "The round would not start: images.minimum is 4 new images.",
        "If it started:",
    ]
    assert lines[-1] == "Price if it started: 0.16 USD, up to 0.16 USD more for relabeling"


def test_nothing_to_plan(plan: Any) -> None:
    result = plan("--round", "r1")
    assert result.exit_code == 0
    assert "0 images: 0 new" in result.stdout
    assert "The round would not start: images.minimum is 1 new images." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (["--round", "No Round"], {}, "cannot name a labeling job"),
        (["--round", "r1"], {"root": "s3://no-such-bucket"}, "Bucket 'no-such-bucket' of"),
        (["--round", "r1"], {"project": "Pens"}, "project: must be 1 to 24"),
        ([], {}, "Missing option '--round'"),
    ],
)
def test_errors_exit_2(plan: Any, arguments: list[str], changes: dict[str, Any], words: str) -> None:
    result = plan(*arguments, **changes)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_an_imported_round_has_no_plan_to_show(plan: Any, sandbox: Any, s3_client: Any, bucket: str) -> None:
    storage = open_store(sandbox.endpoint_url)
    (uri,) = put_images(s3_client, bucket, 1)
    rows = [{"source-ref": uri} | label("boxes", "old", [("pen", 10, 20, 40, 50)])]
    folder = put_job(storage, f"s3://{bucket}/out/old", rows)
    read_jobs(storage, make_project(root=f"s3://{bucket}"), "r1", job_sources([folder]))
    result = plan("--round", "r1")
    assert result.exit_code == 2
    assert "Round 'r1' of project 'pens' was imported from 1 finished jobs" in result.stderr


def test_budget_is_an_error(plan: Any, s3_client: Any, bucket: str) -> None:
    put_images(s3_client, bucket, 2)
    result = plan("--round", "r1", budget_usd=0.1)
    assert result.exit_code == 2
    assert "0.22 over budget_usd 0.10" in result.stderr
