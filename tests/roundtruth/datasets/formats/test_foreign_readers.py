"""What others read from our files: same images, same classes, boxes within half a pixel; on real photos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from roundtruth.datasets.convert import ConversionSettings, convert_manifests
from roundtruth.datasets.file_names import dataset_file_name
from roundtruth.datasets.formats import manifest, yolo
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
        formats=("yolo", "voc", "coco", "csv", "manifest"),
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


def of_globox(loaded: Any, names: Mapping[str, str]) -> Boxes:
    """Image by file name; ``names`` gives the class name for what the reader takes as the label."""
    return {
        annotation.image_id: [
            (names[box.label], box.xmin, box.ymin, box.xmax, box.ymax) for box in annotation.boxes
        ]
        for annotation in loaded
    }


def test_globox_reads_yolo(dataset: Path, truth: Boxes) -> None:
    import globox

    # Its reader of a folder takes one suffix for all images.
    loaded = [
        globox.Annotation.from_yolo_v5(
            dataset / "labels/train" / f"{Path(name).stem}.txt",
            image_id=name,
            image_size=globox.image_utils.get_image_size(dataset / "images/train" / name),
        )
        for name in truth
    ]
    same(of_globox(loaded, {str(class_id): name for class_id, name in enumerate(NAMES)}), truth)


def test_globox_reads_coco(dataset: Path, truth: Boxes) -> None:
    import globox

    loaded = globox.AnnotationSet.from_coco(dataset / "annotations/train.json")
    same(of_globox(loaded, {name: name for name in NAMES}), truth)


def test_globox_reads_voc(dataset: Path, truth: Boxes) -> None:
    import globox

    loaded = globox.AnnotationSet.from_pascal_voc(dataset / "voc/train")
    found = of_globox(loaded, {name: name for name in NAMES})
    # It takes xmin as counted from 0, so a box comes out a pixel smaller on the left and at the top.
    shifted = {
        image: [(name, left - 1, top - 1, right, bottom) for name, left, top, right, bottom in boxes]
        for image, boxes in found.items()
    }
    same(shifted, truth)


def test_pandas_reads_the_csv(dataset: Path, truth: Boxes) -> None:
    import pandas as pd

    found: Boxes = {name: [] for name in truth}  # an image without a box has no row
    rows: list[dict[str, Any]] = pd.read_csv(dataset / "annot.csv").to_dict("records")
    for row in rows:
        left, top = row["box_left"], row["box_top"]
        found[dataset_file_name(row["img_file"])].append(
            (row["category"], left, top, left + row["box_width"], top + row["box_height"])
        )
    same(found, truth)


def test_the_reader_of_finished_jobs_reads_the_manifest_again(dataset: Path, truth: Boxes) -> None:
    data = (dataset / "manifest/output.manifest").read_bytes()
    found = {
        dataset_file_name(source_ref): [
            (NAMES[box.class_id], box.left, box.top, box.left + box.width, box.top + box.height)
            for box in boxes
        ]
        for source_ref, boxes in manifest.decode_lines(data, file="output.manifest").items()
    }
    same(found, truth)


def oriented(data: bytes, orientation: int) -> bytes:
    """A photo from a real camera, whose EXIF says that it was held in this way; no pixel changes."""
    image = Image.open(BytesIO(data))
    exif = image.getexif()
    exif[0x0112] = orientation
    content = BytesIO()
    if image.format == "JPEG":
        image.save(content, "JPEG", exif=exif, quality="keep")
    else:
        image.save(content, "PNG", exif=exif, compress_level=1)
    return content.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_labels_of_a_rotated_photo_cut_out_the_object_as_trainers_read_the_image(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    """Trainers read images with OpenCV, which turns them by their EXIF orientation: so do our labels.

    People drew on the stored pixels. What a label cuts out of the upright image has to be what the box cuts
    out of the stored one, turned in the same way. (OpenCV 5.0's imread and Pillow's exif_transpose were
    compared by hand: the same image for JPEG and PNG in all eight orientations.)
    """
    lines = (CIGARS / "output.manifest").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    of_suffix = [row for row in rows if row["source-ref"].endswith(suffix)]
    row = next(one for one in of_suffix if one["zegar-labeling-test"]["annotations"])
    name = row["source-ref"].rpartition("/")[2]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / name).write_bytes(oriented((CIGARS / "images" / name).read_bytes(), orientation))
    (tmp_path / "one.manifest").write_text(json.dumps(row) + "\n", encoding="utf-8")
    settings = ConversionSettings(
        manifests=(str(tmp_path / "one.manifest"),),
        formats=("yolo", "voc", "coco", "csv"),
        images=tmp_path / "images",
        splits=(("train", 1.0),),
    )
    convert_manifests(Storage(), settings, tmp_path / "out")
    (place,) = (tmp_path / "out/images/train").iterdir()
    stored = Image.open(place)
    seen = np.asarray(ImageOps.exif_transpose(stored).convert("RGB")).astype(int)
    height, width = seen.shape[:2]
    stored = stored.convert("RGB")
    assert ((width, height) == stored.size) == (orientation < 5 or width == height)

    drawn = row["zegar-labeling-test"]["annotations"]
    crops = [
        np.asarray(
            turned(
                stored.crop(
                    (one["left"], one["top"], one["left"] + one["width"], one["top"] + one["height"])
                ),
                orientation,
            )
        )
        for one in drawn
    ]
    label = (tmp_path / "out/labels/train" / place.name).with_suffix(".txt")
    for box in yolo.decode_labels(label.read_bytes(), width, height, file=label.name):
        left, top = round(box.left), round(box.top)
        right, bottom = round(box.left + box.width), round(box.top + box.height)
        cut = seen[top:bottom, left:right]
        assert any(np.array_equal(cut, crop) for crop in crops)

    document = json.loads((tmp_path / "out/annotations/train.json").read_bytes())
    assert [(one["width"], one["height"]) for one in document["images"]] == [(width, height)]
    voc = next((tmp_path / "out/voc/train").iterdir()).read_text(encoding="utf-8")
    assert f"<width>{width}</width>\n    <height>{height}</height>" in voc
    # annot.csv keeps the pixels that people drew on.
    assert f",{stored.width},{stored.height}\n" in (tmp_path / "out/annot.csv").read_text(encoding="utf-8")


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """A piece of the stored image as it stands in the upright one."""
    content = BytesIO()
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(content, "PNG", exif=exif, compress_level=0)
    return ImageOps.exif_transpose(Image.open(content))
