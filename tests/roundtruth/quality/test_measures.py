from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.annotations import IMAGES, LABELS
from roundtruth.quality.measures import (
    BOX,
    category_measures,
    clip_slivers,
    column_measures,
    image_measures,
    label_measures,
)
from tests.roundtruth.quality.rounds import image, label, tables


def measured(labels, images):
    clipped, clipped_by = clip_slivers(labels, images, tolerance=1)
    return label_measures(clipped, images, clipped_by=clipped_by, duplicate_iou=0.9)


@pytest.mark.parametrize(
    ("box", "clipped", "clipped_by"),
    [
        pytest.param((10, 10, 20, 20), (10, 10, 20, 20), 0, id="inside"),
        pytest.param((0, 0, 100, 80), (0, 0, 100, 80), 0, id="exactly the image"),
        pytest.param((-1, 10, 20, 20), (0, 10, 19, 20), 1, id="left by the whole tolerance"),
        pytest.param((90, 70, 10.5, 10.25), (90, 70, 10, 10), 0.5, id="a corner"),
        pytest.param((-0.5, -0.5, 101, 81), (0, 0, 100, 80), 0.5, id="all around"),
        pytest.param((90, 10, 11.5, 5), (90, 10, 11.5, 5), 0, id="further: left as it is"),
        pytest.param((33.3, 10, 66.7000000001, 5), (33.3, 10, 66.7000000001, 5), 0, id="rounding noise"),
    ],
)
def test_slivers_are_clipped(box, clipped, clipped_by):
    labels, images = tables([image("a")], [label("a", box)])
    result, by = clip_slivers(labels, images, tolerance=1)
    assert result[BOX].iloc[0].tolist() == pytest.approx(clipped)
    assert by.tolist() == pytest.approx([clipped_by])
    assert labels[BOX].iloc[0].tolist() == list(box), "the table that came in is not changed"


@given(
    box=st.tuples(st.floats(-3, 103), st.floats(-3, 83), st.floats(0, 110), st.floats(0, 90)),
    tolerance=st.floats(0, 2),
)
def test_after_clipping_a_box_is_inside_or_sticks_out_by_more_than_the_tolerance(box, tolerance):
    labels, images = tables([image("a")], [label("a", box)])
    clipped, clipped_by = clip_slivers(labels, images, tolerance=tolerance)
    overhang = label_measures(clipped, images, clipped_by=clipped_by, duplicate_iou=0.9)["overhang_px"][0]
    assert overhang == 0 or overhang > tolerance


@pytest.mark.parametrize(
    ("box", "column", "value"),
    [
        pytest.param((-5, 10, 20, 20), "overhang_px", 5, id="out on the left"),
        pytest.param((90, 10, 20, 20), "overhang_px", 10, id="out on the right"),
        pytest.param((10, 10, 0, 20), "shorter_side_px", 0, id="no width"),
        pytest.param((10, 10, -3, 20), "shorter_side_px", -3, id="negative width"),
        pytest.param((10, 10, 2.5, 4), "area_px2", 10, id="area in pixels²"),
        pytest.param((10, 10, -5, -4), "area_px2", 0, id="no area of two negative sides"),
        pytest.param((10, 10, 60, 3), "aspect_ratio", 20, id="long and thin"),
        pytest.param((10, 10, 0, 20), "aspect_ratio", 1, id="no shape without an area"),
        pytest.param((0, 0, 100, 40), "image_share", 0.5, id="half of the image"),
    ],
)
def test_measures_of_a_label(box, column, value):
    labels, images = tables([image("a")], [label("a", box)])
    assert measured(labels, images)[column].tolist() == pytest.approx([value])


def test_of_two_copies_the_later_one_is_told():
    labels, images = tables(
        [image("a"), image("b")],
        [label("a"), label("b"), label("a"), label("a", category="pencil")],
    )
    found = measured(labels, images)
    assert found["same_class_iou"].tolist() == [0, 0, 1, 0]
    assert found["other_class_iou"].tolist() == [0, 0, 0, 1]


def test_an_image_of_unknown_size_is_judged_by_checks_of_its_own():
    labels, images = tables([image("a", width=None, height=None)], [label("a"), label("nowhere")])
    found = measured(labels, images)
    assert found["overhang_px"].tolist() == [0, 0]
    assert found["image_rows"].tolist() == [1, 0]


def test_a_missing_coordinate_is_never_inside():
    labels, images = tables([image("a")], [label("a", (None, 10, 20, 20))])
    assert np.isnan(measured(labels, images)["overhang_px"][0])


def test_measures_of_images():
    _, images = tables(
        [
            image("labeled"),
            image("labeled without a box"),
            image("negative", "negative"),
            image("negative with a box", "negative"),
            image("unreadable", "unreadable", width=None, height=None, etag=""),
            image("no size", width=None, height=None, etag=""),
            image("copy", "negative", etag="etag of labeled", orientation=6),
        ],
        [],
    )
    drawn = images[["source_ref", "width", "height"]].assign(width=[100, 90, 100, None, 100, 100, 100])
    found = image_measures(images, np.array([1, 0, 0, 1, 0, 1, 0.0]), drawn)
    assert found["contradicts"].tolist() == [0, 1, 0, 1, 0, 0, 0]
    assert found["unreadable"].tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert (found["smaller_side_px"] > 0).tolist() == [True, True, True, True, True, False, True]
    assert found["size_difference_px"].tolist() == [0, 10, 0, 0, 0, 0, 0]
    assert found["earlier_copies"].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert found["rotated"].tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_each_category_is_counted_also_one_without_boxes():
    labels, _ = tables([], [label("a"), label("a", category="pencil"), label("b")])
    found = category_measures(labels, ["pencil", "pen", "ruler"])
    assert dict(zip(found["category"], found["boxes"], strict=True)) == {"pencil": 1, "pen": 2, "ruler": 0}


def test_missing_columns_and_wrong_types_are_named():
    labels, images = tables([image("a")], [label("a")])
    broken = labels.drop(columns="score").assign(left=["far left"])
    found = column_measures([("labels", broken, LABELS), ("images", images, IMAGES)])
    wrong = found[found["fits"] == 0]
    assert wrong["column"].tolist() == ["left", "score"]
    assert wrong["problem"].iloc[0].startswith("is not double")
    assert wrong["problem"].iloc[1] == "is missing"
