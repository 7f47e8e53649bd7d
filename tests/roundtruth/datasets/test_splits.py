from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.splits import assign_splits

RATIOS = {"train": 0.8, "val": 0.1, "test": 0.1}


def refs(count: int, start: int = 0) -> list[str]:
    return [f"s3://bucket/{number}.jpg" for number in range(start, start + count)]


@given(st.integers(0, 300), st.integers(0, 60), st.randoms())
def test_old_images_never_move_and_the_order_of_input_does_not_count(
    old: int, new: int, order: random.Random
) -> None:
    before = assign_splits(refs(old), RATIOS, {})
    everything = refs(old + new)
    order.shuffle(everything)
    after = assign_splits(everything, RATIOS, before)
    assert {ref: after[ref] for ref in before} == before
    assert after == assign_splits(sorted(everything), RATIOS, before)
    assert len(after) == old + new


@pytest.mark.parametrize("count", [3, 4, 5, 10, 33, 100, 1001])
def test_counts_are_near_the_ratios_and_nothing_is_empty(count: int) -> None:
    counts = Counter(assign_splits(refs(count), RATIOS, {}).values())
    for split, ratio in RATIOS.items():
        assert counts[split] >= 1
        assert abs(counts[split] - ratio * count) <= 1.5


@pytest.mark.parametrize(("count", "expected"), [(0, {}), (1, {"train": 1}), (2, {"train": 2})])
def test_too_few_images_train(count: int, expected: dict[str, int]) -> None:
    assert Counter(assign_splits(refs(count), RATIOS, {}).values()) == expected


def test_a_growing_dataset_comes_back_to_its_ratios() -> None:
    splits: dict[str, str] = dict.fromkeys(refs(50), "train")
    for size in range(60, 520, 10):
        splits = assign_splits(refs(size), RATIOS, splits)
    counts = Counter(splits.values())
    assert counts["val"] == pytest.approx(51, abs=2)
    assert counts["test"] == pytest.approx(51, abs=2)


def test_a_split_without_a_ratio_stays_empty_but_for_images_that_are_in_it() -> None:
    splits = assign_splits(refs(10), {"train": 0.8, "val": 0.2, "test": 0.0}, {refs(1)[0]: "test"})
    counts = Counter(splits.values())
    assert counts["test"] == 1
    assert (counts["train"], counts["val"]) in {(7, 2), (8, 1)}
