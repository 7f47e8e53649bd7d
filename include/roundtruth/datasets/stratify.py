"""Places groups of images into splits so that every class, and the images, come near their wanted counts.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data, 2011) for
whole groups: those of the rarest class first, each to where it is missing most. Then single moves and swaps
of groups go on improving the sum, until none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]

STEPS = 1000  # moves and swaps at most; some dozens do for thousands of groups
SWAPPED = 256  # the groups of each split that are tried as partners of a swap
DIGITS = 9  # differences below this are none: what a processor rounds otherwise must not decide


def wanted_counts(ratios: Sequence[float], total: int) -> list[int]:
    """Whole numbers that add up to ``total``, by largest remainder; none is 0 where the total suffices."""
    counts = [int(ratio * total) for ratio in ratios]
    by_remainder = sorted(range(len(ratios)), key=lambda place: counts[place] - ratios[place] * total)
    for place in by_remainder[: total - sum(counts)]:
        counts[place] += 1
    if total >= len(ratios):
        for place, count in enumerate(counts):
            if not count:
                counts[counts.index(max(counts))] -= 1
                counts[place] = 1
    return counts


def place_groups(sizes: Numbers, held: Numbers, wanted: Numbers) -> NDArray[np.intp]:
    """The split of each group, as its place among the splits.

    :param sizes: group × column, what each group holds; column 0 is images, the others what is to be shared
        evenly too, such as the boxes of each class. The order of the groups decides between equals.
    :param held: split × column, what the splits hold already.
    :param wanted: split × column, what they should hold in the end.
    """
    placing = _Placing(sizes, held, wanted)
    placing.place_all()
    placing.fill_empty()
    placing.improve()
    return placing.split_of


class _Placing:
    """Minimises the sum of (held − wanted)² / (wanted × total), so that rare classes count as common ones do.

    Images weigh as much as all classes together: ratios come first.
    """

    def __init__(self, sizes: Numbers, held: Numbers, wanted: Numbers) -> None:
        self._sizes = sizes
        self._squares = sizes**2
        self._over = held - wanted  # split × column
        self._images = held[:, 0].copy()
        self._wanted = wanted
        weights = np.ones(sizes.shape[1])
        weights[0] = max((wanted.sum(axis=0) > 0).sum() - 1, 1)
        self._cost = weights / (np.maximum(wanted, 1) * np.maximum(wanted.sum(axis=0), 1))
        self.split_of = np.zeros(len(sizes), dtype=np.intp)

    def place_all(self) -> None:
        """Each group to the split where it lowers the sum most."""
        totals = self._wanted.sum(axis=0)
        rarity = np.where(self._sizes[:, 1:] > 0, totals[1:], np.inf).min(axis=1, initial=np.inf)
        order = np.lexsort((np.arange(len(self._sizes)), -self._sizes[:, 0], rarity))
        for group in order:
            added = (self._cost * (2 * self._sizes[group] * self._over + self._squares[group])).sum(axis=1)
            self._put(group, int(np.argmin(np.round(added, DIGITS))))

    def fill_empty(self) -> None:
        """No split that should hold images stays without, where another can give a group."""
        for split in np.flatnonzero((self._wanted[:, 0] > 0) & (self._images == 0)):
            changes = self._moves()[:, split]
            if np.isfinite(changes).any():
                self._move(int(np.argmin(np.round(changes, DIGITS))), int(split))

    def improve(self) -> None:
        """Moves and swaps while they help."""
        for _ in range(STEPS if len(self._sizes) else 0):
            moves = self._moves()
            group, split = np.unravel_index(np.argmin(np.round(moves, DIGITS)), moves.shape)
            if round(moves[group, split], DIGITS) < 0:
                self._move(int(group), int(split))
            elif not self._swap(moves):
                return

    def _moves(self) -> Numbers:
        """Group × split: by how much the sum changes when the group goes there; infinite where it may not."""
        added = 2 * self._sizes @ (self._cost * self._over).T + self._squares @ self._cost.T
        here, own = np.arange(len(self._sizes)), self.split_of
        taken = (self._cost[own] * (self._squares - 2 * self._sizes * self._over[own])).sum(axis=1)
        changes: Numbers = added + taken[:, None]
        changes[here, own] = np.inf
        changes[self._images[own] <= self._sizes[:, 0]] = np.inf  # would leave its split empty
        return changes

    def _swap(self, moves: Numbers) -> bool:
        """The best swap of two groups, if it lowers the sum."""
        best = (0.0, -1, -1)
        for one in range(len(self._over)):
            for two in range(one + 1, len(self._over)):
                best = min(best, self._best_swap(one, two, moves))
        change, first, second = best
        if change >= 0:
            return False
        one, two = int(self.split_of[first]), int(self.split_of[second])
        self._move(first, two)
        self._move(second, one)
        return True

    def _best_swap(self, one: int, two: int, moves: Numbers) -> tuple[float, int, int]:
        ours, theirs = self._candidates(one, two, moves), self._candidates(two, one, moves)
        if not len(ours) or not len(theirs):
            return (0.0, -1, -1)
        together = (self._sizes[ours] * (self._cost[one] + self._cost[two])) @ self._sizes[theirs].T
        changes = np.round(moves[ours, two][:, None] + moves[theirs, one][None, :] - 2 * together, DIGITS)
        row, column = np.unravel_index(np.argmin(changes), changes.shape)
        return (float(changes[row, column]), int(ours[row]), int(theirs[column]))

    def _candidates(self, own: int, other: int, moves: Numbers) -> NDArray[np.intp]:
        groups = np.flatnonzero((self.split_of == own) & np.isfinite(moves[:, other]))
        order = np.argsort(np.round(moves[groups, other], DIGITS), kind="stable")
        candidates: NDArray[np.intp] = groups[order[:SWAPPED]]
        return candidates

    def _put(self, group: int, split: int) -> None:
        self.split_of[group] = split
        self._over[split] += self._sizes[group]
        self._images[split] += self._sizes[group, 0]

    def _move(self, group: int, split: int) -> None:
        own = self.split_of[group]
        self._over[own] -= self._sizes[group]
        self._images[own] -= self._sizes[group, 0]
        self._put(group, split)
