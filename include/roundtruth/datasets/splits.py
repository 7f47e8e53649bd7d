"""Which split each image is in: kept for ever once given, groups whole, classes shared evenly.

Four rules, the first that says something wins: a pinned image, and its group with it, is where the project
file says; an image keeps the split it ever had; an image of a group that is somewhere goes there too; all
other groups are placed so that ratios and the classes' shares come out best (stratify.py).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.stratify import place_groups, wanted_counts
from roundtruth.errors import DatasetError


class Held(NamedTuple):
    """What a split holds: images, those of them without a box, boxes by class id."""

    images: int
    negatives: int
    boxes: Mapping[int, int]


_NOTHING = Held(0, 0, {})


def assign_splits(
    source_refs: Iterable[str],
    ratios: Mapping[str, float],
    previous: Mapping[str, str],
    *,
    groups: Mapping[str, str] | None = None,
    class_ids: Mapping[str, Sequence[int]] | None = None,
    pinned: Mapping[str, str] | None = None,
    held: Mapping[str, Held] | None = None,
) -> dict[str, str]:
    """Give every image a split.

    Groups are taken in order of a digest of their images, so the result depends neither on the order of the
    input nor on a random number. As soon as there are as many images as splits with a ratio over 0, none of
    those is left empty, as far as groups and images that keep their split allow it.

    :param ratios: split name -> share, which add up to 1.
    :param previous: source_ref -> the split it had, also of images that left the dataset.
    :param groups: source_ref -> what it belongs to, also of images in ``previous``; an image that is not in
        it is a group of its own.
    :param class_ids: source_ref -> the class of each of its boxes; an image that is not in it is a negative.
    :param pinned: source_ref -> split, whatever it was before.
    :param held: split -> what is in it beside ``source_refs``: images that nobody has to place again.
    :returns: source_ref -> split, sorted by source_ref.
    :raises DatasetError: when images of one group are pinned to different splits.
    """
    everything = sorted(set(source_refs))
    known = groups or {}
    members: dict[str, list[str]] = defaultdict(list)
    for source_ref in everything:
        members[known.get(source_ref, source_ref)].append(source_ref)
    pins = _pins_of_groups(pinned or {}, known)
    homes = _homes(previous, known, ratios)
    splits: dict[str, str] = {}
    for group, images in members.items():
        for source_ref in images:
            found = pins.get(group) or previous.get(source_ref) or homes.get(group)
            if found:
                splits[source_ref] = found
    new = sorted(
        (images for images in members.values() if images[0] not in splits),
        key=lambda images: _place(images[0]),
    )
    splits |= _placed(new, splits, ratios, class_ids or {}, held or {})
    return {source_ref: splits[source_ref] for source_ref in everything}


def split_evenly(images: int, ratios: Mapping[str, float]) -> NDArray[np.intp]:
    """``assign_splits`` of so many new images of which no class and no group is known, without their names.

    :returns: the place of each one's split among the ``ratios`` that are over 0, in order of the SHA-256 of
        their source_refs.
    """
    used = [ratio for ratio in ratios.values() if ratio > 0]
    wanted = np.array([wanted_counts(used, images)] * 2, dtype=np.float64).T
    # Two columns, as for images whose boxes are not looked at: an image, and a negative.
    return place_groups(np.ones((images, 2)), np.zeros((len(used), 2)), wanted)


def torn_groups(splits: Mapping[str, str], groups: Mapping[str, str]) -> int:
    """How many groups lie in more than one split: those that were torn before they were known as groups."""
    found: dict[str, set[str]] = defaultdict(set)
    for source_ref, split in splits.items():
        found[groups.get(source_ref, source_ref)].add(split)
    return sum(len(of_group) > 1 for of_group in found.values())


def _pins_of_groups(pinned: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, str]:
    pins: dict[str, tuple[str, str]] = {}
    for source_ref, split in sorted(pinned.items()):
        first = pins.setdefault(groups.get(source_ref, source_ref), (split, source_ref))
        if first[0] != split:
            raise DatasetError(
                f"{first[1]} is pinned to {first[0]} and {source_ref} to {split}, but they belong to one "
                "group (dataset.group_by); pin the group to one split."
            )
    return {group: split for group, (split, _) in pins.items()}


def _homes(
    previous: Mapping[str, str], groups: Mapping[str, str], ratios: Mapping[str, float]
) -> dict[str, str]:
    """A group -> the split that has most of its images; of equals, the one that is named first."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for source_ref, split in previous.items():
        votes[groups.get(source_ref, source_ref)][split] += 1
    order = {name: place for place, name in enumerate(ratios)}
    return {
        group: min(counts, key=lambda split: (-counts[split], order.get(split, len(order)), split))
        for group, counts in votes.items()
    }


def _placed(
    new: Sequence[Sequence[str]],
    splits: Mapping[str, str],
    ratios: Mapping[str, float],
    class_ids: Mapping[str, Sequence[int]],
    beside: Mapping[str, Held],
) -> dict[str, str]:
    """The split of each image of new groups."""
    used = {name: ratio for name, ratio in ratios.items() if ratio > 0}
    placed_already = {class_id for of_split in beside.values() for class_id in of_split.boxes}
    classes = sorted(placed_already.union(*class_ids.values()))
    columns = {class_id: place for place, class_id in enumerate(classes, start=2)}

    def count(images: Iterable[str], others: Held) -> list[int]:
        # images, negatives, boxes of each class
        row = [others.images, others.negatives, *(others.boxes.get(class_id, 0) for class_id in classes)]
        for source_ref in images:
            ids = class_ids.get(source_ref, ())
            row[0] += 1
            row[1] += not len(ids)
            for class_id in ids:
                row[columns[class_id]] += 1
        return row

    by_split: dict[str, list[str]] = defaultdict(list)
    for source_ref, split in splits.items():
        by_split[split].append(source_ref)
    everywhere = {
        name: count(by_split[name], beside.get(name, _NOTHING)) for name in {*used, *by_split, *beside}
    }
    held = np.array([everywhere[name] for name in used], dtype=np.float64)
    sizes = np.array([count(images, _NOTHING) for images in new], dtype=np.float64).reshape(
        -1, len(classes) + 2
    )
    totals = np.array(list(everywhere.values())).sum(axis=0) + sizes.sum(axis=0)
    wanted = np.array([wanted_counts(list(used.values()), int(total)) for total in totals]).T
    names = list(used)
    placed = place_groups(sizes, held, wanted)
    return {
        source_ref: names[place] for images, place in zip(new, placed, strict=True) for source_ref in images
    }


def _place(source_ref: str) -> str:
    return hashlib.sha256(source_ref.encode("utf-8", "surrogatepass")).hexdigest()
