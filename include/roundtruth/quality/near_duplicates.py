"""Pairs of 64-bit fingerprints that differ by few bits, without comparing each with each (numpy).

Multi-index hashing (Norouzi, Punjani, Fleet, "Fast Search in Hamming Space", 2012): of four 16-bit parts of
two fingerprints within distance d, one differs by at most d // 4 bits. So only fingerprints are compared that
share a part up to that many bits; equal fingerprints are taken together first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

PARTS, PART_BITS = 4, 16

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Different fingerprints and which of them are near each other.

    ``number`` is, for each image, the place of its fingerprint; ``first`` and ``second`` are pairs of places,
    each pair in both directions (and maybe more than once) and each place
    with itself.
    """

    number: Ints
    first: Ints
    second: Ints


def to_numbers(fingerprints: Iterable[str]) -> Hashes:
    """Fingerprints of 16 hexadecimal digits as numbers."""
    return np.array([int(digits, 16) for digits in fingerprints], dtype=np.uint64)


def find_neighbours(hashes: Hashes, *, max_distance: int) -> Neighbours:
    """Find all fingerprints within ``max_distance`` bits (0–11) of each other; one hash an image."""
    different, number = np.unique(hashes, return_inverse=True)
    alone = np.arange(len(different), dtype=np.int64)
    firsts, seconds = [alone], [alone]
    for one, two in _candidates(different, max_distance // PARTS):
        near = np.bitwise_count(different[one] ^ different[two]) <= max_distance
        firsts.append(one[near])
        seconds.append(two[near])
    return Neighbours(
        number=number.astype(np.int64), first=np.concatenate(firsts), second=np.concatenate(seconds)
    )


def earliest_copies(hashes: Hashes, *, max_distance: int) -> Ints:
    """For each image the first one near it, by place; its own place where none comes before it."""
    found = find_neighbours(hashes, max_distance=max_distance)
    first_image = np.full(found.number.max(initial=-1) + 1, len(hashes), dtype=np.int64)
    np.minimum.at(first_image, found.number, np.arange(len(hashes)))
    earliest = first_image.copy()
    np.minimum.at(earliest, found.first, first_image[found.second])
    return np.minimum(earliest[found.number], np.arange(len(hashes)))


def copies_in_other_groups(hashes: Hashes, groups: Sequence[str], *, max_distance: int) -> Ints:
    """For each image the first one near it in another group (such as a split), by place; -1 where none is."""
    found = find_neighbours(hashes, max_distance=max_distance)
    names, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    result = np.full(len(hashes), len(hashes), dtype=np.int64)
    for code in range(len(names)):
        inside = np.flatnonzero(codes == code)
        first_image = np.full(found.number.max(initial=-1) + 1, len(hashes), dtype=np.int64)
        np.minimum.at(first_image, found.number[inside], inside)
        earliest = np.full(len(first_image), len(hashes), dtype=np.int64)
        np.minimum.at(earliest, found.first, first_image[found.second])
        outside = np.flatnonzero(codes != code)
        result[outside] = np.minimum(result[outside], earliest[found.number[outside]])
    return np.where(result == len(hashes), -1, result)


def _candidates(hashes: Hashes, radius: int) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of places that share a part up to ``radius`` bits; pairs come more than once."""
    for part in range(PARTS):
        values = ((hashes >> np.uint64(part * PART_BITS)) & np.uint64((1 << PART_BITS) - 1)).astype(np.int64)
        order = np.argsort(values, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=1 << PART_BITS))])
        for mask in _masks(radius):
            begin, end = starts[values ^ mask], starts[(values ^ mask) + 1]
            one = np.arange(len(hashes), dtype=np.int64)
            while len(one):  # the first of each bucket, then the second, …: memory stays that of the hashes
                one = one[begin[one] < end[one]]
                yield one, order[begin[one]]
                begin[one] += 1


def _masks(radius: int) -> list[int]:
    bits = range(PART_BITS)
    return [
        sum(1 << bit for bit in chosen) for size in range(radius + 1) for chosen in combinations(bits, size)
    ]
