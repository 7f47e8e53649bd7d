"""YOLO detection: one text file an image, a line a box: class and centre, size as shares of the image (0–1).

Format: Ultralytics' dataset guide for detection. Six decimals keep a box within 0.01 pixel at 20,000 pixels.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import yaml

from roundtruth.datasets.boxes import PixelBox, written_coordinates
from roundtruth.errors import DatasetError


def encode_labels(boxes: Iterable[PixelBox], width: int, height: int) -> bytes:
    """The label file of an image of this size (pixels), boxes sorted; empty bytes for a negative."""
    return b"".join(
        b"%d %.6f %.6f %.6f %.6f\n" % (box.class_id, *written_coordinates(box, width, height))
        for box in sorted(boxes)
    )


def decode_labels(data: bytes, width: int, height: int, *, file: str) -> tuple[PixelBox, ...]:
    """The boxes of a label file, in its order, in pixels.

    :raises DatasetError: naming file and line when a row is not a class and four numbers.
    """
    boxes = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        class_id, x, y, w, h = decode_row(line, place=f"{file}:{number}")
        boxes.append(PixelBox(class_id, (x - w / 2) * width, (y - h / 2) * height, w * width, h * height))
    return tuple(boxes)


def decode_row(line: str, *, place: str) -> tuple[int, float, float, float, float]:
    """Class id and the four shares of one row.

    :raises DatasetError: naming the place when there are not five columns of numbers.
    """
    columns = line.split()
    if len(columns) != 5:
        raise DatasetError(f"{place} has {len(columns)} columns; a box has five.")
    try:
        x, y, w, h = (float(column) for column in columns[1:])
        return int(columns[0]), x, y, w, h
    except ValueError:
        raise DatasetError(f"{place} has a column that is no number: {line.strip()!r}.") from None


def encode_data_yaml(
    names: Sequence[str], splits: Sequence[str], *, unknown: Mapping[int, int] | None = None
) -> bytes:
    """data.yaml: the image folders of the splits that hold images, and the class names by id.

    There is no `path`: Ultralytics then takes the folder that holds data.yaml, so that the dataset trains
    from wherever it was pulled to. It refuses a file without `train` or `val`, so an empty one is led to the
    other. A format without a word for it says in comments which classes are unknown on some images.

    :param unknown: class id -> images on which nobody was asked for it.
    """
    folders = {split: f"images/{split}" for split in splits}
    filled = list(folders.values())
    content: dict[str, object] = {
        "train": folders.get("train", filled[0] if filled else "images/train"),
        "val": folders.get("val", filled[0] if filled else "images/val"),
    }
    content |= {split: folder for split, folder in folders.items() if split not in content}
    content["nc"] = len(names)
    content["names"] = dict(enumerate(names))
    # json.dumps: a name on one line, whatever it holds.
    comments = "".join(
        f"# Class {class_id} ({json.dumps(names[class_id], ensure_ascii=False)}) is unknown, not absent, on "
        f"{count} images: nobody was asked for it there.\n"
        for class_id, count in (unknown or {}).items()
    )
    return (comments + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1_000)).encode()


def decode_data_yaml(data: bytes, *, file: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Class names in order of their ids, and split -> image folder.

    :raises DatasetError: when the file has no names, or ids with gaps.
    """
    try:
        content = yaml.safe_load(data)
    except yaml.YAMLError as error:
        raise DatasetError(f"{file} is not YAML: {error}.") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, Mapping) or sorted(names) != list(range(len(names))):
        raise DatasetError(f"{file} must have `names` by id, from 0 and without gaps.")
    folders = {split: str(content[split]) for split in ("train", "val", "test") if content.get(split)}
    return tuple(str(names[class_id]) for class_id in range(len(names))), folders
