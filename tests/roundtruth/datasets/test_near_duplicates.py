from __future__ import annotations

import io
from itertools import combinations

import pytest
from PIL import Image, ImageEnhance

from roundtruth.datasets.near_duplicates import MAX_DISTANCE, fingerprint, near_pairs
from tests.real_data import REAL, needs_real
from tests.roundtruth.datasets.recorded_rounds import jpeg


def saved(image: Image.Image, kind: str = "JPEG", **options: int) -> bytes:
    content = io.BytesIO()
    image.convert("RGB").save(content, kind, **options)
    return content.getvalue()


def photos() -> list[Image.Image]:
    paths = sorted(path for path in REAL.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    opened = [Image.open(path) for path in paths]
    return [image.convert("RGB") for image in opened if min(image.size) > 64 and max(image.size) < 1500][:8]


@pytest.mark.parametrize(
    "data", [b"", b"no image", jpeg(100, 80), jpeg(64, 64)[:200]], ids=["empty", "text", "flat", "cut"]
)
def test_what_shows_no_shape_has_no_fingerprint(data: bytes) -> None:
    assert fingerprint(data) is None


@needs_real
def test_a_photo_is_near_its_copies_and_far_from_other_photos() -> None:
    prints = {}
    for number, photo in enumerate(photos()):
        small = photo.resize((photo.width // 2, photo.height // 2))
        copies = [saved(photo, quality=95), saved(photo, quality=30), saved(small), saved(photo, "PNG")]
        copies.append(saved(ImageEnhance.Brightness(photo).enhance(0.8)))
        found = [fingerprint(copy) for copy in copies]
        if None in found:
            continue  # a mask of one colour
        prints |= {f"{number}/{place}": str(digits) for place, digits in enumerate(found)}
    assert len(prints) >= 20
    linked = list(near_pairs(prints))
    parents = {name: name for name in prints}

    def root(name: str) -> str:
        return name if parents[name] == name else root(parents[name])

    for one, other in linked:
        parents[root(other)] = root(one)
    for name in prints:
        assert root(name) == root(name.partition("/")[0] + "/0"), f"{name} lost its original"
    photos_known = {name.partition("/")[0] for name in prints}
    assert len({root(name) for name in prints}) >= len(photos_known) - 1  # two are nearly the same scene


def test_pairs_link_all_that_are_near_and_no_others() -> None:
    values = [0, 0, 0b11111, 0b111111, 1 << 63, (1 << 64) - 1]
    prints = {str(number): f"{value:016x}" for number, value in enumerate(values)}
    near = {
        (str(one), str(two))
        for one, two in combinations(range(len(values)), 2)
        if (values[one] ^ values[two]).bit_count() <= MAX_DISTANCE
    }
    found = set(near_pairs(prints))
    assert found <= near
    assert ("0", "1") in found
    assert ("0", "3") not in found
