from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from roundtruth.cli import main
from tests.real_data import REAL, needs_real

CIGARS = REAL / "cigars"
pytestmark = [needs_real, pytest.mark.real]


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments], env=environment)


def test_the_real_photos_become_a_dataset_that_trains(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("convert", CIGARS / "output.manifest", "--images", CIGARS / "images", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["images"], report["boxes"], report["negatives"]) == (32, 54, 9)
    assert report["problems"] == {}
    assert len(list(out.glob("images/*/*"))) == len(list(out.glob("labels/*/*"))) == 32
    assert json.loads((out / "report.json").read_text())["complete"]
    verified = run("dataset", "verify", out)
    assert verified.exit_code == 0, verified.output


def test_people_read_a_summary(tmp_path: Path) -> None:
    result = run(
        "convert",
        CIGARS / "output.manifest",
        "--out",
        tmp_path / "out",
        "--format",
        "coco",
        "--format",
        "csv",
    )
    assert result.exit_code == 0
    assert "32 images (9 without a box), 54 boxes, 2 classes" in result.stdout
    assert not (tmp_path / "out" / "labels").exists()
    assert (tmp_path / "out" / "annotations/train.json").is_file()
    assert (tmp_path / "out" / "annot.csv").is_file()


def test_manifests_in_s3(tmp_path: Path, sandbox: Any, s3_client: Any, bucket: str) -> None:
    s3_client.upload_file(str(CIGARS / "output.manifest"), bucket, "out/my job/output.manifest")
    result = run(
        "convert",
        f"s3://{bucket}/out/my job/output.manifest",
        "--out",
        tmp_path / "out",
        "--json",
        "--endpoint-url",
        sandbox.endpoint_url,
        AWS_ACCESS_KEY_ID="sandbox",
        AWS_SECRET_ACCESS_KEY="sandbox",
        AWS_REGION="us-east-1",
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["boxes"] == 54


def test_a_folder_without_the_images_exits_2(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    result = run("convert", CIGARS / "output.manifest", "--images", tmp_path / "empty", "--out", out)
    assert result.exit_code == 2
    assert "empty holds none of the 32 images as they were labeled (32 image-missing" in result.stderr
    assert result.stdout == ""


def test_a_place_that_cannot_be_written_exits_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("convert", CIGARS / "output.manifest", "--out", tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert "file/out cannot be used: Not a directory; check the path" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.manifest", "--out", "out"], "does not exist"),
        ([".", "--out", "out"], "is a folder; name its output.manifest"),
        (["s3:///key", "--out", "out"], "names no bucket"),
        (
            [CIGARS / "output.manifest", "--out", "out", "--val", "0.9", "--test", "0.2"],
            "add up to more than 1",
        ),
        (
            [CIGARS / "output.manifest", "--out", "out", "--label-attribute", "other"],
            "no usable box label: 32",
        ),
        (
            [CIGARS / "output.manifest", "--out", "out", "--label-categories", "nowhere.json"],
            "does not exist",
        ),
        ([CIGARS / "output.manifest", "--out", "out", "--format", "tfrecord"], "tfrecord"),
    ],
)
def test_wrong_input_exits_2_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[object], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("convert", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out").exists()
