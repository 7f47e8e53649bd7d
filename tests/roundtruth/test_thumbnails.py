"""Thumbnails: upright, small, the same bytes each time; what would take too much memory is refused early."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from roundtruth.errors import ImageError
from roundtruth.thumbnails import MOST_PIXELS, SIDE, make_thumbnail

RED, BLUE = (220, 30, 30), (30, 30, 220)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def left_red(size: tuple[int, int] = (800, 600)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def shown(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(make_thumbnail(data, name="photo"))).convert("RGB")


def is_like(pixel: object, color: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.array(pixel) - np.array(color)).max() < 40)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((800, 600), (320, 240), id="landscape"),
        pytest.param((600, 1200), (160, 320), id="portrait"),
        pytest.param((100, 40), (100, 40), id="small images are not enlarged"),
        pytest.param((5000, 4), (320, 1), id="a strip keeps one line"),
    ],
)
def test_the_longer_side_has_at_most_so_many_pixels(size, expected):
    assert SIDE == 320
    assert shown(encoded(left_red(size), "JPEG")).size == expected


@pytest.mark.parametrize(
    ("orientation", "size", "red"),
    [
        pytest.param(1, (320, 240), "left", id="1 upright"),
        pytest.param(2, (320, 240), "right", id="2 mirrored"),
        pytest.param(3, (320, 240), "right", id="3 by 180 degrees"),
        pytest.param(4, (320, 240), "left", id="4 flipped"),
        pytest.param(5, (240, 320), "top", id="5 transposed"),
        pytest.param(6, (240, 320), "top", id="6 to be turned clockwise"),
        pytest.param(7, (240, 320), "bottom", id="7 transversed"),
        pytest.param(8, (240, 320), "bottom", id="8 to be turned counter-clockwise"),
    ],
)
def test_it_stands_upright_as_browsers_show_the_image(orientation, size, red):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = shown(encoded(left_red(), "JPEG", exif=exif))
    assert picture.size == size
    width, height = size
    places = {
        "left": (10, height // 2),
        "right": (width - 10, height // 2),
        "top": (width // 2, 10),
        "bottom": (width // 2, height - 10),
    }
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    assert is_like(picture.getpixel(places[red]), RED)
    assert is_like(picture.getpixel(places[opposite[red]]), BLUE)


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.full((300, 400), 32768, np.uint16))


def clear() -> Image.Image:
    return Image.new("RGBA", (400, 300), (0, 0, 0, 0))


def palette() -> Image.Image:
    return left_red().convert("P", palette=Image.Palette.ADAPTIVE)


@pytest.mark.parametrize(
    ("image", "color"),
    [
        pytest.param(clear(), (255, 255, 255), id="transparency stands on white"),
        pytest.param(palette(), RED, id="palette"),
        pytest.param(sixteen_bits(), (128, 128, 128), id="16 bits a pixel are not cut off"),
        pytest.param(Image.new("L", (400, 300), 90), (90, 90, 90), id="gray"),
        pytest.param(Image.new("LA", (400, 300), (90, 255)), (90, 90, 90), id="gray with alpha"),
        pytest.param(Image.new("1", (400, 300), 1), (255, 255, 255), id="black and white"),
    ],
)
def test_every_kind_of_png_becomes_a_picture(image, color):
    assert is_like(shown(encoded(image, "PNG")).getpixel((5, 5)), color)


def test_the_same_image_gives_the_same_bytes():
    data = encoded(left_red(), "JPEG")
    assert make_thumbnail(data, name="one") == make_thumbnail(data, name="another")


def png_of(width: int, height: int) -> bytes:
    """A PNG header that claims so many pixels, and none of them."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8000, 60_000], ids=["large", "a decompression bomb"])
@pytest.mark.filterwarnings("error")
def test_too_many_pixels_are_refused_by_the_header(side):
    with pytest.raises(
        ImageError, match=f"photo has {side * side:,} pixels; a thumbnail is made of {MOST_PIXELS:,} at most"
    ):
        make_thumbnail(png_of(side, side), name="photo")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "is not a JPEG or PNG image", id="empty"),
        pytest.param(b"GIF89a" + bytes(30), "is not a JPEG or PNG image", id="another format"),
        pytest.param(encoded(left_red(), "JPEG")[:400], "is damaged", id="a JPEG that is cut off"),
        pytest.param(encoded(left_red(), "PNG")[:200], "is damaged", id="a PNG that is cut off"),
        pytest.param(b"\xff\xd8\xff" + bytes(100), "is damaged", id="a JPEG's first bytes alone"),
        pytest.param(png_of(100, 100), "is damaged", id="no pixels behind the header"),
    ],
)
def test_what_is_no_image_says_why(data, why):
    with pytest.raises(ImageError, match=why):
        make_thumbnail(data, name="photo")
