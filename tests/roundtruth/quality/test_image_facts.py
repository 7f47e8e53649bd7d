from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import pandas as pd
import pytest
from PIL import Image

from roundtruth.annotations import to_parquet
from roundtruth.errors import StorageError
from roundtruth.quality import image_facts
from roundtruth.quality.image_facts import (
    IMAGE_FACTS,
    UNDECODABLE,
    extension_lies,
    facts_of,
    inspect_images,
    parts_folder,
    read_facts,
)
from roundtruth.storage import Content, ObjectUri, Storage


def encoded(image_format="JPEG", **options):
    content = io.BytesIO()
    Image.effect_mandelbrot((160, 120), (-2, -1.5, 1, 1.5), 100).save(content, image_format, **options)
    return content.getvalue()


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(exif=exif)


JPEG = encoded()


def write(folder, **files):
    rows = []
    for name, data in files.items():
        uri = ObjectUri.parse(str(folder / name))
        if data is not None:
            Storage().write(uri, data)
        rows.append({"source_ref": str(uri), "etag": f"etag of {name}"})
    return pd.DataFrame(rows)


def test_what_the_bytes_tell(tmp_path):
    images = write(
        tmp_path,
        a=JPEG,
        b=encoded("PNG"),
        c=JPEG[: len(JPEG) // 2],
        d=b"hello",
        e=rotated(),
        f=None,
        g=encoded("PNG")[:-100],
    )
    cache = ObjectUri.parse(str(tmp_path / "facts.parquet"))
    facts = inspect_images(Storage(), images.iloc[::-1], cache)
    by_name = facts.assign(name=[ref[-1] for ref in facts["source_ref"]]).set_index("name")
    assert list(by_name.index) == list("abcdefg"), "sorted"
    assert by_name.loc["a", "sha256"] == hashlib.sha256(JPEG).hexdigest()
    assert (by_name.loc["a", "format"], by_name.loc["b", "format"]) == ("JPEG", "PNG")
    assert by_name["unreadable"].tolist() == ["", "", UNDECODABLE, UNDECODABLE, "", "", UNDECODABLE]
    assert by_name["gone"].tolist() == [False] * 5 + [True, False]
    assert (by_name.loc["a", "orientation"], by_name.loc["e", "orientation"]) == (1, 6)
    assert by_name.loc["a", "phash"] == by_name.loc["e", "phash"]
    pd.testing.assert_frame_equal(read_facts(Storage(), cache), facts)


def test_an_image_is_read_once(tmp_path):
    images = write(tmp_path, a=JPEG, b=JPEG)
    cache = ObjectUri.parse(str(tmp_path / "facts.parquet"))
    first = inspect_images(Storage(), images, cache)
    content = (tmp_path / "facts.parquet").read_bytes()
    (tmp_path / "a").unlink()
    again = inspect_images(Storage(), images, cache)
    pd.testing.assert_frame_equal(again, first)
    assert (tmp_path / "facts.parquet").read_bytes() == content == to_parquet(first, IMAGE_FACTS)
    # Another ETag is another image.
    assert inspect_images(Storage(), images.assign(etag="new"), cache)["gone"].tolist() == [True, False]


def test_no_images_leave_no_table(tmp_path):
    cache = ObjectUri.parse(str(tmp_path / "facts.parquet"))
    nothing = pd.DataFrame({"source_ref": [], "etag": []})
    assert inspect_images(Storage(), nothing, cache).empty
    assert read_facts(Storage(), cache) is None
    assert list(facts_of([]).columns) == IMAGE_FACTS.names


@pytest.mark.parametrize(
    ("name", "image_format", "lies"),
    [
        ("a.JPG", "JPEG", False),
        ("a.jpeg", "JPEG", False),
        ("a.png", "PNG", False),
        ("a.png", "JPEG", True),
        ("a.jpg", "PNG", True),
        ("a.jpg", None, False),
    ],
)
def test_extensions(name, image_format, lies):
    assert extension_lies(name, image_format) is lies


class Metered(Storage):
    """Keeps what is written in memory, makes images up, and can stop after so many of them."""

    def __init__(self, stops_after=None):
        super().__init__()
        self.objects, self.written, self.taken, self.listed = {}, [], [], 0
        self.stops_after = stops_after

    def read_if_there(self, uri):
        if not uri.key.startswith("images/"):
            found = self.objects.get(uri)
            return Content(found, "") if found is not None else None
        if len(self.taken) == self.stops_after:
            raise StorageError(f"Cannot read {uri}: SlowDown.")
        self.taken.append(uri.name)
        return Content(f"no picture, but bytes like no other: {uri.name}".encode(), "etag")

    def write(self, uri, data, *, content_type=None):
        self.objects[uri] = data
        self.written.append(len(data))

    def list_objects(self, prefix):
        self.listed += 1
        for uri in sorted(self.objects):
            if uri.key.startswith(f"{prefix.key}/"):
                yield Listed(uri)


@dataclass(frozen=True)
class Listed:
    uri: ObjectUri


CACHE = ObjectUri("bucket", "rounds/r/stages/image_facts.parquet")


def made_up(count):
    return pd.DataFrame(
        {"source_ref": [f"s3://bucket/images/{n:06}.jpg" for n in range(count)], "etag": "etag"}
    )


def test_what_is_written_grows_with_the_images_and_not_with_their_square(monkeypatch):
    monkeypatch.setattr(image_facts, "CHUNK", 500)
    totals = {}
    for chunks in (1, 6, 24):
        storage = Metered()
        facts = inspect_images(storage, made_up(500 * chunks), CACHE)
        assert len(facts) == len(storage.taken) == 500 * chunks
        # a part for all chunks but the last, and the table once
        assert len(storage.written) == chunks
        table_bytes = len(storage.objects[CACHE])
        assert storage.written[-1] == table_bytes
        totals[chunks] = sum(storage.written) / table_bytes
    assert totals[1] == 1, "a small round has no parts"
    assert max(totals.values()) <= 3, totals  # a table that is written anew for each chunk: 12.5 at 24 chunks


@pytest.mark.parametrize("stops_after", [0, 19, 20, 59, 95])
def test_a_stopped_run_goes_on_behind_its_last_part(monkeypatch, stops_after):
    monkeypatch.setattr(image_facts, "CHUNK", 20)
    monkeypatch.setattr(image_facts, "CONCURRENCY", 1)
    whole = Metered()
    expected = inspect_images(whole, made_up(100), CACHE)
    storage = Metered(stops_after)
    with pytest.raises(StorageError, match="SlowDown"):
        inspect_images(storage, made_up(100), CACHE)
    assert CACHE not in storage.objects, "a table is complete"
    storage.stops_after, done = None, stops_after // 20 * 20
    again = inspect_images(storage, made_up(100), CACHE)
    assert sorted(storage.taken[stops_after:]) == [f"{n:06}.jpg" for n in range(done, 100)]
    pd.testing.assert_frame_equal(again, expected)
    assert storage.objects == whole.objects
    # Whoever asks for less, or for the same, reads and lists nothing more.
    before = (len(storage.taken), len(storage.written), storage.listed)
    assert len(inspect_images(storage, made_up(50), CACHE)) == 50
    assert (len(storage.taken), len(storage.written), storage.listed) == before


def test_parts_alone_are_enough_and_a_table_of_before_is_gone_on_from(monkeypatch):
    monkeypatch.setattr(image_facts, "CHUNK", 20)
    storage = Metered()
    expected = inspect_images(storage, made_up(100), CACHE)
    parts = [uri for uri in storage.objects if uri.key.startswith(f"{parts_folder(CACHE).key}/")]
    assert len(parts) == 4
    # What an earlier roundtruth left of a run that was stopped: part of the table, no parts.
    old = Metered()
    old.objects[CACHE] = to_parquet(expected.iloc[:30], IMAGE_FACTS)
    pd.testing.assert_frame_equal(inspect_images(old, made_up(100), CACHE), expected)
    assert len(old.taken) == 70
    # Stopped between the last image and the table.
    del storage.objects[CACHE]
    read = len(storage.taken)
    pd.testing.assert_frame_equal(inspect_images(storage, made_up(80), CACHE), expected.iloc[:80])
    assert len(storage.taken) == read
    assert len(read_facts(storage, CACHE)) == 80
