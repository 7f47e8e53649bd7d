"""What is kept is what lies in S3: another ETag is read again, and the least used leaves first."""

from __future__ import annotations

import pytest

from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage

URI = ObjectUri("bucket", "file")


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


@pytest.fixture
def decoded() -> list[bytes]:
    """What was decoded so far."""
    return []


def reader(cache, decoded, **options):
    def decode(data):
        decoded.append(data)
        return data.decode()

    return lambda uri=URI: cache.read(uri, decode, kind="text", **options)


def test_an_object_is_decoded_once_while_its_etag_holds(storage, decoded):
    read = reader(EtagCache(storage), decoded)
    storage.write(URI, b"one")
    assert [read(), read(), read()] == ["one"] * 3
    storage.write(URI, b"two")
    assert [read(), read()] == ["two"] * 2
    assert decoded == [b"one", b"two"]


def test_what_is_deleted_is_gone(storage, decoded):
    read = reader(EtagCache(storage), decoded)
    assert read() is None
    storage.write(URI, b"one")
    assert read() == "one"
    storage.delete(URI)
    assert read() is None


def test_an_immutable_object_is_not_asked_for_again(storage, decoded):
    read = reader(EtagCache(storage), decoded, immutable=True)
    storage.write(URI, b"one")
    read()
    storage.delete(URI)
    assert read() == "one"


def test_one_object_is_kept_in_several_forms(storage):
    cache = EtagCache(storage)
    storage.write(URI, b"12")
    assert cache.read(URI, bytes.decode, kind="text") == "12"
    assert cache.read(URI, int, kind="number") == 12


def test_the_least_recently_used_leaves_when_all_weigh_too_much(storage, decoded):
    read = reader(EtagCache(storage, most_bytes=250), decoded)
    one, two, three = (ObjectUri("bucket", name) for name in ("1", "2", "3"))
    for uri in (one, two, three):
        storage.write(uri, b"x" * 100)
    read(one), read(two), read(one), read(three)
    decoded.clear()
    read(one), read(three)
    assert decoded == []
    read(two)
    assert len(decoded) == 1


def test_what_is_larger_than_all_is_still_answered(storage, decoded):
    read = reader(EtagCache(storage, most_bytes=10), decoded, weigh=lambda value, size: 1000 * size)
    storage.write(URI, b"one")
    assert [read(), read()] == ["one"] * 2
