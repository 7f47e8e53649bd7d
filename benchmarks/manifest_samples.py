"""Output manifests of any size for the benches: lines as Ground Truth writes them, boxes as people draw them.

Boxes an image are log-normal (mean 7), 4 % of the images have none, classes are spread unevenly (the first of
40 is 20 times as frequent as the last), pixels are whole. The same arguments give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CATEGORIES = tuple(f"category {number:02d}" for number in range(40))
MEAN_BOXES = 7.0
SPREAD = 0.8  # sigma of the logarithm
NEGATIVES = 0.04  # share of images without a box
SIZES = ((1920, 1080), (4032, 3024), (1280, 960), (800, 600))
CHUNK = 10_000  # images that are drawn at once: memory does not grow with the manifest


class Scene(NamedTuple):
    """One image: its number, its size in pixels, its boxes as rows of class, left, top, width, height."""

    number: int
    width: int
    height: int
    boxes: NDArray[np.int64]


def scenes(images: int, *, seed: int = 7) -> Iterator[Scene]:
    """So many images, in order."""
    for start in range(0, images, CHUNK):
        yield from _chunk(np.random.default_rng((seed, start)), start, min(CHUNK, images - start))


def _chunk(random: np.random.Generator, start: int, count: int) -> Iterator[Scene]:
    mean = np.log(MEAN_BOXES / (1 - NEGATIVES)) - SPREAD**2 / 2
    boxes = np.maximum(np.rint(random.lognormal(mean, SPREAD, count)), 1).astype(np.int64)
    boxes[random.random(count) < NEGATIVES] = 0
    total = int(boxes.sum())
    size = np.array(SIZES)[random.integers(len(SIZES), size=count)]
    of_box = np.repeat(size, boxes, axis=0)
    share = 1 / np.linspace(1, 20, len(CATEGORIES))
    classes = random.choice(len(CATEGORIES), size=total, p=share / share.sum())
    sides = np.clip(random.lognormal(-2.2, 0.7, (total, 2)), 0.004, 0.9)
    sides = np.maximum((sides * of_box).astype(np.int64), 2)
    corners = (random.random((total, 2)) * (of_box - sides)).astype(np.int64)
    rows = np.column_stack([classes, corners, sides])
    ends = np.cumsum(boxes)
    for place in range(count):
        width, height = (int(side) for side in size[place])
        yield Scene(start + place, width, height, rows[ends[place] - boxes[place] : ends[place]])


def source_ref(number: int) -> str:
    """The URI of an image."""
    return f"s3://bench-bucket/bounding_box/images/{number // 1000:04d}/photo-{number:07d}.jpg"


def manifest_line(scene: Scene, *, job: str = "bench-job-1") -> bytes:
    """A line of an output manifest, with its line end."""
    names = ("class_id", "left", "top", "width", "height")
    boxes = scene.boxes.tolist()
    line = {
        "source-ref": source_ref(scene.number),
        job: {
            "image_size": [{"width": scene.width, "height": scene.height, "depth": 3}],
            "annotations": [dict(zip(names, box, strict=True)) for box in boxes],
        },
        f"{job}-metadata": {
            "objects": [{"confidence": 0.09} for _ in boxes],
            "class-map": {
                str(class_id): CATEGORIES[class_id] for class_id in sorted({box[0] for box in boxes})
            },
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": f"2026-01-05T{scene.number // 3600 % 24:02d}:{scene.number // 60 % 60:02d}:"
            f"{scene.number % 60:02d}.{scene.number % 1000000:06d}",
            "job-name": f"labeling-job/{job}",
        },
    }
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def write_manifest(path: Path, images: int, *, seed: int = 7, job: str = "bench-job-1") -> int:
    """Write an output manifest of so many images; returns the number of boxes."""
    boxes = 0
    with path.open("wb") as file:
        for scene in scenes(images, seed=seed):
            file.write(manifest_line(scene, job=job))
            boxes += len(scene.boxes)
    return boxes
