"""Each format gives back the boxes that went in, and refuses what it cannot read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.boxes import PixelBox, clean_boxes
from roundtruth.datasets.formats import csv, voc, yolo
from roundtruth.datasets.formats.coco import CocoDocument, decode_document
from roundtruth.errors import DatasetError

NAMES = ("pencil", 'p"e,n', "<연필 & 😀>")
sizes = st.integers(1, 20_000)


@st.composite
def images(draw: st.DrawFn) -> tuple[int, int, tuple[PixelBox, ...]]:
    width, height = draw(sizes), draw(sizes)
    place = st.floats(0, 1)
    shares = draw(st.lists(st.tuples(st.integers(0, 2), place, place, place, place), max_size=12))
    boxes = [PixelBox(one, x * width, y * height, w * width, h * height) for one, x, y, w, h in shares]
    return width, height, clean_boxes(boxes, width, height).boxes


def near(found: tuple[PixelBox, ...], expected: tuple[PixelBox, ...], tolerance: float) -> None:
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        assert one.class_id == two.class_id
        assert one[1:] == pytest.approx(two[1:], abs=tolerance)


@given(images())
def test_yolo(image: tuple[int, int, tuple[PixelBox, ...]]) -> None:
    width, height, boxes = image
    data = yolo.encode_labels(boxes, width, height)
    near(yolo.decode_labels(data, width, height, file="x.txt"), boxes, max(width, height) * 1.1e-6)


@given(images())
def test_voc(image: tuple[int, int, tuple[PixelBox, ...]]) -> None:
    width, height, boxes = image
    data = voc.encode_image(boxes, NAMES, file_name="x.jpg", folder="train", width=width, height=height)
    near(voc.decode_image(data, NAMES, file="x.xml"), boxes, 0.0011)


@given(images())
def test_coco(image: tuple[int, int, tuple[PixelBox, ...]]) -> None:
    width, height, boxes = image
    document = CocoDocument()
    document.add(boxes, file_name="x.jpg", width=width, height=height)
    document.add((), file_name="negative.jpg", width=1, height=1)
    names, found = decode_document(document.encode(NAMES), file="train.json")
    assert names == NAMES
    assert found == {"x.jpg": boxes, "negative.jpg": ()}


@given(images())
def test_csv(image: tuple[int, int, tuple[PixelBox, ...]]) -> None:
    width, height, boxes = image
    ref = 's3://bucket/사진, 1 "a".jpg'
    data = csv.HEADER + csv.encode_rows(boxes, NAMES, img_file=ref, width=width, height=height)
    assert csv.decode_rows(data, NAMES, file="annot.csv").get(ref, ()) == boxes


def test_golden_yolo() -> None:
    boxes = (PixelBox(1, 78, 187, 76, 119), PixelBox(0, 0, 0, 600, 600))
    assert yolo.encode_labels(boxes, 600, 600) == (
        b"0 0.500000 0.500000 1.000000 1.000000\n1 0.193333 0.410833 0.126667 0.198333\n"
    )
    assert yolo.encode_labels((), 600, 600) == b""


def test_golden_csv() -> None:
    row = csv.encode_rows(
        [PixelBox(0, 1, 2.5, 30, 40)], ("pen",), img_file="s3://b/a b.jpg", width=90, height=80
    )
    assert csv.HEADER + row == (
        b"img_file,category,box_left,box_top,box_height,box_width,img_width,img_height\n"
        b"s3://b/a b.jpg,pen,1,2.5,40,30,90,80\n"
    )


def test_golden_voc() -> None:
    data = voc.encode_image(
        [PixelBox(0, 0, 9, 10, 20.5)], ("pen & ink",), file_name="x.jpg", folder="val", width=90, height=80
    )
    assert b"<name>pen &amp; ink</name>" in data
    assert b"<xmin>1</xmin>\n      <ymin>10</ymin>\n      <xmax>10</xmax>\n      <ymax>29.5</ymax>" in data


def test_data_yaml_round_trip_with_names_that_yaml_would_misread() -> None:
    names = ("no", "1", "null", "설비: a", "yes # b", "😀")
    data = yolo.encode_data_yaml(names, ("train", "val"))
    assert yolo.decode_data_yaml(data, file="data.yaml") == (
        names,
        {"train": "images/train", "val": "images/val"},
    )


def test_data_yaml_always_has_train_and_val() -> None:
    assert yolo.decode_data_yaml(yolo.encode_data_yaml(("a",), ("train",)), file="x")[1] == {
        "train": "images/train",
        "val": "images/train",
    }


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0 0.5 0.5 0.1", "has 4 columns"),
        ("0 0.5 0.5 0.1 0.1 0.9", "has 6 columns"),
        ("pen 0.5 0.5 0.1 0.1", "is no number"),
        ("0.0 0.5 0.5 0.1 0.1", "is no number"),
    ],
)
def test_yolo_rows_that_are_refused(row: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=f"x.txt:2 .*{reason}"):
        yolo.decode_labels(f"0 0.5 0.5 0.1 0.1\n{row}\n".encode(), 10, 10, file="x.txt")


@pytest.mark.parametrize(
    ("decode", "data"),
    [
        pytest.param(
            lambda data: voc.decode_image(data, NAMES, file="x"), b"<annotation>", id="voc, cut off"
        ),
        pytest.param(
            lambda data: voc.decode_image(data, NAMES, file="x"),
            b"<annotation><object><name>pencil</name></object></annotation>",
            id="voc, no box",
        ),
        pytest.param(lambda data: decode_document(data, file="x"), b"[]", id="coco, no document"),
        pytest.param(
            lambda data: csv.decode_rows(data, NAMES, file="x"), b"a,b\n1,2\n", id="csv, other columns"
        ),
        pytest.param(lambda data: yolo.decode_data_yaml(data, file="x"), b"names: {1: a}", id="yaml, gap"),
        pytest.param(lambda data: yolo.decode_data_yaml(data, file="x"), b"{", id="yaml, broken"),
    ],
)
def test_files_that_are_refused(decode: object, data: bytes) -> None:
    with pytest.raises(DatasetError, match="x"):
        decode(data)  # type: ignore[operator]
