from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.quality.near_duplicates import (
    copies_in_other_groups,
    earliest_copies,
    find_neighbours,
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
    found = find_neighbours(numbers([5, 5 ^ spread, 5 ^ (spread | 1 << 15)]), max_distance=limit)
    pairs = {(one, two) for one, two in zip(found.first.tolist(), found.second.tolist(), strict=True)}
    assert len([pair for pair in pairs if pair[0] < pair[1]]) == 2


def test_a_hundred_thousand_equal_images_are_no_pairs():
    assert earliest_copies(np.full(100_000, 7, dtype=np.uint64), max_distance=6).max() == 0


def test_digits_become_numbers():
    assert to_numbers(["00000000000000ff", "ffffffffffffffff"]).tolist() == [255, 2**64 - 1]
