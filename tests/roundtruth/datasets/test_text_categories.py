"""Frames whose texts are categories, one after the other."""

from __future__ import annotations

import pandas as pd
import pytest

from roundtruth.annotations import from_parquet, table, to_parquet
from roundtruth.datasets.tables import PART_LABELS
from roundtruth.datasets.text_categories import stacked

ROW = {"class_id": 1, "left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0}


def read(*jobs: str, **values: object) -> pd.DataFrame:
    rows = table([ROW | {"job": job} | values for job in jobs], PART_LABELS)
    return from_parquet(to_parquet(rows, PART_LABELS), PART_LABELS, name="part", categories=("job",))


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([], id="none"),
        pytest.param([read("a", "b")], id="one"),
        pytest.param([read("a", "b"), read("b", "c", votes=2)], id="categories of their own"),
        pytest.param([read("b"), read(), read("a").astype({"job": "str"})], id="an empty one, and texts"),
    ],
)
def test_they_are_those_of_concat_and_stay_categories(frames):
    plain = pd.concat(
        [table([], PART_LABELS), *(frame.astype({"job": "str"}) for frame in frames)], ignore_index=True
    )
    found = stacked(frames, PART_LABELS, ("job",))
    assert isinstance(found["job"].dtype, pd.CategoricalDtype)
    pd.testing.assert_frame_equal(
        found.astype({"job": "str"})[PART_LABELS.names], plain, check_dtype=len(frames) > 1
    )
    assert to_parquet(found, PART_LABELS) == to_parquet(plain, PART_LABELS)
