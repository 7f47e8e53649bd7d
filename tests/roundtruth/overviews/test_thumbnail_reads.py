"""One thumbnail out of a pack: found by image and ETag, read once for many, never that of another image."""

from __future__ import annotations

import pytest

from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.thumbnail_reads import thumbnail_of, thumbnails_of
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.thumbnail_packs import Thumbnail, index_uri, write_index, write_pack
from roundtruth.storage import ObjectUri
from tests.memory_store import memory_storage

FOLDER = RoundFolder(ObjectUri("bucket", "boxes/rounds/2026-11-16"))
REFS = ["s3://bucket/images/a.png", "s3://bucket/images/안녕 #1.png", "s3://bucket/images/text.png"]


@pytest.fixture
def storage():
    made = memory_storage()
    images = [
        Thumbnail(source_ref=REFS[0], etag="one", data=b"first"),
        Thumbnail(source_ref=REFS[1], etag="two", data=b"second"),
        Thumbnail(source_ref=REFS[2], etag="three", problem="not an image"),
    ]
    write_index(made, FOLDER, write_pack(made, FOLDER, images))
    return made


@pytest.mark.parametrize(
    ("ref", "etag", "expected"),
    [
        (REFS[0], "one", b"first"),
        (REFS[1], "two", b"second"),
        (REFS[1], "one", None),
        (REFS[2], "three", None),
        ("s3://bucket/images/other.png", "one", None),
    ],
    ids=["first", "odd key", "replaced since", "could not be made", "never made"],
)
def test_each_image_gets_its_own_bytes(storage, ref, etag, expected):
    assert thumbnail_of(EtagCache(storage), FOLDER, ref, etag) == expected


def test_a_page_of_thumbnails_reads_the_pack_once(storage, monkeypatch):
    cache, read = EtagCache(storage), []
    original = storage.read_if_there
    monkeypatch.setattr(storage, "read_if_there", lambda uri: read.append(uri) or original(uri))
    for _ in range(5):
        assert thumbnail_of(cache, FOLDER, REFS[0], "one") == b"first"
        assert thumbnail_of(cache, FOLDER, REFS[1], "two") == b"second"
    assert len(read) == len(set(read)) == 2, "the index and one pack"


@pytest.mark.parametrize("content", [None, b"{half"], ids=["none yet", "broken"])
def test_without_an_index_no_image_has_one(storage, content):
    if content is None:
        storage.delete(index_uri(FOLDER))
    else:
        storage.write(index_uri(FOLDER), content)
    assert thumbnails_of(EtagCache(storage), FOLDER) == {}
    assert thumbnail_of(EtagCache(storage), FOLDER, REFS[0], "one") is None
