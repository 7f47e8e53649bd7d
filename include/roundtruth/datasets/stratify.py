"""Places groups of images into splits so that every class, and the images, come near their wanted counts.

Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data, 2011) for
whole groups: those of the rarest class first, each to where it is missing most. Then single moves and swaps
of groups go on improving the sum, until none does; then two at once (a clip of a rare class that goes over
takes boxes of common ones along, a second swap brings them back), until a number of tries found none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]

STEPS = 1000  # moves and swaps at most; some dozens do for thousands of groups
SWAPPED = 256  # the groups of each split that are tried as partners of a swap
WINDOW = 40  # groups among which two changes at once are tried: some 500 changes, 250,000 pairs, 5 ms
TRIES = 600  # windows at most
FRUITLESS = 40  # windows in a row that bring nothing: then it is enough
GOOD = 1e-7  # of the sum: no column is off by more than 0.03 points; nobody can tell it from 0
WORST = 3  # columns that are furthest off take turns in giving half of a window
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
    :param wanted: split × column, what they should hold in the end. When no split holds anything yet, the
        images of each are off by no more than the largest group has.
    """
    placing = _Placing(sizes, held, wanted)
    placing.place_all()
    placing.fill_empty()
    placing.improve()
    placing.improve_by_pairs()
    placing.hold_ratios()
    return placing.split_of


@dataclass(frozen=True, kw_only=True)
class _Changes:
    """Moves (no ``second``: -1) and swaps among a few groups; ``over`` is change × split × column."""

    first: NDArray[np.intp]  # goes to the split ``to``; both are places among the groups of the window
    second: NDArray[np.intp]  # takes its place
    to: NDArray[np.intp]
    over: Numbers

    @property
    def touching(self) -> NDArray[np.bool_]:
        """Change × change: whether they have a group in common."""
        groups = np.zeros((len(self.first), WINDOW + 1), dtype=np.float32)
        here = np.arange(len(self.first))
        groups[here, self.first] = 1
        groups[here, self.second] = 1  # -1 is the last column
        groups[:, -1] = 0
        common: NDArray[np.bool_] = groups @ groups.T > 0
        return common


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
        if len(order) and (self._sizes == self._sizes[0]).all():
            self._place_alike(order)
            return
        for group in order:
            added = (self._cost * (2 * self._sizes[group] * self._over + self._squares[group])).sum(axis=1)
            self._put(group, int(np.argmin(np.round(added, DIGITS))))

    def _place_alike(self, order: NDArray[np.intp]) -> None:
        """The same for groups that hold the same: each split's next one costs more, so all can be sorted."""
        before = np.arange(len(order), dtype=np.float64)
        rises = np.empty((len(order), len(self._over)), dtype=np.int64)
        for split, (cost, over) in enumerate(zip(self._cost, self._over, strict=True)):
            rise = np.zeros(len(order))
            for price, size, now in zip(cost, self._sizes[0], over, strict=True):
                rise += price * (2 * size * (now + before * size) + size**2)
            rises[:, split] = np.rint(rise * 10.0**DIGITS)
        # Stable and split after split: of equals the split that is named first, as ``argmin`` takes it above.
        cheapest = np.argsort(rises.T, axis=None, kind="stable")[: len(order)]
        placed = cheapest // len(order)
        self.split_of[order] = placed
        counts = np.bincount(placed, minlength=len(self._over))
        self._over += counts[:, None] * self._sizes[0]
        self._images += counts * self._sizes[0, 0]

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

    def improve_by_pairs(self) -> None:
        """Two moves or swaps at once, among windows of the groups, while they help."""
        fruitless, enough = 0, min(FRUITLESS, 1 + len(self._sizes) // WINDOW)
        for number in range(TRIES if len(self._sizes) > 1 else 0):
            if fruitless == enough or (self._cost * self._over**2).sum() < GOOD:
                return
            fruitless = 0 if self._improve_window(self._window(number)) else fruitless + 1

    def hold_ratios(self) -> None:
        """Images within the largest group of what is wanted, whatever is best for the classes.

        Few images with many classes would go where each class is still missing.
        """
        largest = self._sizes[:, 0].max(initial=0)
        for _ in range(len(self._sizes)):
            off = self._over[:, 0]
            most, least = int(np.argmax(off)), int(np.argmin(off))
            if max(off[most], -off[least]) <= largest:
                return
            sources = [most] if off[most] > largest else np.flatnonzero(off > 0)
            changes = self._moves()[:, least]
            changes[~np.isin(self.split_of, sources) | (self._sizes[:, 0] == 0)] = np.inf
            best = int(np.argmin(np.round(changes, DIGITS)))
            if not np.isfinite(changes[best]):
                return  # what is held already stays
            self._move(best, least)

    def _window(self, number: int) -> NDArray[np.intp]:
        """Half of it groups that hold one of the worst columns, the rest any; each number has another one."""
        everyone = np.arange(len(self._sizes))
        if len(everyone) <= WINDOW:
            return everyone
        off = (self._cost * self._over**2).sum(axis=0)
        worst = np.argsort(-np.round(off, DIGITS), kind="stable")[:WORST]
        holders = np.flatnonzero(self._sizes[:, worst[number % len(worst)]] > 0)
        half = WINDOW // 2
        return np.union1d(_some(holders, number, half), _some(everyone, number, half))

    def _improve_window(self, groups: NDArray[np.intp]) -> bool:
        changes = self._changes_among(groups)
        if not len(changes.first):
            return False
        alone = (self._cost * (2 * self._over * changes.over + changes.over**2)).sum(axis=(1, 2))
        weighted = (changes.over * np.sqrt(self._cost)).reshape(len(alone), -1)
        together = alone[:, None] + alone[None, :] + 2 * weighted @ weighted.T
        together[changes.touching] = np.inf
        np.fill_diagonal(together, alone)
        best = np.unravel_index(np.argmin(np.round(together, DIGITS)), together.shape)
        chosen = sorted({int(place) for place in best})
        emptied = self._images + changes.over[chosen, :, 0].sum(axis=0) <= 0
        if round(together[best], DIGITS) >= 0 or (emptied & (self._images > 0)).any():
            return False
        for place in chosen:
            group, other = groups[changes.first[place]], changes.second[place]
            own = int(self.split_of[group])
            self._move(int(group), int(changes.to[place]))
            if other >= 0:
                self._move(int(groups[other]), own)
        return True

    def _changes_among(self, groups: NDArray[np.intp]) -> _Changes:
        own = self.split_of[groups]
        moved, target = np.nonzero(own[:, None] != np.arange(len(self._over)))
        one, two = np.nonzero(np.triu(own[:, None] != own))
        first = np.concatenate([moved, one])
        second = np.concatenate([np.full(len(moved), -1), two])
        to = np.concatenate([target, own[two]])
        brought = self._sizes[groups[first]]
        brought[len(moved) :] -= self._sizes[groups[two]]
        over = np.zeros((len(first), *self._over.shape))
        here = np.arange(len(first))
        over[here, to] = brought
        over[here, own[first]] = -brought
        return _Changes(first=first, second=second, to=to, over=over)

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


def _some(groups: NDArray[np.intp], number: int, count: int) -> NDArray[np.intp]:
    """A few groups, others for each number: by a multiplicative hash of their places, not by chance."""
    size = np.uint64(1 << 32)  # all products below stay within 64 bits
    mixed = (groups.astype(np.uint64) * np.uint64(2654435761) + np.uint64(number * 40503)) % size
    order = np.argsort(mixed * np.uint64(2246822519) % size, kind="stable")
    few: NDArray[np.intp] = groups[order[:count]]
    return few
