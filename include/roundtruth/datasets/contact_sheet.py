"""A bounded number of a version's images as small JPEGs with their boxes drawn, to look at."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    """At most SHOWN images in order of a digest of their URI: some of each class, negatives, others."""
    etags = dict(zip(candidate.images["source_ref"], candidate.images["etag"], strict=True))
    ordered = sorted(
        (
            Shown(image=image, etag=etags[image.source_ref], boxes=tuple(boxes))
            for image, boxes in candidate.images_with_boxes()
            if image.width * image.height <= MAX_PIXELS
        ),
        key=lambda shown: hashlib.sha256(shown.image.source_ref.encode("utf-8", "surrogatepass")).digest(),
    )
    chosen: dict[str, Shown] = {}
    wanted: list[int | None] = [*range(len(candidate.classes)), None]
    for class_id in wanted:
        fitting = (one for one in ordered if _shows(one, class_id))
        _take(chosen, fitting, max(1, SHOWN // (2 * len(wanted))))
    _take(chosen, ordered, SHOWN)
    return tuple(chosen.values())


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


def _shows(shown: Shown, class_id: int | None) -> bool:
    return not shown.boxes if class_id is None else any(box.class_id == class_id for box in shown.boxes)


def _take(chosen: dict[str, Shown], images: Iterable[Shown] | Sequence[Shown], count: int) -> None:
    for one in images:
        if len(chosen) >= SHOWN or count <= 0:
            return
        if one.image.source_ref not in chosen:
            chosen[one.image.source_ref] = one
            count -= 1
