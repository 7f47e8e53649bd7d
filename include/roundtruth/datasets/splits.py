"""Which split each image is in: kept for ever once given, near the asked ratios, the same everywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping


def assign_splits(
    source_refs: Iterable[str], ratios: Mapping[str, float], previous: Mapping[str, str]
) -> dict[str, str]:
    """Give every image a split; images that have one in ``previous`` keep it.

    New images are taken in order of a digest of their URI, so the result depends neither on the order of the
    input nor on a random number, and go where most images are missing. As soon as there are as many images as
    splits with a ratio over 0, none of those is left empty, as far as the images that keep theirs allow it.

    :param ratios: split name -> share, which add up to 1.
    :returns: source_ref -> split, sorted by source_ref.
    """
    everything = sorted(set(source_refs))
    splits = {source_ref: previous[source_ref] for source_ref in everything if source_ref in previous}
    counts = Counter(splits.values())
    wanted = _wanted_counts(ratios, len(everything))
    for source_ref in sorted(set(everything) - set(splits), key=_place):
        # The split that lacks most of what it should hold; the first named one among equals.
        split = max(wanted, key=lambda name: (wanted[name] - counts[name]) / max(wanted[name], 1))
        splits[source_ref] = split
        counts[split] += 1
    return {source_ref: splits[source_ref] for source_ref in everything}


def _wanted_counts(ratios: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole numbers that add up to ``total``, by largest remainder; none is 0 where the images suffice."""
    used = {name: ratio for name, ratio in ratios.items() if ratio > 0}
    counts = {name: int(ratio * total) for name, ratio in used.items()}
    by_remainder = sorted(used, key=lambda name: counts[name] - used[name] * total)
    for name in by_remainder[: total - sum(counts.values())]:
        counts[name] += 1
    if total >= len(used):
        for name in used:
            if not counts[name]:
                counts[max(counts, key=lambda other: counts[other])] -= 1
                counts[name] = 1
    return counts


def _place(source_ref: str) -> str:
    return hashlib.sha256(source_ref.encode("utf-8", "surrogatepass")).hexdigest()
