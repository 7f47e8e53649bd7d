"""Odd keys, sizes and numbers of boxes through publish, verify, pull, export and convert, in every format."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.datasets.export import export_version
from roundtruth.datasets.file_names import dataset_file_name, dataset_file_stem
from roundtruth.datasets.formats import csv, manifest, voc, yolo
from roundtruth.datasets.formats.coco import decode_document
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.verify import verify_folder, verify_version
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.planned import read_planned_images, require_plan
from roundtruth.stages import labeling_round
from roundtruth.storage import Storage
from tests.roundtruth.datasets.recorded_rounds import Box, jpeg, project_in, put_round, storage_of

FORMATS = ("yolo", "voc", "coco", "csv", "manifest")
NAMES = ("pencil", "pen", "crayon")  # nobody ever drew a crayon
HUGE = 20_000
MANY = [
    ("pen" if number % 3 else "pencil", number % 25 * 4.0, number // 25 * 4.0, 3.5, 3.25)
    for number in range(500)
]
# Key below images/ -> boxes; S3 keys have at most 1,024 bytes, file names 255.
ODD_KEYS: dict[str, list[Box]] = {
    "one/same name.jpg": [("pen", 10.0, 10.0, 20.0, 30.0)],
    "two/same name.jpg": [("pencil", 50.0, 5.0, 40.5, 12.25)],
    "two/SAME NAME.jpg": [],
    "sp ace/#1 100% a+b&c=d?.jpg": [("pen", 0.0, 0.0, 100.0, 80.0)],
    "%2e%2e/%2F.jpg": [("pen", 1.0, 1.0, 2.0, 2.0)],
    "사진/연필 두 자루.jpg": [("pencil", 3.0, 4.0, 5.0, 6.0)],
    "😀/👩‍🎨.jpg": [("pen", 3.5, 4.25, 5.0, 6.0)],
    "zero\u200bwidth.jpg": [("pen", 7.0, 7.0, 7.0, 7.0)],
    "colon:semi;'\"<>|*.jpg": [("pen", 8.0, 8.0, 8.0, 8.0)],
    "k" * 996 + ".jpg": [("pen", 9.0, 9.0, 9.0, 9.0)],
    "/".join(["deep"] * 150) + "/x.png": [("pencil", 9.0, 9.0, 9.5, 9.0)],
    "연" * 320 + ".jpg": [("pencil", 9.0, 9.0, 9.5, 9.5)],
    "...jpg": [("pen", 2.0, 2.0, 9.5, 9.5)],
    "none.jpg": [],
    "five hundred.jpg": MANY,
}
HUGE_BOXES: list[Box] = [("pen", 0.0, 0.0, 1.0, 1.0), ("pencil", 19_990.25, 19_000.5, 9.75, 999.5)]


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is so large and ends after its header: nobody may decode its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def files(folder: Path, *tops: str) -> dict[str, bytes]:
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name.split("/")[0] in tops}


def near(found: tuple[PixelBox, ...], expected: list[Box], half_a_pixel: float = 0.5) -> None:
    wanted = sorted((NAMES.index(name), *edges) for name, *edges in expected)
    assert len(found) == len(wanted)
    for one, two in zip(sorted(found), wanted, strict=True):
        assert one.class_id == two[0]
        assert one[1:] == pytest.approx(two[1:], abs=half_a_pixel)


def holds(folder: Path, boxes: dict[str, list[Box]], sizes: dict[str, tuple[int, int]]) -> None:
    """Every format of a tree holds these images and boxes (by source_ref), and nothing else."""
    (coco,) = (folder / "annotations").glob("*.json")
    names, of_coco = decode_document(coco.read_bytes(), file=coco.name)
    assert names == NAMES
    of_csv = csv.decode_rows((folder / "annot.csv").read_bytes(), NAMES, file="annot.csv")
    of_manifest = manifest.decode_lines((folder / "manifest/output.manifest").read_bytes(), file="m")
    assert of_coco.keys() == {dataset_file_name(ref) for ref in boxes}
    assert of_manifest.keys() == boxes.keys()
    assert of_csv.keys() == {ref for ref, of_image in boxes.items() if of_image}
    for ref, expected in boxes.items():
        stem = dataset_file_stem(ref)
        (label,) = (folder / "labels").glob(f"*/{stem}.txt")
        (xml,) = (folder / "voc").glob(f"*/{stem}.xml")
        near(yolo.decode_labels(label.read_bytes(), *sizes[ref], file="x"), expected)
        near(voc.decode_image(xml.read_bytes(), NAMES, file="x"), expected)
        near(of_coco[dataset_file_name(ref)], expected)
        near(of_csv.get(ref, ()), expected)
        near(of_manifest[ref], expected)


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_odd_keys_and_sizes_and_numbers_come_through_in_every_format(
    storage: Storage, bucket: str, tmp_path: Path, layout: str
) -> None:
    project = project_in(
        bucket,
        categories=list(NAMES),
        dataset={
            "name": "pens",
            "formats": list(FORMATS),
            "layout": layout,
            "splits": {"train": 1.0, "val": 0.0, "test": 0.0},
        },
    )
    refs = put_round(storage, project, "2026-01-05", ODD_KEYS)
    storage.write(project.images_uri / "huge.png", png_header(HUGE, HUGE))
    refs |= put_round(storage, project, "2026-01-12", {"huge.png": HUGE_BOXES}, size=(HUGE, HUGE))
    boxes = {refs[key]: of_image for key, of_image in {**ODD_KEYS, "huge.png": HUGE_BOXES}.items()}
    sizes = dict.fromkeys(boxes, (100, 80)) | {refs["huge.png"]: (HUGE, HUGE)}
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    record = publish_version(storage, project, candidate).record
    assert (record.images, record.boxes, record.negatives) == (len(boxes), 514, 2)
    assert record.splits["train"].boxes_by_class[2] == 0  # a class without a box keeps its id

    assert verify_version(storage, project.root_uri, "pens", "v0001").problems == ()
    pulled, exported, converted = (tmp_path / name for name in ("pulled", "exported", "converted"))
    pull_version(storage, project.root_uri, "pens", "v0001", pulled)
    assert verify_folder(pulled).problems == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pulled"]
    images = files(pulled, "images")
    assert len(images) == len(boxes)
    for ref in boxes:
        source = storage.read(project.root_uri / ref.removeprefix(f"{project.root}/"))
        assert images[f"images/train/{dataset_file_name(ref)}"] == source
    holds(pulled, boxes, sizes)

    export_version(storage, project.root_uri, "pens", "v0001", exported, FORMATS, images=layout == "packed")
    tops = ("labels", "voc", "annotations", "annot.csv", "manifest", "data.yaml")
    assert files(exported, *tops) == files(pulled, *tops)

    settings = ConversionSettings(
        manifests=(str(pulled / "manifest/output.manifest"),),
        label_categories=(str(pulled / "manifest/label-categories.json"),),
        formats=FORMATS,
        splits=(("train", 1.0),),
    )
    convert_manifests(Storage(), settings, converted)
    holds(converted, boxes, sizes)
    assert files(converted, "labels") == files(pulled, "labels")
    assert verify_folder(converted).problems == ()


def test_an_image_of_one_pixel_is_published_and_named_as_one_that_trainers_refuse(
    storage: Storage, bucket: str, tmp_path: Path
) -> None:
    project = project_in(bucket, dataset={"name": "pens", "formats": list(FORMATS)})
    refs = put_round(storage, project, "2026-01-05", {"dot.jpg": [("pen", 0.0, 0.0, 1.0, 1.0)]}, size=(1, 1))
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)
    (found,) = verify_version(storage, project.root_uri, "pens", "v0001").problems
    assert str(found).endswith("is 1×1 pixels; sides under 10 are refused")
    pull_version(storage, project.root_uri, "pens", "v0001", tmp_path / "pens")
    assert verify_folder(tmp_path / "pens").problems == (found,)
    (label,) = (tmp_path / "pens").glob(f"labels/*/{dataset_file_stem(refs['dot.jpg'])}.txt")
    assert label.read_bytes() == b"1 0.500000 0.500000 1.000000 1.000000\n"


CLIMBING = ("../../../escape.jpg", "x/../../../../escape.jpg", "/etc/escape.jpg", "..", "a//b/./escape.jpg")


def test_keys_that_climb_cannot_leave_the_folder_of_a_dataset(tmp_path: Path) -> None:
    """A finished job may name such images; what is written for them has names of our own."""
    rows = [
        {
            "source-ref": f"s3://bucket/images/{key}",
            "label": {
                "image_size": [{"width": 100, "height": 80, "depth": 3}],
                "annotations": [{"class_id": 0, "left": 1, "top": 2, "width": 30, "height": 40}],
            },
            "label-metadata": {
                "class-map": {"0": "../pen"},
                "type": "groundtruth/object-detection",
                "human-annotated": "yes",
                "creation-date": "2026-01-05T00:00:00",
                "job-name": "labeling-job/x",
            },
        }
        for key in CLIMBING
    ]
    source = tmp_path / "output.manifest"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "a/b/c/out"
    settings = ConversionSettings(manifests=(str(source),), formats=FORMATS, splits=(("train", 1.0),))
    assert convert_manifests(Storage(), settings, out).images == len(CLIMBING)
    everything = {path for path in tmp_path.rglob("*") if path.is_file()} - {source}
    assert all(path.resolve().is_relative_to(out.resolve()) for path in everything)
    assert sorted(path.stem for path in (out / "labels/train").iterdir()) == sorted(
        dataset_file_stem(row["source-ref"]) for row in rows
    )
    assert verify_folder(out).problems == ()


def test_keys_that_climb_are_unreadable_images_of_a_round_and_in_no_version(
    storage: Storage, s3_client: Any, bucket: str
) -> None:
    """Keys with `.` or `..` parts are counted and never labeled; an empty part (`//`) climbs nowhere."""
    project = project_in(bucket, images={"partition": "none"})
    for key in (*CLIMBING, "good.jpg"):
        s3_client.put_object(Bucket=bucket, Key=f"boxes/images/{key}", Body=jpeg(100, 80))
    assert labeling_round.plan_jobs(storage, project, "r1") is not None
    folder = round_folder(project, "r1")
    planned = read_planned_images(storage, folder, require_plan(storage, folder))
    named = [ref for ref in planned["source_ref"] if ref.endswith((".jpg", ".."))]
    unreadable = set(planned.loc[planned["unreadable"] != "", "source_ref"])
    assert unreadable == {ref for ref in named if not ref.endswith(("/good.jpg", "//etc/escape.jpg"))}
    # `..` has no suffix of an image and is not looked at.
    assert len(unreadable) == len(CLIMBING) - 2
