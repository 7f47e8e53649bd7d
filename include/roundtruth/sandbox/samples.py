"""Sample photos of pens and pencils on desks, with what is on them; the images of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from roundtruth.sandbox.sample_objects import draw_object
from roundtruth.sandbox.sample_scenes import draw_surface, paste_with_shadow, photograph
from roundtruth.sandbox.truth import TrueBox, Truth
from roundtruth.sandbox.workers import number_of

SAMPLE_LABELS = ("pencil", "pen")

_SIZES = ((1024, 768), (1280, 960), (960, 720), (800, 600), (1200, 800), (768, 1024), (720, 960), (640, 640))
_ORIENTATION_TAG = 0x0112
_LEAST_VISIBLE = 0.55  # of an object, in the frame and not under another one


def generate_samples(count: int, seed: int, start: int = 0) -> Iterator[tuple[str, bytes, Truth]]:
    """Yield `count` photos from number `start` on: file name, JPEG or PNG bytes, truth in stored pixels.

    A photo depends on seed and number only, so that more can be made later without touching the first ones.
    Boxes are tight around what is visible. One photo in 15 is PNG, one in 12 shows neither pen nor pencil,
    one in 20 has an EXIF orientation (its boxes are those of the stored pixels, as Ground Truth's are).
    """
    for number in range(start, start + count):
        chance = np.random.default_rng(number_of(seed, "sample", number))
        width, height = _SIZES[chance.integers(len(_SIZES))]
        scene = draw_surface(width, height, chance)
        wanted = (
            0
            if number % 12 == 9
            else int(chance.choice([1, 2, 3, 4, 5, 6], p=[0.2, 0.28, 0.22, 0.15, 0.1, 0.05]))
        )
        boxes = _lay_out(scene, wanted, chance)
        photo = photograph(scene, chance)
        name, content = _encoded(photo, number, chance)
        yield name, content, Truth(width=width, height=height, objects=tuple(boxes))


def _lay_out(scene: Image.Image, wanted: int, chance: np.random.Generator) -> list[TrueBox]:
    """Lay objects on the scene, some over others and over the edge; boxes are around what is seen."""
    owner = np.zeros((scene.height, scene.width), np.uint8)
    labels: list[str] = []
    areas: list[int] = []
    scale = chance.uniform(0.36, 0.70) * min(scene.size)  # how near the camera is
    for _ in range(wanted * 4):
        if len(labels) == wanted:
            break
        label = SAMPLE_LABELS[chance.integers(2)]
        lying = draw_object(label, int(scale * chance.uniform(0.75, 1.35)), chance)
        thing = lying.rotate(chance.uniform(0, 360), Image.Resampling.BICUBIC, expand=True)
        left = int(chance.uniform(0.02, 0.98) * scene.width - thing.width / 2)
        top = int(chance.uniform(0.02, 0.98) * scene.height - thing.height / 2)
        place = (left, top)
        solid = np.zeros_like(owner, bool)
        _stamp(solid, thing, place)
        if not _fits(owner, solid, thing, areas):
            continue
        owner[solid] = len(labels) + 1
        labels.append(label)
        areas.append(_area(thing))
        paste_with_shadow(scene, thing, place, max(2.5, lying.height * 0.22), 0.62)
    return [_box(label, owner == number) for number, label in enumerate(labels, start=1)]


def _stamp(solid: NDArray[np.bool_], thing: Image.Image, place: tuple[int, int]) -> None:
    alpha = np.asarray(thing.getchannel("A")) > 110
    left, top = place
    height, width = solid.shape
    x, y = max(0, left), max(0, top)
    x_end, y_end = min(width, left + thing.width), min(height, top + thing.height)
    if x < x_end and y < y_end:
        solid[y:y_end, x:x_end] = alpha[y - top : y_end - top, x - left : x_end - left]


def _fits(owner: NDArray[np.uint8], solid: NDArray[np.bool_], thing: Image.Image, areas: list[int]) -> bool:
    """Whether enough stays visible of the new thing and of each that lies below it."""
    if solid.sum() < _LEAST_VISIBLE * _area(thing):
        return False
    left_over = np.bincount(owner[~solid], minlength=len(areas) + 1)
    return all(left_over[number] >= _LEAST_VISIBLE * area for number, area in enumerate(areas, start=1))


def _area(thing: Image.Image) -> int:
    return int((np.asarray(thing.getchannel("A")) > 110).sum())


def _box(label: str, mask: NDArray[np.bool_]) -> TrueBox:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return TrueBox(
        label=label, left=left, top=top, width=int(columns[-1]) + 1 - left, height=int(rows[-1]) + 1 - top
    )


def _encoded(photo: Image.Image, number: int, chance: np.random.Generator) -> tuple[str, bytes]:
    content = BytesIO()
    if number % 15 == 4:
        photo.save(content, "PNG", compress_level=3)
        return f"desk_{number:05d}.png", content.getvalue()
    exif = Image.Exif()
    if number % 20 == 7:
        exif[_ORIENTATION_TAG] = 6  # held upright: viewers turn it, the stored pixels lie on their side
    photo.save(content, "JPEG", quality=int(chance.integers(82, 93)), exif=exif)
    return f"desk_{number:05d}.jpg", content.getvalue()
