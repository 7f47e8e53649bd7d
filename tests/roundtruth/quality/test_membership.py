"""Which texts are among others, where, and how often: the same for texts and for categories."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.quality.membership import is_among, places_among, rows_of_each

TEXTS = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "한글 😀", "", "a\u200b"])), max_size=12)


@given(values=TEXTS, others=TEXTS, kind=st.sampled_from(["str", "object", "category"]))
def test_it_is_what_isin_says_but_for_missing_values(values, others, kind):
    column = pd.Series(values, dtype="str").astype(kind)
    wanted = [value is not None and value in others for value in values]
    assert is_among(column, others).tolist() == wanted
    assert is_among(column, pd.Series(others, dtype="str")).tolist() == wanted
    assert is_among(column, set(others)).tolist() == wanted
    assert is_among(column, dict.fromkeys(others, 1)).tolist() == wanted


@given(values=TEXTS, others=TEXTS, kind=st.sampled_from(["str", "object", "category"]))
def test_places_are_the_first_ones(values, others, kind):
    wanted = [others.index(value) if value is not None and value in others else -1 for value in values]
    assert places_among(pd.Series(values, dtype="str").astype(kind), others).tolist() == wanted


@given(names=TEXTS, values=TEXTS, kind=st.sampled_from(["str", "object", "category"]))
def test_rows_are_counted_by_name(names, values, kind):
    column = pd.Series(values, dtype="str").astype(kind)
    wanted = [values.count(name) if name is not None else 0 for name in names]
    assert rows_of_each(pd.Series(names, dtype="str"), column).tolist() == wanted


def test_categories_that_no_row_has_count_for_nothing():
    column = pd.Series(["a", None], dtype=pd.CategoricalDtype(["b", "a"]))
    assert is_among(column, ["b"]).tolist() == [False, False]
    assert rows_of_each(pd.Series(["b", "a"]), column).tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["str", "category"])
def test_of_nothing_there_is_nothing(kind):
    nothing = pd.Series([], dtype="str").astype(kind)
    assert is_among(nothing, ["a"]).tolist() == []
    assert places_among(nothing, ["a"]).tolist() == []
    assert rows_of_each(pd.Series(["a"]), nothing).tolist() == [0]
