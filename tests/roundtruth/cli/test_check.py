from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner
from PIL import Image

from roundtruth.annotations import table, to_parquet
from roundtruth.cli import main
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS
from tests.real_data import REAL, needs_real

REAL_MANIFESTS = {
    "cigars/output.manifest": {"lines": 32, "boxes": 54, "labeled": 23, "negative": 9},
    "birds-5-workers/output.manifest": {"lines": 100, "boxes": 192, "labeled": 100},
    "forms-two-jobs/job-1/output.manifest": {"lines": 50, "boxes": 600},
    "forms-two-jobs/job-2/output.manifest": {"lines": 50, "boxes": 508},
    "bird-classes-5-workers/manifests/output/output.manifest": {"lines": 302, "classified": 302},
    "pedestrians-7-workers/input.manifest": {"lines": 727, "lines_unlabeled": 727, "carried_over": 727},
}


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    assert result.exit_code == exit_code, result.output
    return result


def verdict_of(*arguments, exit_code=0):
    return json.loads(run(*arguments, "--json", exit_code=exit_code).stdout)["inputs"][0]["verdict"]


def line(name="a.jpg", boxes=((10, 10, 20, 20),), **values):
    content = {
        "source-ref": f"s3://bucket/{name}",
        "pens": {
            "annotations": [
                {"class_id": 0, "left": left, "top": top, "width": width, "height": height}
                for left, top, width, height in boxes
            ],
            "image_size": [{"width": 100, "height": 80, "depth": 3}],
        },
        "pens-metadata": {
            "objects": [{"confidence": 0.09} for _ in boxes],
            "class-map": {"0": "pen"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2026-01-05T06:00:00",
            "job-name": "labeling-job/pens",
        },
    }
    return json.dumps({**content, **values})


@pytest.fixture
def manifest(tmp_path):
    def write(*lines):
        path = tmp_path / "output.manifest"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@needs_real
@pytest.mark.parametrize(("name", "counts"), REAL_MANIFESTS.items(), ids=list(REAL_MANIFESTS))
def test_real_manifests(name, counts):
    verdict = verdict_of(REAL / name)
    assert verdict["passed"]
    assert {key: verdict["counts"][key] for key in counts} == counts


def test_a_critical_failure_exits_1_and_names_the_image(manifest):
    path = manifest(line("a.jpg"), line("b.jpg", [(90, 10, 30, 20)]))
    verdict = verdict_of(path, exit_code=1)
    assert verdict["critical"][0]["check"] == "box_inside_image"
    assert verdict["critical"][0]["images"] == ["s3://bucket/b.jpg"]
    shown = run(path, exit_code=1).output
    assert "box_inside_image" in shown
    assert "critical" in shown


def test_lines_without_a_label_are_counted_and_shown(manifest):
    failed = {"failure-reason": "the image is damaged", "type": "groundtruth/object-detection"}
    path = manifest(
        line("a.jpg"),
        "{broken",
        json.dumps({"source-ref": "s3://bucket/b.jpg"}),
        json.dumps({"source-ref": "s3://bucket/c.jpg", "pens-metadata": failed}),
        line("a.jpg"),
    )
    verdict = verdict_of(path)
    counts = verdict["counts"]
    assert {key: counts[key] for key in counts if key.startswith("lines")} == {
        "lines": 5,
        "lines_broken": 1,
        "lines_duplicate": 1,
        "lines_failed": 1,
        "lines_unlabeled": 1,
    }
    assert (counts["published"], counts["carried_over"]) == (1, 2)
    problems = next(check for check in verdict["warnings"] if check["check"] == "manifest_line_usable")
    assert problems["failed_rows"] == 4
    assert "line 2" in problems["values"][0]
    assert "s3://bucket/b.jpg" in problems["values"][1]


def test_docs_are_written(manifest, tmp_path):
    run(manifest(line()), "--docs", tmp_path / "docs")
    assert "passed" in (tmp_path / "docs" / "index.html").read_text(encoding="utf-8")
    assert (tmp_path / "docs" / "validations").is_dir()


def test_what_is_not_there_exits_2(tmp_path):
    result = run(tmp_path / "nothing", exit_code=2)
    assert "neither a manifest nor a dataset folder" in result.stderr


def test_an_empty_manifest_exits_2(manifest):
    assert "holds no line" in run(manifest(), exit_code=2).stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param(
            ["{broken", "more"], "broken (2); the first, line 1, is not a JSON object", id="no JSON"
        ),
        pytest.param(["", '{"a": 1}'], "broken (1); the first, line 2, has no source-ref", id="other JSON"),
        pytest.param([line(pens=1)] * 2, "broken (2); the first, line 1, pens: ", id="the same one twice"),
    ],
)
def test_a_manifest_without_a_usable_line_exits_2(manifest, lines, words):
    path = manifest(*lines)
    said = run(path, exit_code=2).stderr
    assert f"{path} is no usable manifest" in said
    assert words in said


