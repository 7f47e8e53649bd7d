from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from roundtruth.datasets.boxes import PixelBox, clean_boxes, upright_box, upright_size

WIDTH, HEIGHT = 120, 80
number = st.floats(-300, 300, allow_nan=False)
side = st.floats(0, 400, allow_nan=False)
boxes = st.lists(st.builds(PixelBox, st.integers(0, 3), number, number, side, side), max_size=20)


@given(boxes)
def test_clean_boxes_are_inside_distinct_and_all_accounted_for(given_boxes: list[PixelBox]) -> None:
    cleaned = clean_boxes(given_boxes, WIDTH, HEIGHT)
    for box, place in zip(cleaned.boxes, cleaned.places, strict=True):
        assert box.class_id == given_boxes[place].class_id
        assert 0 <= box.left <= box.left + box.width <= WIDTH + 1e-9
        assert 0 <= box.top <= box.top + box.height <= HEIGHT + 1e-9
        assert box.width > 0
        assert box.height > 0
    assert len(cleaned.boxes) + cleaned.outside + cleaned.duplicates == len(given_boxes)
    assert clean_boxes(cleaned.boxes, WIDTH, HEIGHT).boxes == cleaned.boxes


@pytest.mark.parametrize(
    ("box", "expected", "counts"),
    [
        pytest.param((10, 10, 20, 20), (10, 10, 20, 20), (0, 0, 0), id="inside"),
        pytest.param((-5, 70, 20, 30), (0, 70, 15, 10), (1, 0, 0), id="sticks out"),
        pytest.param((120, 0, 10, 10), None, (0, 1, 0), id="beside the image"),
        pytest.param((10, 10, 0, 20), None, (0, 1, 0), id="no width"),
        pytest.param((10, 10, 0.00001, 20), None, (0, 1, 0), id="no width at six decimals"),
        pytest.param((95.39999999999998, 0, 10, 10), (95.39999999999998, 0, 10, 10), (0, 0, 0), id="exact"),
    ],
)
def test_clipping(
    box: tuple[float, ...], expected: tuple[float, ...] | None, counts: tuple[int, int, int]
) -> None:
    cleaned = clean_boxes([PixelBox(0, *box)], WIDTH, HEIGHT)
    assert [one[1:] for one in cleaned.boxes] == ([expected] if expected else [])
    assert (cleaned.clipped, cleaned.outside, cleaned.duplicates) == counts


def test_the_same_place_twice_is_a_duplicate_only_in_one_class() -> None:
    box = PixelBox(0, 1, 2, 3, 4)
    cleaned = clean_boxes([box, box, box._replace(class_id=1)], WIDTH, HEIGHT)
    assert len(cleaned.boxes) == 2
    assert cleaned.duplicates == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_boxes_fit_the_image_as_viewers_turn_it(orientation: int) -> None:
    """A white rectangle in a real JPEG is found where the turned box says."""
    box = PixelBox(0, 16, 8, 48, 24)
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[8:32, 16:64] = 255
    content = BytesIO()
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(content, "JPEG", quality=100, exif=exif)
    with Image.open(content) as stored:
        assert stored.size == (WIDTH, HEIGHT)
        seen = ImageOps.exif_transpose(stored)
    assert seen.size == upright_size(WIDTH, HEIGHT, orientation)
    rows, columns = np.nonzero(np.asarray(seen) > 128)
    turned = upright_box(box, WIDTH, HEIGHT, orientation)
    assert (turned.left, turned.top) == (columns.min(), rows.min())
    assert (turned.width, turned.height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
