from __future__ import annotations

import hashlib
import io

import pandas as pd
import pytest
from PIL import Image

from roundtruth.annotations import to_parquet
from roundtruth.quality.image_facts import (
    IMAGE_FACTS,
    UNDECODABLE,
    extension_lies,
    facts_of,
    inspect_images,
    read_facts,
)
from roundtruth.storage import ObjectUri, Storage


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
