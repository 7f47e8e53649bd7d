"""Labels that come in pieces are measured, counted and settled as in one table."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest

from roundtruth.annotations import LABELS, table
from roundtruth.quality.label_pieces import measure_labels, settled_labels
from roundtruth.quality_settings import Quality
from tests.roundtruth.quality.rounds import image, label, tables

IMAGES = [
    image("a"),
    image("b", width=None),
    image("c", "disputed"),
    image("d", "negative"),
    image("e"),
    image("e"),  # listed twice, for the checks to find
]
LABELS_OF_IMAGES = [
    [label("a", (-0.5, 10, 20, 20)), label("a", (0, 10, 20, 20), "pencil"), label("a", (90, 10, 30, 5))],
    [label("b"), label("b")],
    [label("c", (-0.5, 10, 20, 20))],
    [label("e", category=None), label("e")],
    [label("nowhere")],
]


def in_pieces(cuts: list[int]) -> list[pd.DataFrame]:
    ends = [0, *cuts, len(LABELS_OF_IMAGES)]
    return [
        tables([], [one for of_image in LABELS_OF_IMAGES[start:stop] for one in of_image])[0]
        for start, stop in pairwise(ends)
    ]


@pytest.mark.parametrize("without", [frozenset(), {"s3://bucket/images/a"}], ids=["all", "without one"])
@pytest.mark.parametrize(
    "cuts", [[2], [1, 2, 3, 4], [0, 3], [5]], ids=["two", "an image each", "an empty first", "an empty last"]
)
def test_pieces_are_measured_as_one_table(cuts, without):
    _, images = tables(IMAGES, [])
    one, several = (
        measure_labels(lambda pieces=pieces: pieces, images, Quality(), without=without)
        for pieces in (in_pieces([]), in_pieces(cuts))
    )
    texts = {"source_ref": "str", "category": "str"}
    pd.testing.assert_frame_equal(one.frame.astype(texts), several.frame.astype(texts))
    assert several.boxes.tolist() == one.boxes.tolist() == [0 if without else 3, 2, 1, 0, 2, 2]
    assert several.clipped == one.clipped == (0 if without else 1)
    wanted = {"a", "b", "e", "nowhere"} - {name.rpartition("/")[2] for name in without}
    assert {name.rpartition("/")[2] for name in one.frame["source_ref"]} == wanted, (
        "a disputed one is not judged"
    )


@pytest.mark.parametrize("cuts", [[], [2], [1, 2, 3, 4]], ids=["one", "two", "an image each"])
def test_what_stays_is_clipped_where_it_is_judged(cuts):
    _, images = tables(IMAGES, [])
    pieces = in_pieces(cuts)
    settled = list(settled_labels(lambda: pieces, images, Quality(), without={"s3://bucket/images/b"}))
    assert len(settled) == len(pieces)
    found = pd.concat(settled, ignore_index=True)
    assert [name.rpartition("/")[2] for name in found["source_ref"]] == [*"aaa", "c", *"ee", "nowhere"]
    assert found["left"].tolist() == [0, 0, 90, -0.5, 10, 10, 10]
    assert found["width"].tolist() == [19.5, 20, 30, 20, 20, 20, 20]
    assert pd.concat(pieces)["left"].iloc[0] == -0.5, "the tables that came in are not changed"


def test_no_label_at_all():
    _, images = tables(IMAGES, [])
    measured = measure_labels(lambda: [table([], LABELS)], images, Quality(), without=frozenset())
    assert len(measured.frame) == measured.clipped == measured.boxes.sum() == 0
