"""Flat CSV (annot.csv): one row a box, in the columns that pandas users of Ground Truth know.

Boxes and sizes are those of the stored image, as Ground Truth gave them: other than the files for trainers,
this one does not apply EXIF orientation. An image without boxes has no row.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence

from roundtruth.annotations import ANNOT_CSV_COLUMNS
from roundtruth.datasets.boxes import PixelBox
from roundtruth.errors import DatasetError

HEADER = (",".join(ANNOT_CSV_COLUMNS) + "\n").encode()


def encode_rows(
    boxes: Iterable[PixelBox], names: Sequence[str], *, img_file: str, width: int, height: int
) -> bytes:
    """The rows of one image of this size (pixels), boxes sorted; ``img_file`` is its whole URI."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for box in sorted(boxes):
        edges = (_number(value) for value in (box.left, box.top, box.height, box.width))
        writer.writerow([img_file, names[box.class_id], *edges, width, height])
    return text.getvalue().encode("utf-8", "surrogatepass")


def decode_rows(data: bytes, names: Sequence[str], *, file: str) -> dict[str, tuple[PixelBox, ...]]:
    """Image URI -> boxes in pixels, in the order of the file.

    :raises DatasetError: when a column is missing, a value is no number, or a class is not in ``names``.
    """
    ids = {name: class_id for class_id, name in enumerate(names)}
    boxes: dict[str, list[PixelBox]] = defaultdict(list)
    rows = csv.DictReader(io.StringIO(data.decode("utf-8", "surrogatepass"), newline=""))
    try:
        for row in rows:
            left, top, height, width = (
                float(row[name]) for name in ("box_left", "box_top", "box_height", "box_width")
            )
            boxes[row["img_file"]].append(PixelBox(ids[row["category"]], left, top, width, height))
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{file}:{rows.line_num} cannot be read: {error}.") from error
    return {img_file: tuple(found) for img_file, found in boxes.items()}


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
