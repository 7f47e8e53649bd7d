"""Columns of Arrow tables as NumPy arrays and back, without pandas.

pyarrow imports pandas (a second or more, in every API server) as soon as it makes an array or a scalar of
Python values, or a NumPy array of a column: `pa.array`, `pa.scalar`, `to_numpy`, `np.asarray`. DLPack and
buffers do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Column = Any  # pyarrow has no types: an Array or a ChunkedArray
Ints = NDArray[np.int64]


def strings(values: Sequence[str]) -> Column:
    """An Arrow array of texts."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    buffers = [None, pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(encoded))]
    return pa.LargeStringArray.from_buffers(len(encoded), buffers[1], buffers[2]).cast(pa.string())


def integer_array(values: Ints) -> Column:
    """An Arrow array of whole numbers."""
    data = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(data), [None, pa.py_buffer(data.tobytes())])


def floats(column: Column, missing: float = np.nan) -> NDArray[np.float64]:
    """A column of numbers or booleans, with ``missing`` for nulls."""
    whole = _whole(pc.cast(column, pa.uint8()) if pa.types.is_boolean(column.type) else column)
    whole = whole.cast(pa.float64(), safe=False)
    if whole.null_count:
        one = pa.Array.from_buffers(pa.float64(), 1, [None, pa.py_buffer(np.float64(missing).tobytes())])
        whole = pc.fill_null(whole, one[0])
    return np.from_dlpack(whole).astype(np.float64, copy=False) if len(whole) else np.zeros(0, np.float64)


def integers(column: Column, missing: int = 0) -> Ints:
    """A column of whole numbers or booleans, with ``missing`` for nulls; exact up to 2**53."""
    return floats(column, float(missing)).astype(np.int64)


def codes(column: Column) -> tuple[Ints, list[str]]:
    """A column of texts as numbers into the list of its different texts; -1 for nulls."""
    whole = _whole(column)
    coded = whole if pa.types.is_dictionary(whole.type) else whole.dictionary_encode()
    return integers(coded.indices, -1), coded.dictionary.to_pylist()


def places_in(values: Column, within: Column) -> Ints:
    """For each text its first place in another column, -1 where it has none."""
    coded = _whole(values)
    if not pa.types.is_dictionary(coded.type):
        coded = coded.dictionary_encode()
    known = pc.index_in(coded.dictionary.cast(pa.string()), value_set=_plain(within))
    # Behind the last place stands -1, for nulls.
    places: Ints = np.append(integers(known, -1), -1)[integers(coded.indices, -1)]
    return places


def _plain(column: Column) -> Column:
    whole = _whole(column)
    return whole.cast(pa.string())


def _whole(column: Column) -> Column:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
