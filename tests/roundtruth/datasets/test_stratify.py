from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.least_deviation import least_deviation
from roundtruth.datasets.stratify import place_groups, wanted_counts

RATIOS = [0.8, 0.1, 0.1]


def clips(seed: int, count: int) -> np.ndarray:
    """Group × (images, boxes of five uneven classes), as clips of up to six frames show them."""
    random = np.random.default_rng(seed)
    shown = random.multinomial(3, [0.55, 0.25, 0.12, 0.06, 0.02], size=count)
    frames = random.integers(1, 7, size=count)
    return np.column_stack([frames, random.poisson(shown * frames[:, None])]).astype(np.float64)


def placed(sizes: np.ndarray, ratios: list[float], held: np.ndarray | None = None) -> np.ndarray:
    """Split × column, what the splits hold in the end."""
    before = np.zeros((len(ratios), sizes.shape[1])) if held is None else held
    totals = (before.sum(axis=0) + sizes.sum(axis=0)).astype(int)
    wanted = np.array([wanted_counts(ratios, int(total)) for total in totals], dtype=np.float64).T
    splits = place_groups(sizes, before.copy(), wanted)
    return before + np.array([sizes[splits == split].sum(axis=0) for split in range(len(ratios))])


def worst_class(counts: np.ndarray, split: int, ratio: float) -> float:
    totals = counts[:, 1:].sum(axis=0)
    return float(np.abs(counts[split, 1:][totals > 0] / totals[totals > 0] - ratio).max())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_splitter_that_keeps_groups_whole_brings_the_worst_class_nearer(seed: int) -> None:
    """Against the bound of a mixed-integer program, within a tenth of a point."""
    sizes = clips(seed, 150)
    sizes = sizes[:, sizes.sum(axis=0) > 0]
    counts = placed(sizes, [0.8, 0.2])
    images, boxes = sizes[:, 0].astype(int), sizes[:, 1:].astype(int)
    bound = least_deviation(images, boxes, [None] * len(sizes), val_images=int(counts[1, 0]))
    assert worst_class(counts, 1, 0.2) <= bound + 0.001


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), longest=st.sampled_from([1, 6, 40]))
def test_ratios_hold_within_the_largest_group(seed: int, count: int, longest: int) -> None:
    """No split holds more images too many or too few than the largest group has."""
    sizes = clips(seed, count)
    if count:
        sizes[0, 0] = longest
    counts = placed(sizes, RATIOS)[:, 0]
    wanted = wanted_counts(RATIOS, int(counts.sum()))
    assert np.abs(counts - wanted).max() <= max(sizes[:, 0].max(initial=0), 1)


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [([0.8, 0.2], "00100001000010000100"), ([0.6, 0.2, 0.2], "001200012000120"), ([1.0], "000")],
    ids=["two splits", "three splits", "one split"],
)
def test_images_of_which_nothing_is_known_go_where_most_are_missing(
    ratios: list[float], expected: str
) -> None:
    """One by one, of equals to the split that is named first: no stretch of them lacks a split."""
    images = np.ones((len(expected), 2))
    wanted = np.array([wanted_counts(ratios, len(expected))] * 2, dtype=np.float64).T
    splits = place_groups(images, np.zeros((len(ratios), 2)), wanted)
    assert "".join(map(str, splits)) == expected


@given(images=st.integers(0, 300), ratios=st.sampled_from([[0.8, 0.2], RATIOS, [0.5, 0.3, 0.2]]))
def test_as_many_images_as_wanted(images: int, ratios: list[float]) -> None:
    counts = wanted_counts(ratios, images)
    wanted = np.array([counts] * 2, dtype=np.float64).T
    splits = place_groups(np.ones((images, 2)), np.zeros((len(ratios), 2)), wanted)
    assert np.bincount(splits, minlength=len(ratios)).tolist() == counts


def test_a_rare_class_is_not_bought_with_common_ones() -> None:
    sizes = clips(5, 400)
    counts = placed(sizes, RATIOS)
    for split, ratio in enumerate(RATIOS):
        assert worst_class(counts, split, ratio) <= 0.03
        assert counts[split, 0] == pytest.approx(ratio * sizes[:, 0].sum(), abs=2)


def test_new_groups_make_up_for_what_old_ones_lack() -> None:
    """Val has none of the last class yet: the new groups bring its share near."""
    held = np.array([[80.0, 100.0, 20.0], [20.0, 25.0, 0.0]])
    sizes = np.array([[2.0, 2.0, 1.0], [2.0, 2.0, 0.0]] * 25)
    counts = placed(sizes, [0.8, 0.2], held)
    assert counts[1].tolist() == [40, 45, 9]  # of 200, 225 and 45
    assert held[1, 2] == 0  # what was handed in is left alone


@pytest.mark.parametrize(
    ("ratios", "total", "expected"),
    [
        ([0.8, 0.1, 0.1], 10, [8, 1, 1]),
        ([0.8, 0.1, 0.1], 3, [1, 1, 1]),
        ([0.8, 0.1, 0.1], 2, [2, 0, 0]),
        ([0.8, 0.1, 0.1], 0, [0, 0, 0]),
        ([0.5, 0.5], 5, [3, 2]),
    ],
)
def test_wanted_counts_add_up(ratios: list[float], total: int, expected: list[int]) -> None:
    assert wanted_counts(ratios, total) == expected
