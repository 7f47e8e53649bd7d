"""An augmented manifest again, JSON Lines as Ground Truth writes them: a version can seed an adjustment job.

Format: developer guide, sms-data-output (bounding box job output). Boxes are in pixels of the stored image,
as Ground Truth gave them. The metadata say what is known of a published box: no creation date and no
confidence, which in Ground Truth's own files are those of one job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from roundtruth.datasets.boxes import PixelBox
from roundtruth.errors import DatasetError
from roundtruth.ground_truth.label_categories import encode_label_categories
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LineProblem

LABEL_ATTRIBUTE = "roundtruth"


def encode_line(
    boxes: Iterable[PixelBox], names: Sequence[str], *, source_ref: str, width: int, height: int
) -> bytes:
    """The line of an image of this size (pixels), boxes sorted; its ``class-map`` lists its own classes."""
    ordered = sorted(boxes)
    annotations = [
        {
            "class_id": box.class_id,
            "left": _number(box.left),
            "top": _number(box.top),
            "width": _number(box.width),
            "height": _number(box.height),
        }
        for box in ordered
    ]
    line = {
        "source-ref": source_ref,
        LABEL_ATTRIBUTE: {
            "image_size": [{"width": width, "height": height, "depth": 3}],
            "annotations": annotations,
        },
        f"{LABEL_ATTRIBUTE}-metadata": {
            "class-map": {
                str(class_id): names[class_id] for class_id in sorted({box.class_id for box in ordered})
            },
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
        },
    }
    return msgspec.json.encode(line) + b"\n"


def encode_categories(names: Sequence[str]) -> bytes:
    """The label category config of all classes, in order of their ids."""
    return encode_label_categories(names)


def decode_lines(data: bytes, *, file: str) -> dict[str, tuple[PixelBox, ...]]:
    """Image URI -> boxes, in the order of the file; a negative has none.

    :raises DatasetError: naming the first line that gives no label.
    """
    boxes: dict[str, tuple[PixelBox, ...]] = {}
    for record in read_output_manifest(data.splitlines(), file=file, label_attribute=LABEL_ATTRIBUTE):
        if isinstance(record, LineProblem):
            raise DatasetError(f"{record}.")
        boxes[record.source_ref] = tuple(
            PixelBox(box.class_id, box.left, box.top, box.width, box.height) for box in record.boxes
        )
    return boxes


def _number(value: float) -> int | float:
    """Ground Truth writes whole pixels without a decimal point."""
    return int(value) if value == int(value) else value
