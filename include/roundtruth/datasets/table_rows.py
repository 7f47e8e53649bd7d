"""Rows of a version's tables by source_ref and by image; Arrow tables and pandas frames alike.

Arrow tables stay clear of pandas (see arrow_columns): the web pages read versions by these functions, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from roundtruth import arrow_columns


def places_of(source_refs: Any, among: Any) -> NDArray[np.int64]:
    """Where each of some strings stands among others, from 0; -1 for one that does not."""
    if hasattr(source_refs, "cat"):  # a column of categories, in pandas: each of them once
        # Behind the last category stands the place of -1, a missing value.
        places = np.append(places_of(source_refs.cat.categories, among), -1)
        of_values: NDArray[np.int64] = places[source_refs.cat.codes.to_numpy()]
        return of_values
    found = pc.index_in(_strings(source_refs), value_set=_strings(among))
    return arrow_columns.integers(found, -1)


def rows_of(places: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the boxes of some images stand in a table that holds so many boxes of each image in its order."""
    starts = np.cumsum(counts) - counts
    chosen = counts[places]
    before = np.cumsum(chosen) - chosen
    rows: NDArray[np.int64] = np.repeat(starts[places] - before, chosen) + np.arange(int(chosen.sum()))
    return rows


def newest_rows(source_refs: Any) -> NDArray[np.int64]:
    """The last row of each string, in order of the strings."""
    encoded = pc.dictionary_encode(_strings(source_refs))
    codes = arrow_columns.integers(encoded.indices)
    last = np.zeros(len(encoded.dictionary), dtype=np.int64)
    last[codes] = np.arange(len(codes))  # of a place that is named twice, numpy keeps the last value
    return last[arrow_columns.integers(pc.array_sort_indices(encoded.dictionary))]


def run_of(table: Any, start: int, stop: int) -> Any:
    """The rows from one place up to, not including, another."""
    return table.slice(start, stop - start) if isinstance(table, pa.Table) else table.iloc[start:stop]


def taken(table: Any, places: NDArray[np.int64]) -> Any:
    """The rows at these places, in their order."""
    return table.take(arrow_columns.integer_array(places) if isinstance(table, pa.Table) else places)


def values_of(table: Any, name: str) -> list[Any]:
    """A column as a list; both libraries hand out values one by one twenty times slower."""
    column = table[name]
    values: list[Any] = column.to_pylist() if isinstance(column, pa.ChunkedArray) else column.tolist()
    return values


def integers_of(table: Any, name: str) -> NDArray[np.int64]:
    """A column of whole numbers without nulls."""
    column = table[name]
    if isinstance(column, pa.ChunkedArray):
        return arrow_columns.integers(column)
    values: NDArray[np.int64] = column.to_numpy(dtype=np.int64)
    return values


def floats_of(table: Any, name: str) -> NDArray[np.float64]:
    """A column of numbers; nulls are not-a-number."""
    column = table[name]
    if isinstance(column, pa.ChunkedArray):
        return arrow_columns.floats(column)
    values: NDArray[np.float64] = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def codes_of(table: Any, name: str) -> tuple[NDArray[np.int64], list[str]]:
    """A column of strings as numbers into the list of its different strings."""
    column = table[name]
    if isinstance(column, pa.ChunkedArray):
        return arrow_columns.codes(column)
    values = pa.array(column)
    # A column of nothing but nulls has no type of its own.
    return arrow_columns.codes(values if pa.types.is_dictionary(values.type) else _strings(values))


def _strings(values: Any) -> pa.Array:
    if isinstance(values, list):
        return pc.cast(arrow_columns.strings(values), pa.large_string())
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(values)  # of pandas
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return pc.cast(values, pa.large_string())
