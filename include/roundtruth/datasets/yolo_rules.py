"""The rules by which Ultralytics takes or refuses a detection dataset, restated from its documented format.

It skips an image whose label breaks one, with a warning that is easily missed; here each is a problem. Sides
under 10 pixels and coordinates outside 0–1 are refused, duplicate rows are dropped, and a label file is found
by putting `labels` for the last `images` of a path and `.txt` for the suffix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import yaml

from roundtruth.datasets.file_names import SUFFIXES
from roundtruth.datasets.formats.yolo import decode_row
from roundtruth.errors import DatasetError

MIN_SIDE = 10  # pixels


def label_problems(data: bytes, classes: int) -> Iterator[str]:
    """What is wrong with a label file, a sentence a row; nothing for an empty one."""
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        yield "is not UTF-8 text"
        return
    seen: dict[tuple[float, ...], int] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = decode_row(line, place=f"row {number}")
        except DatasetError as error:
            yield str(error).rstrip(".")
            continue
        class_id, *place = row
        if not 0 <= class_id < classes:
            yield f"row {number} has class {class_id}; there are {classes} classes, from 0"
        if not all(0 <= value <= 1 for value in place):
            yield f"row {number} has a coordinate outside 0–1"
        if place[2] <= 0 or place[3] <= 0:
            yield f"row {number} has a box without an area"
        if row in seen:
            yield f"row {number} repeats row {seen[row]}"
        seen.setdefault(row, number)


def data_yaml_problems(data: bytes) -> Iterator[str]:
    """What is wrong with a data.yaml whose names can be read."""
    content = yaml.safe_load(data)
    for split in ("train", "val"):
        if not content.get(split):
            yield f"names no {split} images"
    count, names = content.get("nc"), content["names"]
    if count is not None and count != len(names):
        yield f"says nc: {count} and has {len(names)} names"


def pairing_problems(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path, what is wrong): images without a label file and label files without an image."""
    everything = set(paths)
    images = {path for path in everything if is_image(path) and "images" in _folders(path)}
    labels = {label_path(path) for path in images}
    for path in sorted(images):
        if label_path(path) not in everything:
            yield path, f"has no label file {label_path(path)}; it would be trained on as a negative"
    for path in sorted(everything - labels):
        if is_label(path):
            yield path, "has no image; it would never be read"


def label_path(image: str) -> str:
    """Where the label file of `…/images/…` lies: the last folder of that name counts."""
    folders = list(_folders(image))
    folders[len(folders) - 1 - folders[::-1].index("images")] = "labels"
    return str(PurePosixPath(*folders, PurePosixPath(image).name).with_suffix(".txt"))


def is_label(path: str) -> bool:
    """Whether a path is that of a label file."""
    return path.endswith(".txt") and "labels" in _folders(path)


def is_image(path: str) -> bool:
    """Whether a path has the suffix of an image."""
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def size_problem(width: int, height: int) -> str | None:
    """What is wrong with an image's size in pixels, or None."""
    if min(width, height) >= MIN_SIDE:
        return None
    return f"is {width}×{height} pixels; sides under {MIN_SIDE} are refused"


def _folders(path: str) -> tuple[str, ...]:
    return PurePosixPath(path).parts[:-1]
