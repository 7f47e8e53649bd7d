"""`roundtruth consensus`."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner
from moto.server import ThreadedMotoServer

from roundtruth.cli import main
from roundtruth.storage import ObjectUri, Storage
from tests.real_data import REAL, needs_real

NO_AWS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"))


def run(*arguments: object):
    return CliRunner(env=NO_AWS).invoke(main, ["consensus", *map(str, arguments)])


def write_job(folder: Path, *images: dict[str, list[list[object]]]) -> Path:
    """A job folder; each image maps workers to boxes of (label, left, top, width, height)."""
    for row, by_worker in enumerate(images):
        answers = [
            {
                "workerId": worker,
                "submissionTime": "2026-01-05T10:00:00Z",
                "answerContent": {
                    "boundingBox": {
                        "boundingBoxes": [
                            dict(zip(("label", "left", "top", "width", "height"), box, strict=True))
                            for box in boxes
                        ]
                    }
                },
            }
            for worker, boxes in by_worker.items()
        ]
        path = folder / f"annotations/worker-response/iteration-1/{row}/2026-01-05_10:00:00.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"answers": answers}))
    lines = [json.dumps({"source-ref": f"s3://b/{row}.jpg"}) for row in range(len(images))]
    (folder / "input.manifest").write_text("\n".join(lines))
    return folder


PEN = ["pen", 0, 0, 10, 10]


def test_labels_and_report_are_written_the_same_twice(tmp_path):
    job = write_job(
        tmp_path / "pens-1",
        {"ann": [PEN], "bob": [["pen", 1, 0, 10, 10]], "cat": []},
        {"ann": [], "bob": []},
    )
    out = tmp_path / "out"
    result = run(job, "--out", out, "--method", "majority")
    assert result.exit_code == 0, result.output
    assert "1 labels on 2 images from 5 answers of 3 workers; 1 images disputed" in result.stdout
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert first["labels.csv"] == (
        b"image,category,left,top,width,height,score\ns3://b/0.jpg,pen,0.5,0.0,10.0,10.0,0.6666666666666666\n"
    )
    report = json.loads(first["report.json"])
    assert report["jobs"] == [{"job": "pens-1", "categories": ["pen"], "problems": []}]
    assert [image["source_ref"] for image in report["disputed_images"]] == ["s3://b/0.jpg"]
    assert run(job, "--out", out, "--method", "majority").exit_code == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_a_relabel_job_joins_its_base_job(tmp_path):
    base = write_job(tmp_path / "pens-1", {"ann": [PEN], "bob": []})
    relabel = write_job(tmp_path / "pens-1-r1", {"cat": [PEN], "ann": [PEN]})
    result = run(base, relabel, "--out", tmp_path / "out", "--json")
    summary = json.loads(result.stdout)
    assert (summary["labels"], summary["answers"], summary["workers"]) == (1, 3, 3)


@pytest.fixture
def s3_endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_jobs_in_s3(tmp_path, s3_endpoint):
    # A real key holds colons, as Ground Truth writes its times.
    write_job(tmp_path / "pens-1", {"ann": [PEN], "bob": [PEN]})
    keys = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox", "AWS_REGION": "us-east-1"}
    session = boto3.Session("sandbox", "sandbox", region_name="us-east-1")
    session.client("s3", endpoint_url=s3_endpoint).create_bucket(Bucket="labels")
    storage = Storage.from_session(session, endpoint_url=s3_endpoint)
    for path in (tmp_path / "pens-1").rglob("*"):
        if path.is_file():
            key = f"annots/{path.relative_to(tmp_path).as_posix()}"
            storage.write(ObjectUri("labels", key), path.read_bytes())
    result = CliRunner(env=keys).invoke(
        main,
        [
            "consensus",
            "s3://labels/annots/pens-1/",
            "--out",
            "s3://labels/out",
            "--method",
            "majority",
            "--endpoint-url",
            s3_endpoint,
        ],
    )
    assert result.exit_code == 0, result.output
    assert storage.read(ObjectUri("labels", "out/labels.csv")).endswith(
        b"s3://b/0.jpg,pen,0.0,0.0,10.0,10.0,1.0\n"
    )
    assert storage.head(ObjectUri("labels", "out/report.json")) is not None


def test_settings_reach_the_report(tmp_path):
    job = write_job(tmp_path / "pens-1", {"ann": [PEN], "bob": [PEN]})
    result = run(
        job, "--out", tmp_path / "out", "--method", "median", "--min-iou", "0.4", "--min-agreement", 0.6
    )
    assert result.exit_code == 0, result.output
    parameters = json.loads((tmp_path / "out/report.json").read_text())["parameters"]
    assert (parameters["method"], parameters["min_iou"], parameters["min_agreement"]) == ("median", 0.4, 0.6)


def test_unusable_responses_are_shown_and_the_rest_goes_on(tmp_path):
    job = write_job(tmp_path / "pens-1", {"ann": [PEN]}, {"ann": [PEN]})
    next(job.rglob("iteration-1/1/*.json")).write_text("{")
    result = run(job, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "unusable: " in result.stderr
    assert "1 labels on 1 images" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["nowhere"], "nowhere does not exist", id="no such folder"),
        pytest.param(["pens-1/input.manifest"], "input.manifest is a file", id="a file"),
        pytest.param(["copy"], "holds no worker responses", id="a folder of something else"),
        pytest.param(["pens-1", "--max-doubt", "-1"], "--max-doubt", id="less than no doubt"),
        pytest.param(["pens-1", "copy/pens-1"], "Two folders are of the job pens-1", id="the same job twice"),
        pytest.param(
            ["pens-1", "--method", "ground-truth"], "needs the consolidated boxes", id="no output manifest"
        ),
        pytest.param(["pens-1", "--min-iou", "2"], "--min-iou", id="an overlap above 1"),
    ],
)
def test_wrong_input_exits_with_2_and_says_why(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    write_job(tmp_path / "pens-1", {"ann": [PEN]})
    shutil.copytree(tmp_path / "pens-1", tmp_path / "copy/pens-1")
    result = run(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@needs_real
@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "images", "placed"),
    [
        pytest.param("pedestrians-7-workers", 608, True, id="boxes"),
        pytest.param("bird-classes-5-workers", 302, False, id="classes"),
    ],
)
def test_real_jobs(tmp_path, folder, images, placed):
    result = run(REAL / folder, "--out", tmp_path, "--min-iou", "0.4")
    assert result.exit_code == 0, result.output
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["image"] for row in rows}) == images
    assert all(row["image"].startswith("s3://") for row in rows)
    assert all(bool(row["left"]) is placed for row in rows)
    assert rows == sorted(rows, key=lambda row: (row["image"], row["category"], float(row["left"] or 0)))


def test_skills_of_one_round_are_read_by_the_next(tmp_path):
    first = write_job(tmp_path / "pens-1", {"ann": [PEN], "bob": [PEN], "cat": []})
    second = write_job(tmp_path / "pens-2", {"ann": [PEN], "bob": [PEN], "cat": []})
    assert run(first, "--out", tmp_path / "1").exit_code == 0
    skills = tmp_path / "1" / "skills.json"
    assert {worker["rounds"] for worker in json.loads(skills.read_bytes())["workers"].values()} == {1}
    assert run(second, "--out", tmp_path / "2", "--skills", skills).exit_code == 0
    renewed = json.loads((tmp_path / "2" / "skills.json").read_bytes())
    assert {worker["rounds"] for worker in renewed["workers"].values()} == {2}


def test_a_broken_skills_file_is_named(tmp_path):
    job = write_job(tmp_path / "pens-1", {"ann": [PEN]})
    broken = tmp_path / "skills.json"
    broken.write_text('{"version": 1, "workers": [')
    result = run(job, "--out", tmp_path / "out", "--skills", broken)
    assert result.exit_code == 2
    assert "skills.json is not a skills file" in result.stderr


def test_workers_keep_their_pseudonyms_with_their_skills(tmp_path):
    """The key lies beside the output; from there, or from a project's rounds/, the next output takes it."""
    job = write_job(tmp_path / "pens-1", {"ann": [PEN], "bob": [PEN], "cat": []})
    for out, options in (
        ("1", []),
        ("2", ["--skills", tmp_path / "1" / "skills.json"]),
        ("apart", []),
    ):
        assert run(job, "--out", tmp_path / out, *options).exit_code == 0
    names = {
        out: {
            worker["worker"]
            for worker in json.loads((tmp_path / out / "report.json").read_bytes())["workers"]
        }
        for out in ("1", "2", "apart")
    }
    assert names["1"] == names["2"]
    assert not names["1"] & names["apart"]
    mixed = run(job, "--out", tmp_path / "apart", "--skills", tmp_path / "1" / "skills.json")
    assert mixed.exit_code == 2
    assert "is another key than that of" in " ".join(mixed.stderr.split())
    rounds = tmp_path / "rounds"
    (rounds / "r1").mkdir(parents=True)
    (tmp_path / "1" / "pseudonyms.key").rename(rounds / "pseudonyms.key")
    (tmp_path / "1" / "skills.json").rename(rounds / "r1" / "skills.json")
    assert run(job, "--out", tmp_path / "3", "--skills", rounds / "r1" / "skills.json").exit_code == 0
    known = json.loads((tmp_path / "3" / "skills.json").read_bytes())["workers"]
    assert (set(known), {worker["rounds"] for worker in known.values()}) == (names["1"], {2})
    (rounds / "pseudonyms.key").unlink()
    lost = run(job, "--out", tmp_path / "4", "--skills", rounds / "r1" / "skills.json")
    assert lost.exit_code == 2
    assert "No pseudonyms.key lies beside" in lost.stderr
