"""Boxes of one image as a trainer sees them: clipped to the image, turned upright, without duplicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations whose width is the stored image's height


class PixelBox(NamedTuple):
    """A box in pixels, origin top left, possibly fractional. Sorts by class, then place."""

    class_id: int
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class CleanedBoxes:
    """Boxes that may be published, sorted, and how many were changed or left out, by reason."""

    boxes: tuple[PixelBox, ...]
    places: tuple[int, ...]  # parallel to boxes: where each stood in the input, from 0
    clipped: int = 0  # stuck out of the image and were cut at its edge
    outside: int = 0  # left out: no part of it, or none that shows at six decimals, is inside the image
    duplicates: int = 0  # left out: the same class and place as another box, at six decimals


def clean_boxes(boxes: Iterable[PixelBox], width: int, height: int) -> CleanedBoxes:
    """Clip boxes to an image of this size (pixels), leave out what is then empty or there twice, and sort.

    Ultralytics refuses coordinates over 1 and warns of duplicate rows; six decimals is what labels hold.
    """
    kept: dict[tuple[float, ...], tuple[PixelBox, int]] = {}
    clipped = outside = duplicates = 0
    for box, place in sorted((box, place) for place, box in enumerate(boxes)):
        inside = _clip(box, width, height)
        written = written_coordinates(inside, width, height)
        if written[2] <= 0 or written[3] <= 0:
            outside += 1
            continue
        if (box.class_id, *written) in kept:
            duplicates += 1
            continue
        clipped += inside != box
        kept[(box.class_id, *written)] = (inside, place)
    ordered = sorted(kept.values())
    return CleanedBoxes(
        boxes=tuple(box for box, _ in ordered),
        places=tuple(place for _, place in ordered),
        clipped=clipped,
        outside=outside,
        duplicates=duplicates,
    )


def written_coordinates(box: PixelBox, width: int, height: int) -> tuple[float, float, float, float]:
    """Centre x, centre y, width, height as shares of the image (0–1), rounded to a label's six decimals."""
    return (
        round((box.left + box.width / 2) / width, 6),
        round((box.top + box.height / 2) / height, 6),
        round(box.width / width, 6),
        round(box.height / height, 6),
    )


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height of an image once its EXIF orientation (1–8) is applied."""
    return (height, width) if orientation in SIDEWAYS else (width, height)


def upright_box(box: PixelBox, width: int, height: int, orientation: int) -> PixelBox:
    """The same box after the image's EXIF orientation is applied.

    :param width: of the stored image, in pixels; so is ``height``.
    :param orientation: EXIF tag 0x0112: 2 mirrored, 3 turned by 180°, 4 flipped, 5 transposed, 6 to be turned
        90° clockwise, 7 transversed, 8 to be turned 90° counter-clockwise.
    """
    left, top = box.left, box.top
    from_right, from_bottom = width - left - box.width, height - top - box.height
    corner = {
        2: (from_right, top),
        3: (from_right, from_bottom),
        4: (left, from_bottom),
        5: (top, left),
        6: (from_bottom, left),
        7: (from_bottom, from_right),
        8: (top, from_right),
    }.get(orientation, (left, top))
    sides = (box.height, box.width) if orientation in SIDEWAYS else (box.width, box.height)
    return PixelBox(box.class_id, *corner, *sides)


def _clip(box: PixelBox, width: int, height: int) -> PixelBox:
    right, bottom = box.left + box.width, box.top + box.height
    if box.left >= 0 and box.top >= 0 and right <= width and bottom <= height:
        return box  # untouched: subtracting the edges again would change the last bit
    left, top = min(max(box.left, 0.0), width), min(max(box.top, 0.0), height)
    right, bottom = max(min(right, width), left), max(min(bottom, height), top)
    return PixelBox(box.class_id, left, top, right - left, bottom - top)
