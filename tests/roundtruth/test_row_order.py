"""Rows sorted by many keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.row_order import order_of_rows


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), max_size=40))
def test_rows_are_in_the_order_of_lexsort(rows):
    keys = np.array(rows, np.int64).reshape(-1, 4).T
    assert order_of_rows(*keys).tolist() == np.lexsort(keys[::-1]).tolist()


@pytest.mark.parametrize(
    "edges",
    [
        [3.0, -1.0, 3.0, 0.0],
        [2.5, -1.0, 2.5, 0.25],
        [1e300, 0.0, 1e300, -1e300],
        [2.0**62, -(2.0**62), 0.0, 1.0],
    ],
    ids=["whole pixels", "parts of pixels", "more than 64 bits hold", "too far apart for one key"],
)
def test_edges_of_any_kind(edges):
    keys = np.array([0, 0, 1, 0] * 2), np.array(edges * 2), np.array([1.0, 0.0] * 4)
    assert order_of_rows(*keys).tolist() == np.lexsort(keys[::-1]).tolist()
