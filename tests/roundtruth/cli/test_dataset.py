from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from roundtruth.cli import main
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.publish import publish_version
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round, storage_of


@pytest.fixture
def run(sandbox: Any) -> Any:
    environment = {
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": sandbox.endpoint_url,
    }

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(main, ["dataset", *map(str, arguments)], env=environment)

    return invoke


@pytest.fixture
def project_file(sandbox: Any, bucket: str, tmp_path: Path) -> Path:
    """A project with two published versions."""
    storage = storage_of(sandbox.endpoint_url)
    project = project_in(bucket)
    for key, boxes in {"2026-01-05": {"a.jpg": [], "b.jpg": []}, "2026-01-12": {"c.jpg": []}}.items():
        put_round(storage, project, key, boxes)
        candidate = assemble_candidate(storage, project)
        assert candidate is not None
        publish_version(storage, project, candidate)
    path = tmp_path / "pens.yaml"
    path.write_text(yaml.safe_dump(project.model_dump(mode="json", exclude_defaults=True)))
    return path


def test_list_pull_verify(run: Any, project_file: Path, tmp_path: Path, bucket: str) -> None:
    listed = run("list", "--project", project_file)
    assert listed.exit_code == 0, listed.output
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["pens@v0001", "pens@v0002"]
    assert listed.stdout.splitlines()[1].endswith("latest")
    by_root = run("list", "pens", "--root", f"s3://{bucket}/boxes/", "--json")
    assert json.loads(by_root.stdout)["latest"] == "v0002"

    out = tmp_path / "pens"
    pulled = run("pull", "pens@v0001", "--project", project_file, "--out", out, "--json")
    assert json.loads(pulled.stdout) | {"files": 0, "out": ""} == {
        "dataset": "pens", "version": "v0001", "out": "", "files": 0, "kept": 0, "foreign": 0,
        "images": 2, "boxes": 0,
    }  # fmt: skip
    latest = run("pull", "pens@latest", "--project", project_file, "--out", out)
    assert "pens@v0002: 3 images" in latest.stdout

    assert run("verify", "pens@v0001", "--project", project_file).exit_code == 0
    quick = run("verify", "pens@v0001", "--project", project_file, "--quick")
    assert (quick.exit_code, "2 images not by their bytes" in quick.stdout) == (0, True)
    assert run("verify", out).exit_code == 0
    next(out.glob("labels/*/*.txt")).write_text("0 0.5 0.5 2 2\n")
    broken = run("verify", out, "--json")
    assert broken.exit_code == 1
    assert "not what was published" in json.loads(broken.stdout)["problems"][0]["problem"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list"], "--project or by --root"),
        (["list", "--root", "s3://bucket/x"], "needs the name"),
        (["list", "pens", "--root", "."], "holds no published version"),
        (["list", "pens", "--root", "s3://bucket/x", "--project", __file__], "both say where"),
        (["verify", "no-such-folder"], "there is no folder no-such-folder"),
        (["verify", "no-such-folder", "--quick"], "--quick is for a version in S3"),
        (
            ["list", "pens", "--root", "s3://bucket/x", "--endpoint-url", "localhost:9"],
            "localhost:9 is no endpoint; give one such as http://",
        ),
        (
            ["list", "pens", "--root", "s3://bucket/x", "--endpoint-url", "http://127.0.0.1:9"],
            "/versions: http://127.0.0.1:9 cannot be reached; check --endpoint-url",
        ),
        (["pull", "pens@v0001", "--root", "s3://no-such-bucket-here/x", "--out", "x"], "no-such-bucket-here"),
        (["pull", "pens@first", "--root", "s3://no-such-bucket-here/x", "--out", "x"], "names no version"),
    ],
)
def test_wrong_usage_exits_2(run: Any, arguments: list[str], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_place_that_cannot_be_written_exits_2(run: Any, project_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("pull", "pens@v0001", "--project", project_file, "--out", tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert "file/out cannot be used: Not a directory" in result.stderr
