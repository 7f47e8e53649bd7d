from __future__ import annotations

import pytest
from PIL import Image

from roundtruth.annotations import IMAGES, table
from roundtruth.quality.seen_images import as_stored, see_images
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.quality.rounds import image


@pytest.fixture
def seen(tmp_path):
    Image.effect_noise((60, 40), 50).save(tmp_path / "here.jpg")
    (tmp_path / "text.jpg").write_text("no image")
    names = ("here", "text", "nowhere")
    places = {
        f"s3://bucket/images/{name}.jpg": ObjectUri.parse(str(tmp_path / f"{name}.jpg")) for name in names
    }
    return see_images(Storage(), places)


def test_what_lies_there_is_read_and_what_does_not_is_gone(seen):
    assert [ref.rpartition("/")[2] for ref in seen.headers.index] == ["here.jpg", "text.jpg"]
    assert seen.headers["width"].tolist()[0] == 60
    assert "not a JPEG or PNG" in seen.headers["reason"].iloc[1]
    gone = dict(zip(seen.facts["source_ref"], seen.facts["gone"], strict=True))
    assert gone == {"s3://bucket/images/here.jpg": False, "s3://bucket/images/nowhere.jpg": True}


def test_the_images_table_takes_sizes_and_what_cannot_be_read(seen):
    names = ("here.jpg", "text.jpg", "nowhere.jpg", "never asked.jpg")
    images = table([image(name) for name in names], IMAGES)
    stored = as_stored(images, seen)
    assert stored["width"].tolist()[:1] == [60]
    assert stored["width"].tolist()[2:] == [100, 100]
    assert stored["status"].tolist() == ["labeled", "unreadable", "labeled", "labeled"]
    assert images["width"].tolist() == [100] * 4, "the table that came in is not changed"
