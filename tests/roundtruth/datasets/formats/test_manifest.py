"""The augmented manifest: golden lines, and read back by the reader of Ground Truth's own files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.formats.manifest import decode_lines, encode_categories, encode_line
from roundtruth.errors import DatasetError
from roundtruth.ground_truth.label_categories import decode_label_categories
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage

NAMES = ("pencil", "pen", "설비 | #1")
GOLDEN = (
    '{"source-ref":"s3://bucket/a b/#1 두.jpg","roundtruth":{"image_size":'
    '[{"width":100,"height":80,"depth":3}],'
    '"annotations":[{"class_id":0,"left":50.5,"top":5,"width":40,"height":12.25},'
    '{"class_id":2,"left":10,"top":10,"width":20,"height":30}]},"roundtruth-metadata":{'
    '"class-map":{"0":"pencil","2":"설비 | #1"},"type":"groundtruth/object-detection",'
    '"human-annotated":"yes"}}\n'
)
NEGATIVE = (
    '{"source-ref":"s3://bucket/n.jpg","roundtruth":{"image_size":[{"width":1,"height":20000,"depth":3}],'
    '"annotations":[]},"roundtruth-metadata":{"class-map":{},"type":"groundtruth/object-detection",'
    '"human-annotated":"yes"}}\n'
)


def test_golden_lines() -> None:
    boxes = [PixelBox(2, 10.0, 10.0, 20.0, 30.0), PixelBox(0, 50.5, 5.0, 40.0, 12.25)]
    line = encode_line(boxes, NAMES, source_ref="s3://bucket/a b/#1 두.jpg", width=100, height=80)
    assert line.decode() == GOLDEN
    assert encode_line([], NAMES, source_ref="s3://bucket/n.jpg", width=1, height=20000).decode() == NEGATIVE
    assert decode_label_categories(encode_categories(NAMES), file="x") == NAMES


def test_the_reader_of_ground_truths_files_takes_it() -> None:
    lines = (GOLDEN + NEGATIVE).encode().splitlines()
    one, two = read_output_manifest(lines, file="output.manifest")
    assert isinstance(one, LabeledImage)
    assert isinstance(two, LabeledImage)
    assert (one.image_width, one.image_height, one.class_map) == (100, 80, {0: "pencil", 2: "설비 | #1"})
    assert (two.boxes, two.image_height, two.task) == ((), 20000, "object-detection")
    assert one.human_annotated


edge = st.floats(0, 20000, allow_nan=False).map(lambda value: round(value, 4))
pixel_boxes = st.lists(st.builds(PixelBox, st.integers(0, 2), edge, edge, edge, edge), max_size=20)


@given(st.lists(pixel_boxes, max_size=5))
def test_what_is_written_is_read_back_exactly(images: list[list[PixelBox]]) -> None:
    refs = [f"s3://bucket/{number}.jpg" for number in range(len(images))]
    data = b"".join(
        encode_line(boxes, NAMES, source_ref=ref, width=100, height=80)
        for ref, boxes in zip(refs, images, strict=True)
    )
    assert decode_lines(data, file="m") == {
        ref: tuple(sorted(boxes)) for ref, boxes in zip(refs, images, strict=True)
    }


@pytest.mark.parametrize(
    "line",
    [b'{"source-ref": "s3://b/k"}', b"{", json.dumps({"source-ref": "s3://b/k", "roundtruth": 1}).encode()],
)
def test_a_line_without_a_label_is_an_error(line: bytes) -> None:
    with pytest.raises(DatasetError, match="m:1"):
        decode_lines(line, file="m")
