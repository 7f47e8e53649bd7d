from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.annotations import table
from roundtruth.datasets.near_duplicates import SHOWS_NOTHING, hashes_of, look_alikes, remembered_hashes
from roundtruth.datasets.split_memory import SPLIT_MEMORY
from roundtruth.quality.image_facts import IMAGE_FACTS
from roundtruth.storage import Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg

A, B, C, D = "s3://b/a.jpg", "s3://b/b.jpg", "s3://b/c.jpg", "s3://b/d.jpg"

# Few pictures and few bits that differ: chains and joined groups are frequent.
hashes = st.builds(
    lambda centre, bits: f"{centre ^ sum(1 << bit for bit in bits):016x}",
    st.sampled_from([0, 2**64 - 1, 0x0F0F_1234_8000_0001]),
    st.sets(st.integers(0, 63), max_size=10),
)
pictures = st.dictionaries(st.sampled_from([f"s3://b/{number}.jpg" for number in range(12)]), hashes)


def together(alike: dict[str, str]) -> set[tuple[str, str]]:
    return {(one, two) for one in alike for two in alike if alike[one] == alike[two]}


@settings(max_examples=30, deadline=None)
@given(versions=st.lists(pictures, max_size=4))
def test_the_group_of_an_image_only_grows_also_when_images_are_replaced(
    versions: list[dict[str, str]],
) -> None:
    alike: dict[str, str] = {}
    seen: dict[str, str] = {}
    for version in versions:
        seen |= version  # another hash for a known key: the image was replaced
        after = look_alikes(seen, alike, max_distance=6)
        assert together(alike) <= together(after)
        assert all(first <= ref for ref, first in after.items())
        alike = after


@settings(max_examples=30, deadline=None)
@given(found=pictures, order=st.randoms())
def test_the_groups_do_not_depend_on_the_order_of_images(found: dict[str, str], order: Any) -> None:
    shuffled = dict(order.sample(list(found.items()), len(found)))
    assert look_alikes(shuffled, {}, max_distance=6) == look_alikes(found, {}, max_distance=6)


def test_near_duplicates_join_through_each_other_and_the_rest_is_missing() -> None:
    found = {A: f"{0:016x}", B: f"{0b11111:016x}", C: f"{0b1111111111:016x}", D: "ffffffffffffffff"}
    assert look_alikes(found, {}, max_distance=5) == {A: A, B: A, C: A}


def test_flat_images_do_not_look_like_each_other() -> None:
    assert look_alikes({A: SHOWS_NOTHING, B: SHOWS_NOTHING}, {}, max_distance=6) == {}


# --- what is read


def memory_of(*rows: tuple[str, str, str | None]) -> pd.DataFrame:
    return table(
        [{"source_ref": ref, "etag": etag, "split": "train", "phash": phash} for ref, etag, phash in rows],
        SPLIT_MEMORY,
    )


def facts_of(*rows: tuple[str, str, str | None, bool]) -> pd.DataFrame:
    return table(
        [
            {"source_ref": ref, "etag": etag, "phash": phash, "unreadable": "", "gone": gone}
            for ref, etag, phash, gone in rows
        ],
        IMAGE_FACTS,
    )


@pytest.fixture
def no_storage() -> Any:
    """Fails on any use."""
    return object()


def test_what_rounds_or_versions_saw_is_not_read_again(no_storage: Any) -> None:
    memory = memory_of((A, "1", "00"), (C, "3", None))
    facts = facts_of((B, "2", "bb", False), (C, "3", None, False), (A, "1", "not asked", False))
    found = hashes_of(no_storage, {A: "1", B: "2"}, memory, facts)
    assert found == {A: "00", B: "bb", C: SHOWS_NOTHING}  # C left, and is known from its round


def test_a_hash_holds_as_long_as_the_etag(no_storage: Any) -> None:
    memory = memory_of((A, "1", "00"), (B, "2", "22"))
    facts = facts_of((A, "new", "aa", False))
    assert hashes_of(no_storage, {A: "new"}, memory, facts) == {A: "aa", B: "22"}
    assert remembered_hashes({A: "new"}, memory) == {B: "22"}


def test_other_images_are_read(tmp_path: Any) -> None:
    path = tmp_path / "flat.jpg"
    path.write_bytes(jpeg(100, 80))
    ref = str(path)
    facts = facts_of((ref, "", None, True))  # it was away when its round looked
    assert hashes_of(Storage(), {ref: ""}, memory_of(), facts) == {ref: SHOWS_NOTHING}
