from __future__ import annotations

import random
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from roundtruth.datasets.splits import Held, assign_splits, torn_groups
from roundtruth.errors import DatasetError

RATIOS = {"train": 0.8, "val": 0.1, "test": 0.1}


def refs(count: int, start: int = 0) -> list[str]:
    return [f"s3://bucket/{number}.jpg" for number in range(start, start + count)]


def scene(seed: int, count: int, start: int = 0) -> tuple[dict[str, str], dict[str, list[int]]]:
    """Groups and boxes of images as a camera gives them: frames of one clip show the same classes."""
    random_numbers = np.random.default_rng(seed)
    groups, class_ids = {}, {}
    while len(groups) < count:
        frames = int(random_numbers.integers(1, 6))
        shown = random_numbers.choice(8, size=int(random_numbers.integers(0, 4)))
        clip = f"clip-{start}-{len(groups)}"
        for frame in refs(min(frames, count - len(groups)), start + len(groups)):
            groups[frame] = clip
            class_ids[frame] = [int(one) for one in shown]
    return groups, class_ids


# --- laws


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 120), st.integers(0, 60), st.randoms())
def test_images_never_move_groups_stay_whole_and_order_does_not_count(
    seed: int, old: int, new: int, order: random.Random
) -> None:
    groups, class_ids = scene(seed, old)
    before = assign_splits(list(groups), RATIOS, {}, groups=groups, class_ids=class_ids)
    more_groups, more_ids = scene(seed + 1, new, start=old)
    # Some of the new images belong to groups that are there already.
    for ref in list(more_groups)[::3]:
        more_groups[ref] = order.choice(sorted(groups.values())) if groups else "one"
    groups |= more_groups
    class_ids |= more_ids
    everything = list(groups)
    order.shuffle(everything)
    shuffled = dict(order.sample(list(groups.items()), len(groups)))
    after = assign_splits(everything, RATIOS, before, groups=shuffled, class_ids=class_ids)
    assert {ref: after[ref] for ref in before} == before
    assert torn_groups(after, groups) == 0
    assert after == assign_splits(sorted(everything), RATIOS, before, groups=groups, class_ids=class_ids)
    assert len(after) == old + new


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), versions=st.lists(st.randoms(), min_size=2, max_size=5))
def test_an_image_keeps_its_split_whatever_is_added_removed_or_relabeled(
    seed: int, versions: list[random.Random]
) -> None:
    """Also an image that was away for some versions; the memory holds all that ever were in one."""
    groups, class_ids = scene(seed, 60)
    memory: dict[str, str] = {}
    for version in versions:
        present = version.sample(sorted(groups), version.randint(0, len(groups)))
        labels = {ref: version.sample(ids, version.randint(0, len(ids))) for ref, ids in class_ids.items()}
        splits = assign_splits(present, RATIOS, memory, groups=groups, class_ids=labels)
        assert set(splits) == set(present)
        assert all(splits[ref] == memory.get(ref, splits[ref]) for ref in present)
        memory |= splits
        assert torn_groups(memory, groups) == 0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), old=st.integers(1, 60))
def test_new_images_come_where_they_would_if_all_others_were_gone_through(seed: int, old: int) -> None:
    groups, class_ids = scene(seed, 80)
    before = assign_splits(sorted(groups)[:old], RATIOS, {}, groups=groups, class_ids=class_ids)
    everything = assign_splits(groups, RATIOS, before, groups=groups, class_ids=class_ids)
    held = {}
    for split in set(before.values()):
        boxes = [class_ids.get(ref, []) for ref, of_ref in before.items() if of_ref == split]
        held[split] = Held(len(boxes), boxes.count([]), Counter(one for ids in boxes for one in ids))
    new = groups.keys() - before.keys()
    of_new = {ref: ids for ref, ids in class_ids.items() if ref in new}
    assert everything == before | assign_splits(
        new, RATIOS, before, groups=groups, class_ids=of_new, held=held
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(3, 80))
def test_ratios_hold_within_the_largest_group(seed: int, count: int) -> None:
    groups, class_ids = scene(seed, count)
    # With hardly more groups than splits, a split that may not be empty takes what others lack.
    assume(len(set(groups.values())) >= 2 * len(RATIOS))
    counts = Counter(assign_splits(groups, RATIOS, {}, groups=groups, class_ids=class_ids).values())
    largest = max(Counter(groups.values()).values())
    for split, ratio in RATIOS.items():
        assert abs(counts[split] - ratio * count) <= largest + 1  # one more for whole images


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.integers(0, 60), st.randoms())
def test_images_without_groups_never_move(old: int, new: int, order: random.Random) -> None:
    before = assign_splits(refs(old), RATIOS, {})
    everything = refs(old + new)
    order.shuffle(everything)
    after = assign_splits(everything, RATIOS, before)
    assert {ref: after[ref] for ref in before} == before
    assert after == assign_splits(sorted(everything), RATIOS, before)


