"""Rows by source_ref and by image: the same of pandas frames and of Arrow tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.table_rows import (
    codes_of,
    floats_of,
    integers_of,
    newest_rows,
    places_of,
    rows_of,
    taken,
    values_of,
)

TEXTS = st.lists(st.sampled_from(["a", "b", "ä", "사진", "", "a b", "s3://x/é.jpg"]), max_size=12)
KINDS = [
    pytest.param(lambda texts: pd.Series(texts, dtype="str"), id="pandas"),
    pytest.param(lambda texts: pa.chunked_array([texts[:2], texts[2:]], pa.string()), id="Arrow"),
    pytest.param(list, id="list"),
]


@pytest.mark.parametrize("kind", KINDS)
@given(refs=TEXTS, among=TEXTS)
def test_places(kind, refs: list[str], among: list[str]) -> None:
    wanted = [among.index(ref) if ref in among else -1 for ref in refs]
    assert places_of(kind(refs), kind(among)).tolist() == wanted


@pytest.mark.parametrize("kind", KINDS)
@given(refs=TEXTS)
def test_the_newest_row_of_each(kind, refs: list[str]) -> None:
    """In order of code points, which is that of UTF-8 bytes."""
    last = {ref: place for place, ref in enumerate(refs)}
    assert newest_rows(kind(refs)).tolist() == [last[ref] for ref in sorted(last)]


@given(counts=st.lists(st.integers(0, 4), max_size=8), data=st.data())
def test_rows_of_images(counts: list[int], data) -> None:
    boxes = [(image, number) for image, count in enumerate(counts) for number in range(count)]
    chosen = data.draw(st.lists(st.sampled_from(range(len(counts))), max_size=5)) if counts else []
    rows = rows_of(np.array(chosen, dtype=np.int64), np.array(counts, dtype=np.int64))
    wanted = [(image, number) for image in chosen for number in range(counts[image])]
    assert [boxes[row] for row in rows.tolist()] == wanted


def test_columns_of_both_libraries() -> None:
    table = pa.table(
        {"text": ["b", "a", "b"], "number": pa.array([3, None, 1], pa.int16()), "whole": [1, 2, 3]}
    )
    for both in (table, table.to_pandas()):
        assert values_of(both, "text") == ["b", "a", "b"]
        assert integers_of(both, "whole").tolist() == [1, 2, 3]
        assert np.array_equal(floats_of(both, "number"), [3.0, np.nan, 1.0], equal_nan=True)
        codes, names = codes_of(both, "text")
        assert [names[code] for code in codes] == ["b", "a", "b"]
        assert values_of(taken(both, np.array([2, 0])), "whole") == [3, 1]
