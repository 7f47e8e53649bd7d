"""Frames put together column by column, texts that repeat as categories: a tenth as large for boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from roundtruth.annotations import table


def stacked(
    frames: Sequence[pd.DataFrame],
    schema: pa.Schema,
    texts: Sequence[str] = (),
    *,
    rows: NDArray[np.int64] | None = None,
) -> pd.DataFrame:
    """Frames of a schema one after the other, column by column: never are all of them there twice.

    :param texts: these are and stay categories; pd.concat alone would write them out.
    :param rows: the places, counted through all frames, of the rows that are wanted, in this order.
    """
    if len(frames) == 1 and rows is None:
        return frames[0].reset_index(drop=True)
    empty = table([], schema)
    columns = {}
    for name in schema.names:
        parts = [one[name] for one in frames]
        whole = _categories(parts) if name in texts else pd.concat([empty[name], *parts], ignore_index=True)
        columns[name] = whole if rows is None else whole.take(rows).reset_index(drop=True)
    return pd.DataFrame(columns, copy=False)


def _categories(parts: Sequence[pd.Series]) -> pd.Series:
    known = [pd.Categorical(part) for part in parts]
    # Of no row they are objects, and union_categoricals wants them all alike.
    alike = [pd.Categorical.from_codes(one.codes, one.categories.astype("str")) for one in known]
    return pd.Series(pd.api.types.union_categoricals(alike) if alike else pd.Categorical([]))
