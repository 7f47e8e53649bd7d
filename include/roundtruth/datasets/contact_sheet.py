"""A bounded number of a version's images as small JPEGs with their boxes drawn, to look at."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from roundtruth.datasets.boxes import PixelBox, upright_box, upright_size
from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.tree import TreeImage

SHOWN = 24
SIDE = 240  # pixels of the longer side
MAX_PIXELS = 60_000_000  # larger images are not opened: a picture of 240 pixels is not worth the memory
# Far apart, also for people who see no red or green (Okabe and Ito, Color Universal Design).
COLORS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#ffffff")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An image of the sheet; its boxes are in pixels of the stored image."""

    image: TreeImage
    etag: str
    boxes: tuple[PixelBox, ...]


def choose_images(candidate: Candidate) -> tuple[Shown, ...]:
    """At most SHOWN images in order of their digests: some of each class, negatives, others."""
    images = candidate.images
    # Products of two int32 sides may not fit into one.
    small = images["width"].to_numpy(np.int64) * images["height"].to_numpy(np.int64) <= MAX_PIXELS
    rank = images["digest"].rank(method="first").to_numpy().astype(np.int64)
    class_ids = candidate.labels["class_id"].to_numpy()
    fitting = [
        *(np.unique(candidate.image_of_box[class_ids == one]) for one in range(len(candidate.classes))),
        np.flatnonzero(images["boxes"].to_numpy() == 0),
    ]
    of_each = max(1, SHOWN // (2 * len(fitting)))
    chosen: dict[int, None] = {}
    for places, count in [*((places, of_each) for places in fitting), (np.arange(len(images)), SHOWN)]:
        _take(chosen, places[small[places]], rank, count)
    etags = images["etag"].iloc[list(chosen)]
    shown = zip(candidate.some_with_boxes(list(chosen)), etags, strict=True)
    return tuple(Shown(image=image, etag=etag, boxes=tuple(boxes)) for (image, boxes), etag in shown)


def thumbnail(data: bytes, shown: Shown) -> bytes | None:
    """A JPEG of at most SIDE pixels, upright, boxes coloured by class; None when it cannot be read."""
    try:
        with Image.open(io.BytesIO(data)) as opened:
            opened.draft("RGB", (2 * SIDE, 2 * SIDE))
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # Pillow's plugins raise all of these for broken files
    picture.thumbnail((SIDE, SIDE))
    image = shown.image
    width, height = upright_size(image.width, image.height, image.orientation)
    scale_x, scale_y = picture.width / width, picture.height / height
    draw = ImageDraw.Draw(picture)
    for stored in shown.boxes:
        box = upright_box(stored, image.width, image.height, image.orientation)
        left, top = box.left * scale_x, box.top * scale_y
        right, bottom = left + box.width * scale_x, top + box.height * scale_y
        edges = (left, top, max(right - 1, left), max(bottom - 1, top))
        draw.rectangle(edges, outline="#000000", width=3)
        draw.rectangle(edges, outline=COLORS[box.class_id % len(COLORS)], width=2)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=72)
    return content.getvalue()


def _take(chosen: dict[int, None], places: NDArray[np.int64], rank: NDArray[np.int64], count: int) -> None:
    """Add ``count`` more of these places, those of the lowest rank first."""
    # Those that are chosen already may all be among the first.
    first = places[np.argsort(rank[places], kind="stable")][: len(chosen) + count]
    more = [place for place in first.tolist() if place not in chosen][:count]
    chosen.update(dict.fromkeys(more[: max(SHOWN - len(chosen), 0)]))
