"""Pairs of 64-bit fingerprints that differ by few bits, without comparing each with each (numpy).

Multi-index hashing (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space", 2012): of four 16-bit parts of
two fingerprints within distance d, one differs by at most d // 4 bits. So only fingerprints are compared that
share a part up to that many bits; equal fingerprints are taken together first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PARTS, PART_BITS = 4, 16

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


def to_numbers(fingerprints: Iterable[str]) -> Hashes:
    """Fingerprints of 16 hexadecimal digits as numbers."""
    return np.array([int(digits, 16) for digits in fingerprints], dtype=np.uint64)


def near_pairs(hashes: Hashes, *, max_distance: int) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of places whose fingerprints are within ``max_distance`` bits (0–11) of each other, in batches.

    Each pair comes in both directions, maybe more than once, and each place with itself. The hashes are all
    different: many equal ones would be very many pairs.
    """
    for one, two in _candidates(hashes, max_distance // PARTS):
        near = np.bitwise_count(hashes[one] ^ hashes[two]) <= max_distance
        yield one[near], two[near]


def linked_groups(hashes: Hashes, *, max_distance: int) -> Ints:
    """For each image the first one, by place, of its group: all that are linked through near ones.

    More images make groups grow or join, never shrink.
    """
    different, number = np.unique(hashes, return_inverse=True)
    label = np.arange(len(different), dtype=np.int64)
    for one, two in _candidates(different, max_distance // PARTS, label):
        apart = label[one] != label[two]
        one, two = one[apart], two[apart]
        near = np.bitwise_count(different[one] ^ different[two]) <= max_distance
        if near.any():
            links = (np.ones(int(near.sum()), dtype=np.int8), (label[one[near]], label[two[near]]))
            graph = coo_array(links, shape=(len(label), len(label)))
            label[:] = connected_components(graph, directed=False)[1][label]
    group = label[number]
    first = np.full(len(label), len(hashes), dtype=np.int64)
    np.minimum.at(first, group, np.arange(len(hashes)))
    return first[group]


def earliest_copies(hashes: Hashes, *, max_distance: int) -> Ints:
    """For each image the first one near it, by place; its own place where none comes before it."""
    different, number = np.unique(hashes, return_inverse=True)
    first_image = np.full(len(different), len(hashes), dtype=np.int64)
    np.minimum.at(first_image, number, np.arange(len(hashes)))
    earliest = first_image.copy()
    for one, two in near_pairs(different, max_distance=max_distance):
        np.minimum.at(earliest, one, first_image[two])
    return np.minimum(earliest[number], np.arange(len(hashes)))


def copies_in_other_groups(hashes: Hashes, groups: Sequence[str], *, max_distance: int) -> Ints:
    """For each image the first one near it in another group (such as a split), by place; -1 where none is."""
    different, number = np.unique(hashes, return_inverse=True)
    names, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    first_image = np.full((len(names), len(different)), len(hashes), dtype=np.int64)
    np.minimum.at(first_image, (codes, number), np.arange(len(hashes)))
    earliest = first_image.copy()
    for one, two in near_pairs(different, max_distance=max_distance):
        for code in range(len(names)):
            np.minimum.at(earliest[code], one, first_image[code][two])
    result = np.full(len(hashes), len(hashes), dtype=np.int64)
    for code in range(len(names)):
        outside = np.flatnonzero(codes != code)
        result[outside] = np.minimum(result[outside], earliest[code][number[outside]])
    return np.where(result == len(hashes), -1, result)


def _candidates(hashes: Hashes, radius: int, label: Ints | None = None) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of places that share a part up to ``radius`` bits; pairs come more than once.

    :param label: what each place is joined to so far, brought up to date between two batches; a place is not
        compared with a bucket that is wholly joined to it. Frames of one fixed camera fill a bucket by
        thousands, and would be compared each with each.
    """
    for part in range(PARTS):
        values = ((hashes >> np.uint64(part * PART_BITS)) & np.uint64((1 << PART_BITS) - 1)).astype(np.int64)
        order = np.argsort(values, kind="stable")
        present, starts = np.unique(values[order], return_index=True)
        ends = np.append(starts[1:], len(values))
        for mask in _masks(radius):
            bucket = np.searchsorted(present, values ^ mask).clip(max=len(present) - 1)
            there = present[bucket] == values ^ mask
            begin, end = starts[bucket], np.where(there, ends[bucket], 0)
            one = np.arange(len(hashes), dtype=np.int64)
            batch = 0
            while len(one):  # the first of each bucket, then the second, …: memory stays that of the hashes
                one = one[begin[one] < end[one]]
                if label is not None and batch.bit_count() <= 1:  # now and then: 0, 1, 2, 4, 8, …
                    one = one[~_joined(label, order, starts, bucket)[one]]
                yield one, order[begin[one]]
                begin[one] += 1
                batch += 1


def _joined(label: Ints, order: Ints, starts: Ints, bucket: Ints) -> NDArray[np.bool_]:
    """Whether each place has the one label that all places of its bucket have."""
    low = np.minimum.reduceat(label[order], starts)
    high = np.maximum.reduceat(label[order], starts)
    same: NDArray[np.bool_] = (low[bucket] == label) & (high[bucket] == label)
    return same


def _masks(radius: int) -> list[int]:
    bits = range(PART_BITS)
    return [
        sum(1 << bit for bit in chosen) for size in range(radius + 1) for chosen in combinations(bits, size)
    ]
