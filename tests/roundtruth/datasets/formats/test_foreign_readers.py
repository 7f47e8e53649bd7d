"""What others read from our files: same images, same classes, boxes within half a pixel; on real photos."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.datasets.file_names import dataset_file_name
from roundtruth.storage import Storage
from tests.real_data import REAL, needs_real

pytestmark = [needs_real, pytest.mark.real]

CIGARS = REAL / "cigars"
NAMES = ["Arturo Fuente", "Davidoff"]
# name, left, top, right, bottom
Boxes = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cigars") / "out"
    settings = ConversionSettings(
        manifests=(str(CIGARS / "output.manifest"),),
        formats=("yolo", "voc", "coco"),
        images=CIGARS / "images",
        splits=(("train", 1.0),),
    )
    convert_manifests(Storage(), settings, out)
    return out


@pytest.fixture(scope="module")
def truth() -> Boxes:
    boxes: Boxes = {}
    for line in (CIGARS / "output.manifest").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        label = row["zegar-labeling-test"]["annotations"]
        names = row["zegar-labeling-test-metadata"]["class-map"]
        boxes[dataset_file_name(row["source-ref"])] = [
            (
                names[str(box["class_id"])],
                box["left"],
                box["top"],
                box["left"] + box["width"],
                box["top"] + box["height"],
            )
            for box in label
        ]
    assert (len(boxes), sum(map(len, boxes.values()))) == (32, 54)
    return boxes


def same(found: Boxes, truth: Boxes) -> None:
    assert found.keys() == truth.keys()
    for name, boxes in found.items():
        assert len(boxes) == len(truth[name])
        for one, two in zip(sorted(boxes), sorted(truth[name]), strict=True):
            assert one[0] == two[0]
            assert one[1:] == pytest.approx(two[1:], abs=0.5)


def of_supervision(loaded: Any) -> Boxes:
    return {
        Path(path).name: [
            (loaded.classes[int(class_id)], *(float(edge) for edge in edges))
            for edges, class_id in zip(detections.xyxy, ids(detections), strict=True)
        ]
        for path, detections in loaded.annotations.items()
    }


def ids(detections: Any) -> Iterable[int]:
    return detections.class_id if detections.class_id is not None else ()


def test_supervision_reads_yolo(dataset: Path, truth: Boxes) -> None:
    import supervision

    loaded = supervision.DetectionDataset.from_yolo(
        str(dataset / "images/train"), str(dataset / "labels/train"), str(dataset / "data.yaml")
    )
    assert loaded.classes == sorted({box[0] for boxes in truth.values() for box in boxes})
    same(of_supervision(loaded), truth)


def test_supervision_reads_voc(dataset: Path, truth: Boxes) -> None:
    import supervision

    loaded = supervision.DetectionDataset.from_pascal_voc(
        str(dataset / "images/train"), str(dataset / "voc/train")
    )
    same(of_supervision(loaded), truth)


def test_supervision_reads_coco(dataset: Path, truth: Boxes) -> None:
    import supervision

    loaded = supervision.DetectionDataset.from_coco(
        str(dataset / "images/train"), str(dataset / "annotations/train.json")
    )
    same(of_supervision(loaded), truth)


def test_pycocotools_reads_coco(dataset: Path, truth: Boxes) -> None:
    from pycocotools.coco import COCO

    coco = COCO(str(dataset / "annotations/train.json"))
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    found = {
        image["file_name"]: [
            (names[box["category_id"]], x, y, x + w, y + h)
            for box in coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))
            for x, y, w, h in [box["bbox"]]
        ]
        for image in coco.loadImgs(coco.getImgIds())
    }
    same(found, truth)


def test_pycocotools_matches_our_boxes_with_themselves(dataset: Path) -> None:
    """Ids from 1: COCOeval takes an annotation with id 0 as unmatched, and perfect boxes score under 1."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    coco = COCO(str(dataset / "annotations/train.json"))
    results = [
        {key: box[key] for key in ("image_id", "category_id", "bbox")} | {"score": 1.0}
        for box in coco.dataset["annotations"]
    ]
    evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)
