"""Which version was the first of a round's labels: against a search through all of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.folder import dataset_folder, version_name
from roundtruth.overviews.first_versions import first_versions
from tests.memory_store import memory_storage
from tests.project_samples import make_project

PENS = make_project()


def put_version(storage, number, digests, *, with_digests=True):
    content = {"rounds": sorted(digests)} | ({"round_digests": digests} if with_digests else {})
    folder = dataset_folder(PENS)
    storage.write(folder.version(version_name(number)).record, msgspec.json.encode(content))


@given(st.data())
def test_the_first_of_many_versions(data):
    """Versions of growing sets of rounds, some numbers never published."""
    storage = memory_storage()
    rounds = [f"r{number}" for number in range(data.draw(st.integers(1, 6)))]
    made = data.draw(st.integers(1, 20))
    first = {key: data.draw(st.integers(1, made + 2)) for key in rounds}  # behind `made`: in no version
    gaps = data.draw(st.sets(st.integers(1, made)))
    for number in range(1, made + 1):
        held = {key: f"d-{key}" for key in rounds if first[key] <= number}
        if number in gaps:
            storage.write(dataset_folder(PENS).version(version_name(number)).claim, b"{}")
        else:
            put_version(storage, number, held)
    published = [number for number in range(1, made + 1) if number not in gaps]
    expected = {
        key: version_name(min(later))
        for key in rounds
        if (later := [number for number in published if number >= first[key]])
    }
    assert first_versions(storage, PENS, {key: f"d-{key}" for key in rounds}) == expected


def test_labels_that_came_after_a_version_are_not_in_it():
    storage = memory_storage()
    put_version(storage, 1, {"a": "first"})
    put_version(storage, 2, {"a": "first", "b": "b"})
    put_version(storage, 3, {"a": "again", "b": "b"})
    assert first_versions(storage, PENS, {"a": "again", "b": "b"}) == {"a": "v0003", "b": "v0002"}
    assert first_versions(storage, PENS, {"a": "newest"}) == {}


def test_versions_from_before_digests_hold_a_round_by_its_name():
    storage = memory_storage()
    put_version(storage, 1, {"a": ""}, with_digests=False)
    put_version(storage, 2, {"a": "a", "b": "b"})
    assert first_versions(storage, PENS, {"a": "a", "b": "b"}) == {"a": "v0001", "b": "v0002"}


def test_nothing_is_published_yet():
    assert first_versions(memory_storage(), PENS, {"a": "a"}) == {}


@pytest.mark.parametrize(("versions", "most"), [(1, 1), (2, 2), (500, 18)])
def test_few_versions_are_read(versions, most, monkeypatch):
    """A new round takes the newest version and the one before; any other a search by halves."""
    storage = memory_storage()
    for number in range(1, versions + 1):
        put_version(storage, number, {f"r{of}": "x" for of in range(1, number + 1)})
    reads = []
    read = storage.read_if_there
    monkeypatch.setattr(storage, "read_if_there", lambda uri: reads.append(uri) or read(uri))
    assert first_versions(storage, PENS, {f"r{versions}": "x"}) == {f"r{versions}": version_name(versions)}
    assert len(reads) <= 2
    reads.clear()
    middle = max(1, versions // 3)
    assert first_versions(storage, PENS, {f"r{middle}": "x"}) == {f"r{middle}": version_name(middle)}
    assert len(reads) <= most
