from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.quality.near_duplicates import (
    copies_in_other_groups,
    earliest_copies,
    linked_groups,
    near_pairs,
    to_numbers,
)

# Few different fingerprints with few bits changed: near ones and equal ones are frequent.
centres = st.sampled_from([0, 2**64 - 1, 0x0F0F_1234_8000_0001, 0x0F0F_1234_8000_00FF])
fingerprints = st.builds(
    lambda centre, bits: centre ^ sum(1 << bit for bit in bits),
    centres,
    st.sets(st.integers(0, 63), max_size=12),
)


def numbers(values):
    return np.array(values, dtype=np.uint64)


def distance(one, two):
    return (one ^ two).bit_count()


@given(values=st.lists(fingerprints, max_size=30), limit=st.sampled_from([0, 3, 4, 6, 7]))
def test_equals_the_comparison_of_every_pair(values, limit):
    expected = [
        next(at for at, earlier in enumerate(values) if distance(earlier, value) <= limit) for value in values
    ]
    assert earliest_copies(numbers(values), max_distance=limit).tolist() == expected


@given(
    images=st.lists(st.tuples(fingerprints, st.sampled_from(["train", "val", "test"])), max_size=25),
    limit=st.sampled_from([0, 6]),
)
def test_equals_the_comparison_of_every_pair_in_two_splits(images, limit):
    expected = [
        next(
            (
                at
                for at, (other, elsewhere) in enumerate(images)
                if elsewhere != split and distance(other, value) <= limit
            ),
            -1,
        )
        for value, split in images
    ]
    found = copies_in_other_groups(
        numbers([value for value, _ in images]), [split for _, split in images], max_distance=limit
    )
    assert found.tolist() == expected


@pytest.mark.parametrize("limit", [8, 11])
def test_wide_limits_lose_no_pair(limit):
    # The bits that differ are spread as evenly over the four parts as they can be.
    spread = sum(1 << ((bit % 4) * 16 + bit // 4) for bit in range(limit))
    hashes = numbers([5, 5 ^ spread, 5 ^ (spread | 1 << 15)])
    batches = near_pairs(hashes, max_distance=limit)
    pairs = {pair for one, two in batches for pair in zip(one.tolist(), two.tolist(), strict=True)}
    assert len([pair for pair in pairs if pair[0] < pair[1]]) == 2


def groups_of(values, limit):
    """By comparing every pair, and joining until nothing changes."""
    first = list(range(len(values)))
    for _ in values:
        for at, value in enumerate(values):
            first[at] = min(
                first[other] for other, near in enumerate(values) if distance(value, near) <= limit
            )
    return first


@given(values=st.lists(fingerprints, max_size=20), limit=st.sampled_from([0, 3, 6, 7]))
def test_linked_groups_equal_the_joining_of_every_pair(values, limit):
    assert linked_groups(numbers(values), max_distance=limit).tolist() == groups_of(values, limit)


@settings(max_examples=40, deadline=None)
@given(values=st.lists(fingerprints, max_size=20), more=st.lists(fingerprints, max_size=10))
def test_the_group_of_an_image_only_grows(values, more):
    before = linked_groups(numbers(values), max_distance=6)
    after = linked_groups(numbers(values + more), max_distance=6)
    together = {(one, two) for one in range(len(values)) for two in range(one) if before[one] == before[two]}
    assert all(after[one] == after[two] for one, two in together)


def test_frames_of_one_fixed_camera_are_not_compared_each_with_each():
    """4,000 different fingerprints a few bits around one: 16 million pairs, in most buckets together."""
    random = np.random.default_rng(0)
    changed = np.array(
        [np.bitwise_or.reduce(1 << random.integers(0, 64, 3).astype(np.uint64)) for _ in range(4000)]
    )
    assert linked_groups(changed.astype(np.uint64), max_distance=6).max() == 0


def test_a_hundred_thousand_equal_images_are_no_pairs():
    assert earliest_copies(np.full(100_000, 7, dtype=np.uint64), max_distance=6).max() == 0


def test_digits_become_numbers():
    assert to_numbers(["00000000000000ff", "ffffffffffffffff"]).tolist() == [255, 2**64 - 1]
