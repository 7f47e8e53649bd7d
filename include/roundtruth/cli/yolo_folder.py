"""Read a YOLO dataset folder for checking: its boxes in pixels, its images, each file that breaks a rule.

The rules are those of Ultralytics' loader: an image's label file has its path with `images` replaced by
`labels` and the suffix by `.txt`; a row is a class and four numbers from 0 to 1; a class is below `nc`; no
row stands twice. An image without a label file is a negative there, which hides a lost file: a problem here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from roundtruth.annotations import IMAGES, LABELED, LABELS, NEGATIVE, UNREADABLE, table
from roundtruth.datasets.boxes import upright_size
from roundtruth.datasets.formats.yolo import decode_data_yaml, decode_row
from roundtruth.errors import DatasetError, ImageError
from roundtruth.image_headers import ImageHeader, read_image_headers
from roundtruth.storage import ObjectUri, Storage, StoredObject

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
ROUNDING = 1e-6  # centre and size are each off by half of the sixth decimal at most


@dataclass
class YoloFolder:
    """What a YOLO folder holds; the paths in the tables are relative to the folder."""

    classes: tuple[str, ...]
    splits: tuple[str, ...]
    images: pd.DataFrame  # annotations.IMAGES; sizes are those of the upright image, as the labels are
    labels: pd.DataFrame  # annotations.LABELS
    places: pd.DataFrame  # source_ref, split, etag; source_ref is the file name, equal in every split
    files: pd.DataFrame  # file, problem (empty when there is none), valid (0 or 1)


@dataclass
class _Tables:
    images: list[dict[str, object]] = field(default_factory=list)
    labels: list[dict[str, object]] = field(default_factory=list)
    places: list[dict[str, object]] = field(default_factory=list)
    files: list[dict[str, object]] = field(default_factory=list)

    def note(self, file: str, problem: str = "") -> None:
        self.files.append({"file": file, "problem": problem, "valid": float(not problem)})


def read_yolo_folder(storage: Storage, folder: ObjectUri) -> YoloFolder:
    """Read all labels and all image headers of a folder with a data.yaml.

    :raises DatasetError: when data.yaml cannot be used.
    """
    data_yaml = folder / "data.yaml"
    classes, split_folders = decode_data_yaml(storage.read(data_yaml), file=str(data_yaml))
    tables = _Tables()
    for split, image_folder in _each_once(split_folders):
        _read_split(storage, folder, image_folder.strip("/"), split, classes, tables)
    return YoloFolder(
        classes=classes,
        splits=tuple(split_folders),
        images=table(tables.images, IMAGES),
        labels=table(tables.labels, LABELS),
        places=pd.DataFrame(tables.places, columns=["source_ref", "split", "etag"]),
        files=pd.DataFrame(tables.files, columns=["file", "problem", "valid"]),
    )


def _each_once(split_folders: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Splits without those that only point to another one's folder, as data.yaml of a small dataset does."""
    seen: set[str] = set()
    for split, folder in split_folders.items():
        if folder not in seen:
            seen.add(folder)
            yield split, folder


def _read_split(
    storage: Storage,
    folder: ObjectUri,
    image_folder: str,
    split: str,
    classes: tuple[str, ...],
    tables: _Tables,
) -> None:
    label_folder = f"labels{image_folder.removeprefix('images')}"
    stored = [
        found
        for found in storage.list_objects(folder / image_folder)
        if found.uri.key.lower().endswith(IMAGE_SUFFIXES)
    ]
    label_files = {
        found.uri.name.removesuffix(".txt"): found.uri
        for found in storage.list_objects(folder / label_folder)
        if found.uri.name.endswith(".txt")
    }
    texts = {uri.name.removesuffix(".txt"): data for uri, data in storage.read_many(label_files.values())}
    for image, header in read_image_headers(storage, stored):
        stem = image.uri.name.rpartition(".")[0]
        path = f"{image_folder}/{image.uri.name}"
        tables.places.append({"source_ref": image.uri.name, "split": split, "etag": image.etag})
        label_path = f"{label_folder}/{stem}.txt"
        _add_image(path, image, header, texts.pop(stem, None), label_path, classes, tables)
    for stem in sorted(texts):
        tables.note(f"{label_folder}/{stem}.txt", "no image has this name")


def _add_image(
    path: str,
    image: StoredObject,
    header: ImageHeader | ImageError,
    text: bytes | None,
    label_path: str,
    classes: tuple[str, ...],
    tables: _Tables,
) -> None:
    row: dict[str, object] = {"source_ref": path, "etag": image.etag, "bytes": image.size, "reason": ""}
    if isinstance(header, ImageError):
        tables.note(path, str(header))
        tables.images.append({**row, "status": UNREADABLE, "reason": str(header)})
        return
    tables.note(path)
    width, height = upright_size(header.width, header.height, header.orientation)
    boxes = []
    if text is None:
        tables.note(label_path, "is missing; an image without objects has an empty label file")
    else:
        boxes = list(_boxes(text, label_path, classes, tables))
    status = LABELED if boxes else NEGATIVE
    orientation = header.orientation
    tables.images.append(
        {**row, "width": width, "height": height, "orientation": orientation, "status": status}
    )
    tables.labels.extend(
        {
            "source_ref": path,
            "category": classes[class_id],
            "left": left * width,
            "top": top * height,
            "width": (right - left) * width,
            "height": (bottom - top) * height,
        }
        for class_id, x, y, w, h in boxes
        for (left, right), (top, bottom) in [(_edges(x, w), _edges(y, h))]
    )


def _edges(centre: float, size: float) -> tuple[float, float]:
    """Both edges (0–1) of a box; what six decimals put beyond the image's edge is rounding, no overhang."""
    low, high = centre - size / 2, centre + size / 2
    return (0.0 if -ROUNDING <= low < 0 else low), (1.0 if 1 < high <= 1 + ROUNDING else high)


def _boxes(
    text: bytes, label_path: str, classes: tuple[str, ...], tables: _Tables
) -> Iterator[tuple[int, float, float, float, float]]:
    seen: set[tuple[int, float, float, float, float]] = set()
    problems = []
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = decode_row(line, place=f"line {number}")
        except DatasetError as error:
            problems.append(str(error))
            continue
        problem = _row_problem(row, classes, row in seen)
        if problem:
            problems.append(f"line {number} {problem}")
        else:
            yield row
        seen.add(row)
    tables.note(label_path, "; ".join(problems))


def _row_problem(row: tuple[int, float, float, float, float], classes: tuple[str, ...], is_copy: bool) -> str:
    if not 0 <= row[0] < len(classes):
        return f"has class {row[0]}, but there are {len(classes)}"
    if not all(0 <= value <= 1 for value in row[1:]):
        return "has a coordinate outside 0–1"
    return "stands there twice" if is_copy else ""
