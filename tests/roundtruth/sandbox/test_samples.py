"""Sample photos: the same for a seed, varied, and with boxes that are tight around what is seen."""

from __future__ import annotations

import hashlib
import time
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from roundtruth.sandbox import samples as samples_module
from roundtruth.sandbox.samples import SAMPLE_LABELS, generate_samples


@pytest.fixture(scope="module")
def samples():
    begun = time.process_time()
    made = list(generate_samples(24, seed=1))
    assert time.process_time() - begun < 10  # 60 in 15 s, with a margin for busy machines
    return made


def test_a_photo_depends_on_seed_and_number_only(samples):
    (name, content, truth), *_ = generate_samples(1, seed=1, start=5)
    assert (name, hashlib.sha256(content).digest(), truth) == (
        samples[5][0],
        hashlib.sha256(samples[5][1]).digest(),
        samples[5][2],
    )
    assert next(iter(generate_samples(1, seed=2, start=5)))[1] != content


def test_what_the_first_photos_are(samples):
    assert len({name for name, _, _ in samples}) == len({content for _, content, _ in samples}) == 24
    formats, orientations, sizes = set(), set(), set()
    for name, content, truth in samples:
        with Image.open(BytesIO(content)) as image:
            assert image.size == (truth.width, truth.height)
            assert name.endswith({"JPEG": ".jpg", "PNG": ".png"}[image.format])
            formats.add(image.format)
            orientations.add(image.getexif().get(0x0112, 1))
            sizes.add(image.size)
            assert image.mode == "RGB"
        assert len(content) > 20_000
    assert formats == {"JPEG", "PNG"}
    assert orientations == {1, 6}
    assert len(sizes) >= 4
    counts = [len(truth.objects) for _, _, truth in samples]
    assert counts.count(0) >= 2
    assert max(counts) >= 4
    assert {box.label for _, _, truth in samples for box in truth.objects} == set(SAMPLE_LABELS)


def test_boxes_lie_inside_and_are_whole(samples):
    for _, _, truth in samples:
        for box in truth.objects:
            assert min(box.left, box.top) >= 0
            assert min(box.width, box.height) >= 5
            assert box.left + box.width <= truth.width
            assert box.top + box.height <= truth.height


def test_boxes_are_tight_around_what_is_seen(monkeypatch):
    laid = []

    def paste_flat(scene, thing, place, depth, strength):
        """Like paste_with_shadow, in one color an object and without shadow or soft edge."""
        laid.append((0, 0, len(laid) + 1))
        scene.paste(laid[-1], place, thing.getchannel("A").point(lambda alpha: 255 if alpha > 110 else 0))

    monkeypatch.setattr(samples_module, "paste_with_shadow", paste_flat)
    compared = 0
    for number in range(12):
        laid.clear()
        scene = Image.new("RGB", (640, 480), (255, 255, 255))
        boxes = samples_module._lay_out(scene, 5, np.random.default_rng(number))
        pixels = np.asarray(scene)
        assert len(boxes) == len(laid) > 0
        for box, color in zip(boxes, laid, strict=True):
            rows, columns = np.nonzero((pixels == color).all(axis=2))
            assert (box.left, box.top) == (columns.min(), rows.min())
            assert (box.width, box.height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
            compared += 1
    assert compared > 30
