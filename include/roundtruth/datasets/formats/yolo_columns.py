"""YOLO label files of many images at once, by numpy: the same bytes as ``yolo.encode_labels`` makes.

Formatting floats one by one costs more than decoding the manifest they come from. Shares are written with six
decimals, so each is a whole number of millionths, and their digits come from a table, three at a time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MILLION = 1_000_000
_SPLITTER = 134_217_729.0  # 2^27 + 1: halves a float into two of 26 bits (Dekker 1971)


def millionths(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Millionths of values below some billions, rounded as Python's ``round(value, 6)`` does.

    That is by the exact value of the float: times a million it may land on a tie that it is not, so there the
    product's own rounding error decides (Dekker's product), and halves go to even only where it is none.
    """
    product = values * float(MILLION)
    low = np.floor(product)
    over = product - low
    result = low + (over > 0.5)
    ties = np.flatnonzero(over == 0.5)
    if len(ties):
        error = _product_error(values.flat[ties], product.flat[ties])
        below = low.flat[ties]
        up = (error > 0) | ((error == 0) & (below % 2 == 1))
        result.flat[ties] = below + up
    return result.astype(np.int64)


def encode_rows(class_ids: NDArray[np.int64], shares: NDArray[np.int64]) -> tuple[bytes, NDArray[np.int64]]:
    """The rows of boxes, one after the other, and where each begins; one more place tells the end.

    :param class_ids: 0 or more.
    :param shares: box × (centre x, centre y, width, height) in millionths, 0 to a million.
    """
    count = len(class_ids)
    digits = len(str(int(class_ids.max(initial=0))))
    share = [("space", "u1"), ("whole", "S2"), ("thousands", "S3"), ("ones", "S3")]
    row = np.dtype([("class", f"S{digits}"), ("shares", share, 4), ("end", "u1")])
    rows = np.empty(count, dtype=row)
    rows["class"] = _numbers(digits)[class_ids] if digits <= 3 else _written(class_ids, digits)
    thousands, ones = np.divmod(shares, 1000)
    rows["shares"]["space"] = ord(" ")
    rows["shares"]["whole"] = np.array([b"0.", b"1."])[thousands // 1000]
    rows["shares"]["thousands"] = _numbers(3)[thousands % 1000]
    rows["shares"]["ones"] = _numbers(3)[ones]
    rows["end"] = ord("\n")
    lengths = np.full(count, row.itemsize, dtype=np.int64)
    text: NDArray[Any] = rows.view(np.uint8).reshape(count, row.itemsize)
    if digits > 1:
        leading = digits - 1 - np.searchsorted(10 ** np.arange(1, digits), class_ids, side="right")
        lengths -= leading
        text = text[np.arange(row.itemsize) >= leading[:, None]]
    begins = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(lengths, out=begins[1:])
    return text.tobytes(), begins


def _product_error(values: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the exact product with a million is over the rounded one."""
    scaled = values * _SPLITTER
    high = scaled - (scaled - values)
    rest = values - high
    # A million has 20 bits: both partial products are exact.
    error: NDArray[np.float64] = (high * MILLION - products) + rest * MILLION
    return error


def _written(class_ids: NDArray[np.int64], digits: int) -> NDArray[np.bytes_]:
    return np.array([b"%0*d" % (digits, class_id) for class_id in class_ids.tolist()], dtype=f"S{digits}")


@cache
def _numbers(digits: int) -> NDArray[np.bytes_]:
    """0 to 9, to 99 or to 999, with leading zeros."""
    return np.array([b"%0*d" % (digits, number) for number in range(10**digits)])
