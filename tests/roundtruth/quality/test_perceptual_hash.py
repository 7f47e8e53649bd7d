from __future__ import annotations

import io
from itertools import combinations, islice

import pytest
from PIL import Image, ImageEnhance

from roundtruth.quality.perceptual_hash import perceptual_hash
from roundtruth.sandbox.samples import generate_samples
from tests.real_data import REAL, needs_real

DISTANCE = 6  # Quality.near_duplicate_distance


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.draft("L", (64, 64))
    return image


def saved(image, quality):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return opened(content.getvalue())


def distance(one, two):
    return (int(perceptual_hash(one), 16) ^ int(perceptual_hash(two), 16)).bit_count()


@pytest.fixture(scope="module")
def photos():
    return [data for _, data, _ in generate_samples(12, seed=7)]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda photo: saved(photo, 50), id="saved again"),
        pytest.param(lambda photo: photo.resize((photo.width // 2, photo.height // 2)), id="half as large"),
        pytest.param(lambda photo: ImageEnhance.Brightness(photo).enhance(1.1), id="brighter"),
    ],
)
def test_a_copy_keeps_its_fingerprint(photos, changed):
    near = [distance(opened(data), changed(opened(data).convert("RGB"))) <= DISTANCE for data in photos]
    assert sum(near) >= 11


def test_other_photos_of_the_same_things_have_others(photos):
    assert min(distance(opened(one), opened(two)) for one, two in combinations(photos, 2)) > DISTANCE


@needs_real
def test_real_photos_are_near_their_copies_and_far_from_each_other():
    paths = sorted(path for path in REAL.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    images = (Image.open(path) for path in paths)
    photos = list(islice((image for image in images if 64 < min(image.size) <= max(image.size) < 1500), 10))
    shown = [photo.convert("RGB") for photo in photos]
    assert len(shown) == 10
    for photo in shown:
        half = photo.resize((photo.width // 2, photo.height // 2))
        copies = [saved(photo, 30), half, ImageEnhance.Brightness(photo).enhance(0.9)]
        assert max(distance(photo, copy) for copy in copies) <= DISTANCE
    others = sorted(distance(one, two) for one, two in combinations(shown, 2))
    assert others[0] > DISTANCE


def test_an_image_that_shows_nothing_has_none():
    assert perceptual_hash(Image.new("RGB", (300, 200), (200, 180, 150))) is None
