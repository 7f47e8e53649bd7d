from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.quality.membership import is_among

texts = st.lists(
    st.none() | st.sampled_from(["", "a", "b", "s3://bucket/한글 #%.jpg", "\u200b"]), max_size=12
)


@given(values=texts, others=texts, as_series=st.booleans())
def test_as_sets_say(values, others, as_series):
    known = pd.Series(others, dtype="str") if as_series else others
    expected = [value is not None and value in others for value in values]
    assert is_among(pd.Series(values, dtype="str"), known).tolist() == expected
    assert is_among(pd.Series(values, dtype="object"), known).tolist() == expected
