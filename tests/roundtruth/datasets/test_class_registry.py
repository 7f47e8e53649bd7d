from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from roundtruth.datasets.class_registry import ClassRegistry, load_registry, register_classes
from roundtruth.errors import CategoryError
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import storage_of


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
