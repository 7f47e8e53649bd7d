"""Converts COCO JSON to YOLO label files with other libraries; runs in an environment of its own.

Run: python conversion_peers.py LIBRARY coco.json images-folder out-folder; prints its seconds as JSON.

None of them reads a Ground Truth manifest, so they get the same boxes as COCO, their own format: what reading
the manifest costs is not counted for them. Each is called as its documentation says; imports are not counted.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def by_ultralytics(coco: Path, images: Path, out: Path) -> Callable[[], None]:
    """ultralytics.data.converter.convert_coco."""
    from ultralytics.data.converter import convert_coco

    return lambda: convert_coco(
        labels_dir=str(coco.parent), save_dir=str(out), use_segments=False, cls91to80=False
    )


def by_datumaro(coco: Path, images: Path, out: Path) -> Callable[[], None]:
    """Import as COCO, export as YOLO."""
    from datumaro.components.dataset import Dataset

    def convert() -> None:
        # It wants annotations/instances_<subset>.json beside images/, and a subset val.
        Dataset.import_from(str(coco.parent.parent), "coco").export(
            str(out), "yolo_ultralytics", save_media=False
        )

    return convert


def by_globox(coco: Path, images: Path, out: Path) -> Callable[[], None]:
    """AnnotationSet.from_coco and save_yolo_v5."""
    from globox import AnnotationSet

    def convert() -> None:
        boxes = AnnotationSet.from_coco(coco)
        names = (
            {name: number for number, name in enumerate(sorted(boxes._id_to_label.values()))}
            if hasattr(boxes, "_id_to_label")
            else None
        )
        boxes.save_yolo_v5(out, label_to_id=names)

    return convert


def by_supervision(coco: Path, images: Path, out: Path) -> Callable[[], None]:
    """DetectionDataset.from_coco and as_yolo."""
    import supervision

    def convert() -> None:
        found = supervision.DetectionDataset.from_coco(str(images), str(coco))
        found.as_yolo(annotations_directory_path=str(out))

    return convert


def by_supervision_without_pixels(coco: Path, images: Path, out: Path) -> Callable[[], None]:
    """The same with its reading of images replaced: each is a view of one array of the image's size."""
    import numpy
    import supervision.dataset.core as core

    sizes = {
        str(images / one["file_name"]): (one["height"], one["width"], 3)
        for one in json.loads(coco.read_text(encoding="utf-8"))["images"]
    }
    pixel = numpy.zeros((1, 1, 1), dtype=numpy.uint8)
    core.cv2.imread = lambda path, *_: numpy.broadcast_to(pixel, sizes[str(path)])
    return by_supervision(coco, images, out)


LIBRARIES = {
    "ultralytics": by_ultralytics,
    "datumaro": by_datumaro,
    "globox": by_globox,
    "supervision": by_supervision,
    "supervision-without-pixels": by_supervision_without_pixels,
}


def main() -> None:
    """Convert once."""
    library = sys.argv[1]
    coco, images, out = map(Path, sys.argv[2:5])
    out.parent.mkdir(parents=True, exist_ok=True)
    convert = LIBRARIES[library](coco, images, out)
    wall, cpu = time.perf_counter(), time.process_time()
    convert()
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = [path for path in out.rglob("*.txt") if path.name not in {"train.txt", "val.txt"}]
    print(
        json.dumps(
            {**spent, "peak_mb": peak, "files": len(files), "version": version(library.partition("-")[0])}
        )
    )


if __name__ == "__main__":
    main()
