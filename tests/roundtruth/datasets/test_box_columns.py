from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.datasets.box_columns import BoxColumns, clean_columns
from roundtruth.datasets.boxes import PixelBox, clean_boxes
from roundtruth.datasets.formats import yolo
from roundtruth.datasets.formats.yolo_columns import encode_rows, millionths

SIZES = st.sampled_from([(640, 480), (1280, 960), (100, 80), (4032, 3024), (333, 777), (1, 1)])
SIDE = st.one_of(st.integers(-5, 700), st.floats(-5, 700, allow_nan=False, width=32), st.integers(0, 3))
BOX = st.tuples(st.integers(0, 3), SIDE, SIDE, SIDE, SIDE)
IMAGE = st.tuples(SIZES, st.lists(BOX, max_size=6))


@settings(deadline=None)
@given(st.lists(IMAGE, max_size=5))
def test_many_images_at_once_are_cleaned_and_written_as_one_by_one(
    images: list[tuple[tuple[int, int], list[tuple[int, float, float, float, float]]]],
) -> None:
    rows = [box for _, boxes in images for box in boxes]
    clean = clean_columns(
        BoxColumns(
            counts=np.array([len(boxes) for _, boxes in images], dtype=np.int64),
            widths=np.array([size[0] for size, _ in images], dtype=np.int64),
            heights=np.array([size[1] for size, _ in images], dtype=np.int64),
            class_ids=np.array([row[0] for row in rows], dtype=np.int64),
            edges=np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 4),
        )
    )
    expected = [
        clean_boxes((PixelBox(row[0], *map(float, row[1:])) for row in boxes), *size)
        for size, boxes in images
    ]
    assert [tuple(clean.boxes_of(number)) for number in range(len(images))] == [one.boxes for one in expected]
    assert (clean.clipped, clean.outside, clean.duplicates) == tuple(
        sum(getattr(one, name) for one in expected) for name in ("clipped", "outside", "duplicates")
    )
    text, begins = encode_rows(clean.class_ids, clean.shares)
    assert text == b"".join(
        yolo.encode_labels(one.boxes, *size) for one, (size, _) in zip(expected, images, strict=True)
    )
    assert begins[-1] == len(text)


@given(
    st.lists(
        st.one_of(
            st.floats(0, 1),
            st.builds(
                lambda k, n: k / n, st.integers(0, 5000), st.sampled_from([1280, 2560, 640, 20000, 4096])
            ),
        )
    )
)
def test_millionths_round_as_python_does(values: list[float]) -> None:
    assert millionths(np.array(values)).tolist() == [round(round(value, 6) * 1e6) for value in values]


@pytest.mark.parametrize("highest", [0, 9, 10, 99, 100, 999, 1000, 123456])
def test_class_ids_of_any_length(highest: int) -> None:
    class_ids = np.array([0, highest, highest // 2, highest], dtype=np.int64)
    text, begins = encode_rows(class_ids, np.array([[1, 20, 300000, 1_000_000]] * 4))
    rows = [b"%d 0.000001 0.000020 0.300000 1.000000\n" % one for one in class_ids.tolist()]
    assert [text[start:end] for start, end in pairwise(begins)] == rows