def test_without_great_expectations_it_says_what_to_install(manifest, monkeypatch):
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    assert "install it with `pip install '.[quality]'`" in run(manifest(line()), exit_code=2).stderr


def test_a_photo_is_no_manifest(tmp_path):
    path = tmp_path / "photo.jpeg"
    Image.effect_noise((60, 60), 50).save(path)
    assert "is no usable manifest" in run(path, exit_code=2).stderr


def test_an_input_manifest_is_no_error(manifest):
    verdict = verdict_of(manifest(json.dumps({"source-ref": "s3://bucket/b.jpg"}), "{broken"))
    assert verdict["counts"]["lines_unlabeled"] == 1


def test_examples_are_whole(manifest, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ref = f"s3://bucket/{'long-' * 30}name.jpg"
    shown = run(manifest(line(), json.dumps({"source-ref": ref}), "{broken")).stdout
    examples = "".join(row.split("│")[-2].strip() for row in shown.splitlines() if row.count("│") > 1)
    assert ref in examples
    assert "line 3: broken: is not" in " ".join(
        row.split("│")[-2].strip() for row in shown.splitlines() if row.count("│") > 1
    )


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    for split, name, rows in (
        ("train", "a", "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2\n"),
        ("train", "negative", ""),
        ("val", "b", "0 0.5 0.5 0.2 0.2\n1 0.9 0.9 0.2 0.2\n"),
    ):
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(folder / "images" / split / f"{name}.png")
        (folder / "labels" / split / f"{name}.txt").write_text(rows, encoding="utf-8")
    (folder / "data.yaml").write_text(
        "train: images/train\nval: images/val\nnc: 2\nnames: {0: pencil, 1: pen}\n", encoding="utf-8"
    )
    return folder


def test_a_good_dataset_passes(dataset):
    verdict = verdict_of(dataset)
    assert [check["check"] for check in verdict["critical"] + verdict["warnings"] + verdict["info"]] == []
    assert (verdict["counts"]["labeled"], verdict["counts"]["negative"]) == (2, 1)


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        pytest.param("labels/train/a.txt", "0 0.5 0.5 0.2\n", "row 1 has 4 columns", id="four columns"),
        pytest.param("labels/train/a.txt", "0 0.5 x 0.2 0.2\n", "no number", id="no number"),
        pytest.param("labels/train/a.txt", "0 1.5 0.5 0.2 0.2\n", "outside 0–1", id="outside"),
        pytest.param("labels/train/a.txt", "2 0.5 0.5 0.2 0.2\n", "has class 2", id="class beyond nc"),
        pytest.param("labels/train/a.txt", "0 .5 .5 .2 .2\n" * 2, "row 2 repeats row 1", id="twice"),
        pytest.param("labels/train/a.txt", None, "is missing", id="no label file"),
        pytest.param("labels/train/x.txt", "", "no image has this name", id="no image"),
        pytest.param("images/train/a.png", "text", "not a JPEG or PNG image", id="no image content"),
    ],
)
def test_what_a_trainer_cannot_use_is_critical(dataset, path, content, problem):
    if content is None:
        (dataset / path).unlink()
    else:
        (dataset / path).write_text(content, encoding="utf-8")
    verdict = verdict_of(dataset, exit_code=1)
    found = next(check for check in verdict["critical"] if check["check"] == "dataset_file_valid")
    assert any(path in value and problem in value for value in found["values"])


def test_an_image_in_two_splits_is_critical(dataset):
    for kind, suffix in (("images", "png"), ("labels", "txt")):
        (dataset / kind / "val" / f"a.{suffix}").write_bytes(
            (dataset / kind / "train" / f"a.{suffix}").read_bytes()
        )
    verdict = verdict_of(dataset, exit_code=1)
    assert [check["check"] for check in verdict["critical"]] == ["image_in_one_split"]


def test_a_packed_version_is_checked_by_its_tables(tmp_path):
    images = [
        {
            "source_ref": f"s3://bucket/{name}",
            "etag": name,
            "bytes": 10,
            "width": 100,
            "height": 80,
            "orientation": 1,
            "split": split,
            "file": name,
            "round": "2026-01-05",
        }
        for name, split in (("a.jpg", "train"), ("b.jpg", "val"))
    ]
    box = {"class_id": 0, "category": "pen", "top": 1.0, "width": 20.0, "height": 20.0, "job": "j"}
    labels = [
        {**box, "source_ref": "s3://bucket/a.jpg", "left": 1.0},
        {**box, "source_ref": "s3://bucket/b.jpg", "left": 95.0},
    ]
    for name, rows, schema in (("images", images, DATASET_IMAGES), ("labels", labels, DATASET_LABELS)):
        (tmp_path / f"{name}.parquet").write_bytes(to_parquet(table(rows, schema), schema))
    verdict = verdict_of(tmp_path, exit_code=1)
    assert [check["check"] for check in verdict["critical"]] == ["box_inside_image", "quarantined_share"]
    assert verdict["critical"][0]["images"] == ["s3://bucket/b.jpg"]
