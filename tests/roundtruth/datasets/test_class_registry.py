from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.class_registry import ClassRegistry, load_registry, register_classes
from roundtruth.datasets.folder import dataset_folder
from roundtruth.errors import CategoryError
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round, storage_of


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


@pytest.fixture
def uri(bucket: str) -> ObjectUri:
    return ObjectUri(bucket, "datasets/pens/classes.json")


def test_ids_are_appended_and_never_change(storage: Storage, uri: ObjectUri) -> None:
    assert load_registry(storage, uri) == ClassRegistry()
    assert register_classes(storage, uri, ["pencil", "pen"]).ids == {"pencil": 0, "pen": 1}
    assert register_classes(storage, uri, ["crayon", "pen"]).ids == {"pencil": 0, "pen": 1, "crayon": 2}
    assert register_classes(storage, uri, []).names == ("pencil", "pen", "crayon")
    assert load_registry(storage, uri).names == ("pencil", "pen", "crayon")


def test_registering_what_is_there_writes_nothing(storage: Storage, uri: ObjectUri) -> None:
    register_classes(storage, uri, ["pen"])
    before = storage.head(uri)
    register_classes(storage, uri, ["pen"])
    assert storage.head(uri) == before


def test_many_at_once_lose_no_class_and_give_no_id_twice(
    storage: Storage, uri: ObjectUri, sandbox: Any
) -> None:
    storages = [storage_of(sandbox.endpoint_url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        seen = list(
            pool.map(
                lambda pair: register_classes(pair[1], uri, [f"class {pair[0]}", "pen"]), enumerate(storages)
            )
        )
    final = load_registry(storage, uri)
    assert sorted(final.names) == sorted([*(f"class {number}" for number in range(6)), "pen"])
    assert all(final.names[: len(one.names)] == one.names for one in seen)


def test_a_name_that_differs_by_case_is_refused(storage: Storage, uri: ObjectUri) -> None:
    register_classes(storage, uri, ["pen"])
    with pytest.raises(CategoryError, match="'Pen' differs only by case from class 'pen'"):
        register_classes(storage, uri, ["Pen"])


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"names": {"0": "pen", "2": "pencil"}}'])
def test_a_broken_registry_is_never_overwritten(storage: Storage, uri: ObjectUri, data: bytes) -> None:
    storage.write(uri, data)
    with pytest.raises(CategoryError, match=r"classes\.json"):
        register_classes(storage, uri, ["pen"])
    assert storage.read(uri) == data


names = st.text(st.characters(categories=["Ll", "Lo"]), min_size=1, max_size=6)
project_files = st.lists(st.lists(names, unique_by=str.casefold, max_size=5), max_size=12)


class AnyBucket:
    """The one call of boto3 that Storage needs here: is the bucket there?"""

    def head_bucket(self, **_: Any) -> dict[str, Any]:
        return {}


@given(project_files)
def test_whatever_project_files_come_in_whatever_order_an_id_is_given_once_and_for_ever(
    files: list[list[str]],
) -> None:
    """Classes come, are retired, come back, in another order: rounds, jobs and backfills in any sequence."""
    store = MemoryStore()
    storage = Storage(lambda _: store, AnyBucket())  # type: ignore[arg-type, return-value]  # the same calls
    uri = ObjectUri("bucket", "classes.json")
    given_ids: dict[str, int] = {}
    for listed in files:
        before = load_registry(storage, uri)
        try:
            after = register_classes(storage, uri, listed)
        except CategoryError:
            # Two names that differ by case: refused, and nothing of the list was written.
            assert load_registry(storage, uri) == before
            continue
        assert after == load_registry(storage, uri)
        assert after.names[: len(before.names)] == before.names
        assert set(listed) <= set(after.names)
        assert given_ids.items() <= after.ids.items()
        assert sorted(after.ids.values()) == list(range(len(after.names)))
        given_ids = after.ids


def test_of_two_that_append_between_read_and_write_the_second_reads_again(
    storage: Storage, uri: ObjectUri, sandbox: Any
) -> None:
    register_classes(storage, uri, ["pencil"])
    refused: list[bytes] = []

    class Late(Storage):
        def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
            if not refused:
                register_classes(storage, uri, ["crayon"])  # another release, at the worst moment
            written = super().write_if_unchanged(uri, data, etag)
            if not written:
                refused.append(data)
            return written

    late = storage_of(sandbox.endpoint_url, Late)
    assert register_classes(late, uri, ["pen"]).names == ("pencil", "crayon", "pen")
    assert len(refused) == 1
    assert load_registry(storage, uri).names == ("pencil", "crayon", "pen")


def test_two_releases_at_the_same_time_cannot_give_one_id_to_two_classes(
    storage: Storage, sandbox: Any, bucket: str
) -> None:
    """Two project files, each with a class of its own, released into one dataset at once, over HTTP."""
    projects = [project_in(bucket, categories=["pencil", name]) for name in ("pen", "crayon")]
    put_round(storage, projects[0], "2026-01-05", {"a.jpg": []})
    at_once = threading.Barrier(2)

    class Together(Storage):
        has_read = False

        def read_if_there(self, uri: ObjectUri) -> Any:
            found = super().read_if_there(uri)
            if uri.name == "classes.json" and not self.has_read:
                self.has_read = True
                at_once.wait(20)  # both have read the registry before either writes it
            return found

    with ThreadPoolExecutor(2) as pool:
        storages = [storage_of(sandbox.endpoint_url, Together) for _ in projects]
        list(pool.map(assemble_candidate, storages, projects))
    final = load_registry(storage, dataset_folder(projects[0]).classes)
    assert final.names[0] == "pencil"
    assert sorted(final.names) == ["crayon", "pen", "pencil"]