@pytest.mark.parametrize("count", [3, 4, 5, 10, 33, 100, 1001])
def test_counts_are_near_the_ratios_and_nothing_is_empty(count: int) -> None:
    counts = Counter(assign_splits(refs(count), RATIOS, {}).values())
    for split, ratio in RATIOS.items():
        assert counts[split] >= 1
        assert abs(counts[split] - ratio * count) <= 1.5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 80))
def test_no_split_is_empty_whatever_the_classes(seed: int, count: int) -> None:
    _, class_ids = scene(seed, count)
    counts = Counter(assign_splits(refs(count), RATIOS, {}, class_ids=class_ids).values())
    assert set(counts) == set(RATIOS)


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


# --- classes


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_classes_keep_their_share_in_each_split(seed: int) -> None:
    """Within two points of the ratio for eight classes over groups of up to five images."""
    groups, class_ids = scene(seed, 1500)
    splits = assign_splits(list(groups), RATIOS, {}, groups=groups, class_ids=class_ids)
    boxes: dict[int, Counter[str]] = defaultdict(Counter)
    for ref, ids in class_ids.items():
        for class_id in ids:
            boxes[class_id][splits[ref]] += 1
    for counts in boxes.values():
        for split, ratio in RATIOS.items():
            assert counts[split] / counts.total() == pytest.approx(ratio, abs=0.02)
    images = Counter(splits.values())
    assert images["train"] / 1500 == pytest.approx(0.8, abs=0.01)


def test_a_rare_class_is_in_every_split() -> None:
    """Three of a thousand images have it; a random split has all of them in train in half of all cases."""
    class_ids = {ref: [0] for ref in refs(1000)} | {ref: [0, 1] for ref in refs(3, 500)}
    splits = assign_splits(refs(1000), RATIOS, {}, class_ids=class_ids)
    assert {splits[ref] for ref in refs(3, 500)} == set(RATIOS)


def test_a_big_group_goes_where_there_is_room() -> None:
    groups = dict.fromkeys(refs(60), "one long clip")
    splits = assign_splits(refs(100), RATIOS, {}, groups=groups)
    assert {splits[ref] for ref in groups} == {"train"}
    counts = Counter(splits.values())
    assert (counts["val"], counts["test"]) == (10, 10)


# --- groups that have a past


def test_a_new_frame_follows_its_group_also_when_the_group_left() -> None:
    one, two, three = refs(3)
    groups = dict.fromkeys([one, two], "clip")
    for split in RATIOS:
        assert assign_splits([two, three], RATIOS, {one: split}, groups=groups)[two] == split


def test_groups_that_were_torn_stay_so_and_are_counted() -> None:
    images = refs(4)
    before = dict(zip(images, ["val", "train", "val"], strict=False))
    groups = dict.fromkeys(images, "clip")
    splits = assign_splits(images, RATIOS, before, groups=groups)
    assert [splits[ref] for ref in images] == ["val", "train", "val", "val"]
    assert torn_groups(splits, groups) == 1


# --- pins


def test_a_pinned_list_overrides_ratios_classes_and_the_past() -> None:
    pinned = dict.fromkeys(refs(30), "test")
    splits = assign_splits(refs(40), RATIOS, dict.fromkeys(refs(10), "train"), pinned=pinned)
    assert {ref for ref, split in splits.items() if split == "test"} == set(pinned)


def test_a_pin_of_one_image_is_a_pin_of_its_group() -> None:
    groups = dict.fromkeys(refs(4), "clip")
    splits = assign_splits(refs(8), RATIOS, {}, groups=groups, pinned={refs(4)[2]: "val"})
    assert {splits[ref] for ref in groups} == {"val"}


def test_a_pin_takes_its_group_along_and_overrides_the_past() -> None:
    images = refs(6)
    groups = dict.fromkeys(images[:3], "clip")
    before = dict.fromkeys(images, "train")
    splits = assign_splits(images, RATIOS, before, groups=groups, pinned={images[1]: "test"})
    assert [splits[ref] for ref in images] == ["test"] * 3 + ["train"] * 3


def test_a_group_pinned_twice_is_an_error() -> None:
    one, two = refs(2)
    with pytest.raises(DatasetError, match=r"0\.jpg is pinned to val and .*1\.jpg to test"):
        assign_splits([one, two], RATIOS, {}, groups={one: "a", two: "a"}, pinned={one: "val", two: "test"})
