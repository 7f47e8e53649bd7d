"""Read a YOLO dataset folder for checking: its boxes in pixels, its images, each file that breaks a rule.

The rules of files are those of datasets.yolo_rules. An image without a label file is a negative to
Ultralytics, which hides a lost file: here it is a problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from roundtruth.annotations import IMAGES, LABELED, LABELS, NEGATIVE, UNREADABLE, table
from roundtruth.datasets.boxes import upright_size
from roundtruth.datasets.formats.yolo import decode_data_yaml, decode_row
from roundtruth.datasets.yolo_rules import is_image, label_problems, size_problem
from roundtruth.errors import DatasetError, ImageError
from roundtruth.image_headers import ImageHeader, read_image_headers
from roundtruth.storage import ObjectUri, Storage, StoredObject

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
    stored = [found for found in storage.list_objects(folder / image_folder) if is_image(found.uri.name)]
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
    tables.note(path, size_problem(header.width, header.height) or "")
    width, height = upright_size(header.width, header.height, header.orientation)
    boxes = []
    if text is None:
        tables.note(label_path, "is missing; an image without objects has an empty label file")
    else:
        tables.note(label_path, "; ".join(label_problems(text, len(classes))))
        boxes = list(_usable_rows(text, classes))
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


def _usable_rows(text: bytes, classes: tuple[str, ...]) -> Iterator[tuple[int, float, float, float, float]]:
    """The rows that can be drawn; what is wrong with the others, yolo_rules.label_problems says."""
    seen: set[tuple[int, float, float, float, float]] = set()
    for line in text.decode("utf-8", "replace").splitlines():
        try:
            row = decode_row(line, place="")
        except DatasetError:
            continue
        in_range = 0 <= row[0] < len(classes) and all(0 <= value <= 1 for value in row[1:])
        if in_range and row not in seen:
            seen.add(row)
            yield row
