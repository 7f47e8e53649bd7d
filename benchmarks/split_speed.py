"""Seconds that splits and groups of near duplicates take, by how many images there are."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.splits import assign_splits
from roundtruth.quality.near_duplicates import linked_groups

SIZES = (25_000, 50_000, 100_000, 200_000)
DISTANCE = 6  # quality.near_duplicate_distance


def speed_page() -> str:
    """The part of SPLITS.md about time."""
    rows = [
        f"| {size:,} | {splitting(size):.1f} | {linking(clips(size)):.1f} | {linking(one_camera(size)):.1f} |"
        for size in SIZES
    ]
    lines = "\n".join(rows)
    return f"""\
## Time

Seconds of one core. Splits: groups of five new images, 50 classes, three splits. Near duplicates: 64-bit
perceptual hashes, linked within {DISTANCE} bits: of clips of five frames that differ by up to 4 bits, and of
one fixed camera, where all images are within some bits of one (never compared each with each).

| images | splits | near duplicates, clips | near duplicates, one camera |
| ---: | ---: | ---: | ---: |
{lines}
"""


def splitting(count: int) -> float:
    """Seconds for images in new groups of five."""
    random = np.random.default_rng(0)
    names = [f"s3://bucket/{number}.jpg" for number in range(count)]
    class_ids = dict(zip(names, random.integers(0, 50, (count, 4)).tolist(), strict=True))
    groups = {name: f"clip{number // 5}" for number, name in enumerate(names)}
    ratios = {"train": 0.8, "val": 0.1, "test": 0.1}
    return seconds(lambda: assign_splits(names, ratios, {}, groups=groups, class_ids=class_ids))


def linking(hashes: NDArray[np.uint64]) -> float:
    """Seconds to find the groups."""
    return seconds(lambda: linked_groups(hashes, max_distance=DISTANCE))


def clips(count: int) -> NDArray[np.uint64]:
    """Hashes of clips of five frames."""
    random = np.random.default_rng(0)
    return np.repeat(random.integers(0, 2**64, count // 5, dtype=np.uint64), 5) ^ flips(count, 2)


def one_camera(count: int) -> NDArray[np.uint64]:
    """Hashes within three bits of one."""
    return np.uint64(0x0F0F_1234_8000_0001) ^ flips(count, 3)


def flips(count: int, bits: int) -> NDArray[np.uint64]:
    """Up to so many random bits each."""
    places = np.random.default_rng(1).integers(0, 64, (count, bits)).astype(np.uint64)
    return np.bitwise_or.reduce(np.uint64(1) << places, axis=1)


def seconds(action: Callable[[], object]) -> float:
    """Of this process, so that what else runs here does not count."""
    started = time.process_time()
    action()
    return time.process_time() - started


if __name__ == "__main__":
    print(speed_page(), end="")
