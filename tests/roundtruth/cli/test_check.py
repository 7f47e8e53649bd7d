from __future__ import annotations

import json
import sys

import numpy as np
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


def save(path, seed, size=(100, 80), *, orientation=None, form=None):
    """A photo that looks like no other one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    photo.save(path, form, exif=exif)


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "dataset"
    for split, name, rows, seed in (
        ("train", "a", "0 0.5 0.5 0.2 0.2\n1 0.1 0.1 0.2 0.2\n", 90),
        ("train", "negative", "", 91),
        ("val", "b", "0 0.5 0.5 0.2 0.2\n1 0.9 0.9 0.2 0.2\n", 92),
    ):
        (folder / "images" / split).mkdir(parents=True, exist_ok=True)
        (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
        save(folder / "images" / split / f"{name}.png", seed, form="PNG")
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


def warned(verdict):
    return {
        check["check"]: check["images"]
        for check in verdict["critical"] + verdict["warnings"] + verdict["info"]
    }


def put_images(folder):
    """Images of whom each has a fault of its own, but for the first."""
    for seed, name in enumerate(("good", "lies", "turned", "larger", "cut")):
        form = "PNG" if name == "lies" else "JPEG"
        size = (200, 160) if name == "larger" else (100, 80)
        save(folder / f"{name}.jpg", seed, size, orientation=6 if name == "turned" else None, form=form)
    cut = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(cut[: len(cut) // 2])
    (folder / "text.jpg").write_text("no image")
    (folder / "copy.jpg").write_bytes((folder / "good.jpg").read_bytes())
    with Image.open(folder / "good.jpg") as photo:
        photo.resize((102, 82)).resize((100, 80)).save(folder / "similar.jpg", quality=60)


SEEN = {
    "size_as_drawn": ["larger"],
    "extension_fits": ["lies"],
    "upright": ["turned"],
    "image_readable": ["cut", "text"],
    "content_unique": ["good"],  # of the two, the one that comes later by name is told
    "near_duplicate": ["similar"],
    "image_unchanged": ["nowhere"],
}
FAULTS = ("copy", "cut", "good", "larger", "lies", "nowhere", "similar", "text", "turned")


def as_names(found, *, names=SEEN):
    return {
        check: [ref.rpartition("/")[2].partition(".")[0] for ref in found.get(check, [])] for check in names
    }


def test_images_of_a_manifest_on_this_machine_are_read(manifest, tmp_path):
    put_images(tmp_path / "photos")
    path = manifest(*(line(f"{name}.jpg") for name in FAULTS))
    verdict = verdict_of(path, "--images", tmp_path / "photos", exit_code=1)
    assert as_names(warned(verdict)) == SEEN
    assert (verdict["counts"]["unreadable"], verdict["counts"]["quarantined"]) == (2, 1)
    # Without the folder, or told so, nothing is known of them, and the labels alone are fine.
    for options in ([], ["--images", tmp_path / "photos", "--no-read-images"]):
        assert warned(verdict_of(path, *options)) == {}


def test_images_in_s3_are_read(s3_client, sandbox, bucket, tmp_path, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sandbox")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    put_images(tmp_path)
    for path in tmp_path.glob("*.jpg"):
        s3_client.put_object(Bucket=bucket, Key=f"images/{path.name}", Body=path.read_bytes())
    lines = [line(f"{name}.jpg").replace("s3://bucket/", f"s3://{bucket}/images/") for name in FAULTS]
    s3_client.put_object(Bucket=bucket, Key="output.manifest", Body="\n".join(lines).encode())
    uri = f"s3://{bucket}/output.manifest"
    verdict = verdict_of(uri, "--endpoint-url", sandbox.endpoint_url, exit_code=1)
    assert as_names(warned(verdict)) == SEEN


def test_images_of_a_dataset_folder_are_read(dataset):
    for split, name, seed in (("train", "c", 1), ("val", "d", 1), ("train", "lies", 3), ("val", "turned", 4)):
        save(dataset / "images" / split / f"{name}.jpg", seed, form="PNG" if name == "lies" else "JPEG",
             orientation=6 if name == "turned" else None)  # fmt: skip
        (dataset / "labels" / split / f"{name}.txt").write_text("", encoding="utf-8")
    with Image.open(dataset / "images/val/d.jpg") as photo:
        photo.resize((102, 82)).resize((100, 80)).save(dataset / "images/val/d.jpg", quality=60)
    (dataset / "images/train/e.jpg").write_bytes((dataset / "images/train/c.jpg").read_bytes()[:-300])
    (dataset / "labels/train/e.txt").write_text("", encoding="utf-8")
    found = as_names(
        warned(verdict_of(dataset)),
        names=[
            "extension_fits",
            "upright",
            "image_readable",
            "near_duplicate",
            "near_duplicates_in_one_split",
        ],
    )
    assert found == {
        "extension_fits": ["lies"],
        "upright": ["turned"],
        "image_readable": ["e"],
        "near_duplicate": ["d"],
        "near_duplicates_in_one_split": ["c", "d"],
    }
    unread = warned(verdict_of(dataset, "--no-read-images"))
    assert not {"near_duplicate", "image_readable", "extension_fits"} & set(unread)


def test_a_folder_without_the_images_names_them(manifest, tmp_path):
    (tmp_path / "photos").mkdir()
    verdict = verdict_of(manifest(line("a.jpg")), "--images", tmp_path / "photos")
    assert warned(verdict) == {"image_unchanged": ["s3://bucket/a.jpg"]}
