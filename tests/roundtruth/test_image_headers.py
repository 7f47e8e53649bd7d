from __future__ import annotations

import io

import pytest
from PIL import Image

from roundtruth.errors import ImageError
from roundtruth.image_headers import FIRST_READ, ImageHeader, read_image_header, read_image_headers
from roundtruth.storage import ObjectUri, Storage
from tests.real_data import REAL, needs_real


def encoded(image_format, size=(30, 20), mode="RGB", *, orientation=None, **options):
    file = io.BytesIO()
    image = Image.new(mode, size)
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    image.save(file, image_format, **options)
    return file.getvalue()


class Reads:
    """A file in memory that remembers which ranges were read; like S3, it refuses to start behind the end."""

    def __init__(self, data):
        self.data = data
        self.ranges = []

    def __call__(self, start, length):
        assert start < len(self.data) or start == 0
        self.ranges.append((start, length))
        return self.data[start : start + length]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded("JPEG"), ("JPEG", 30, 20, 1), id="jpeg"),
        pytest.param(encoded("JPEG", orientation=6), ("JPEG", 30, 20, 6), id="rotated jpeg: stored size"),
        pytest.param(
            encoded("JPEG", orientation=0), ("JPEG", 30, 20, 1), id="orientation 0, as phones write"
        ),
        pytest.param(encoded("JPEG", orientation=77), ("JPEG", 30, 20, 1), id="no such orientation"),
        pytest.param(encoded("JPEG", mode="CMYK"), ("JPEG", 30, 20, 1), id="cmyk"),
        pytest.param(encoded("JPEG", progressive=True), ("JPEG", 30, 20, 1), id="progressive"),
        pytest.param(encoded("PNG", mode="RGBA"), ("PNG", 30, 20, 1), id="rgba png"),
        pytest.param(encoded("PNG", mode="P"), ("PNG", 30, 20, 1), id="palette png"),
        pytest.param(encoded("PNG", orientation=8), ("PNG", 30, 20, 8), id="rotated png"),
        pytest.param(encoded("PNG", (1, 1)), ("PNG", 1, 1, 1), id="one pixel"),
        pytest.param(encoded("JPEG", (65000, 1)), ("JPEG", 65000, 1, 1), id="very wide"),
    ],
)
def test_headers(data, expected):
    header = read_image_header(Reads(data), name="photo.jpg", size=len(data))
    assert (header.format, header.width, header.height, header.orientation) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"not an image, whatever its name says", "is not a JPEG or PNG image", id="text"),
        pytest.param(encoded("GIF", mode="P"), "is not a JPEG or PNG image", id="gif"),
        pytest.param(encoded("JPEG")[:60], "ends within its header", id="truncated jpeg"),
        pytest.param(encoded("PNG")[:20], "ends within its header", id="truncated png"),
        pytest.param(encoded("PNG")[:8], "ends within its header", id="signature only"),
        pytest.param(b"\xff\xd8\xff" + b"\xff" * FIRST_READ * 2, "ends within its header", id="damaged"),
    ],
)
@pytest.mark.parametrize("size_is_known", [True, False])
def test_unusable_files_are_named(data, reason, size_is_known):
    with pytest.raises(ImageError, match=rf"^photo 1\.jpg .*{reason}.*; upload"):
        read_image_header(Reads(data), name="photo 1.jpg", size=len(data) if size_is_known else None)


def test_only_the_first_bytes_of_a_large_photo_are_read():
    data = encoded("JPEG") + bytes(5_000_000)
    reads = Reads(data)
    read_image_header(reads, name="photo.jpg", size=len(data))
    assert reads.ranges == [(0, FIRST_READ)]


def test_a_long_header_is_read_in_growing_steps():
    comments = b"".join(b"\xff\xfe\xff\xff" + b"x" * 65533 for _ in range(5))
    photo = encoded("JPEG")
    reads = Reads(photo[:2] + comments + photo[2:] + bytes(5_000_000))
    assert read_image_header(reads, name="photo.jpg").width == 30
    assert len(reads.ranges) == 3
    assert sum(length for _, length in reads.ranges) == FIRST_READ * 16


def test_a_large_file_that_is_no_image_is_not_read_on():
    reads = Reads(b"RIFF" + bytes(5_000_000))
    with pytest.raises(ImageError):
        read_image_header(reads, name="film.jpg")
    assert reads.ranges == [(0, FIRST_READ)]


def test_a_prefix_that_ends_with_the_file_asks_for_nothing_behind_it():
    data = encoded("PNG")[:20].ljust(FIRST_READ, b"\0")
    with pytest.raises(ImageError):
        read_image_header(Reads(data), name="photo.png", size=len(data))


def test_many_files_come_in_order_and_a_bad_one_stops_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("PNG"))
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c 한글.jpg").write_bytes(encoded("JPEG", orientation=3))
    storage = Storage()
    found = list(read_image_headers(storage, storage.list_objects(ObjectUri.parse(str(tmp_path)))))
    assert [stored.uri.name for stored, _ in found] == ["a.jpg", "b.jpg", "c 한글.jpg"]
    assert found[0][1] == ImageHeader(format="PNG", width=30, height=20, orientation=1)
    assert isinstance(found[1][1], ImageError)
    assert str(tmp_path / "b.jpg") in str(found[1][1])
    assert found[2][1] == ImageHeader(format="JPEG", width=30, height=20, orientation=3)


@needs_real
def test_real_photos_say_what_a_full_decode_says():
    storage = Storage()
    objects = [
        stored
        for stored in storage.list_objects(ObjectUri.parse(str(REAL / "cigars")))
        if stored.uri.name.endswith((".jpg", ".jpeg", ".png"))
    ]
    assert len(objects) == 32
    for stored, header in read_image_headers(storage, objects):
        with Image.open(stored.uri.key) as image:
            orientation = image.getexif().get(0x0112, 1) or 1
            assert header == ImageHeader(
                format=image.format, width=image.width, height=image.height, orientation=orientation
            )
