from __future__ import annotations

import pyarrow as pa
import pytest

from roundtruth.annotations import (
    GROUND_TRUTH_COLUMNS,
    IMAGES,
    LABELS,
    ROUND_LABELS,
    annot_csv,
    from_parquet,
    table,
    to_parquet,
)
from roundtruth.errors import RoundtruthError


def test_tables_keep_their_types_and_bytes() -> None:
    rows: list[dict[str, object]] = [
        {"source_ref": "s3://b/1", "width": 3, "status": "labeled"},
        {"source_ref": "s3://b/2"},
    ]
    frame = table(rows, IMAGES)
    assert list(frame.columns) == IMAGES.names
    data = to_parquet(frame, IMAGES)
    assert to_parquet(frame, IMAGES) == data
    again = from_parquet(data, IMAGES, name="images")
    assert to_parquet(again, IMAGES) == data
    assert again["width"].isna().tolist() == [False, True]
    assert to_parquet(frame.assign(more=1)[[*reversed(IMAGES.names), "more"]], IMAGES) == data


def test_labels_of_earlier_rounds_read_without_the_boxes_of_ground_truth() -> None:
    label: dict[str, object] = {"source_ref": "s3://b/1", "category": "pen", "left": 1.0, "votes": 3}
    old = to_parquet(table([label], LABELS), LABELS)
    again = from_parquet(old, ROUND_LABELS, name="labels")
    assert list(again.columns) == ROUND_LABELS.names
    assert again[GROUND_TRUTH_COLUMNS.names].isna().all().all()
    # And a new table reads as one of labels alone.
    new = to_parquet(again.assign(ground_truth_category="pencil", ground_truth_iou=0.7), ROUND_LABELS)
    assert to_parquet(from_parquet(new, LABELS, name="labels"), LABELS) == old


def test_table_that_does_not_fit() -> None:
    frame = table([{"source_ref": "a"}], IMAGES)
    with pytest.raises(RoundtruthError, match="lacks the columns status"):
        to_parquet(frame.drop(columns="status"), IMAGES)
    with pytest.raises(RoundtruthError, match="does not fit its schema"):
        to_parquet(frame.assign(width="wide"), IMAGES)
    with pytest.raises(RoundtruthError, match="x is not a Parquet file"):
        from_parquet(b"hello", IMAGES, name="x")
    with pytest.raises(RoundtruthError, match=r"x lacks the columns .*etag"):
        from_parquet(to_parquet(frame, pa.schema([IMAGES.field("source_ref")])), IMAGES, name="x")


def test_annot_csv() -> None:
    box = {"left": 1.5, "top": 2.0, "width": 3.0, "height": 4.0}
    labels = table(
        [
            {"source_ref": "s3://b/a, b.jpg", "category": "펜", **box},
            {"source_ref": "s3://b/2.jpg", "category": "pencil", **box},
        ],
        LABELS,
    )
    images = table(
        [
            {"source_ref": "s3://b/a, b.jpg", "width": 640, "height": 480},
            {"source_ref": "s3://b/2.jpg", "width": 320, "height": 240},
            {"source_ref": "s3://b/negative.jpg", "width": 320, "height": 240},
        ],
        IMAGES,
    )
    assert annot_csv(labels, images).decode() == (
        "img_file,category,box_left,box_top,box_height,box_width,img_width,img_height\n"
        '"s3://b/a, b.jpg",펜,1.5,2.0,4.0,3.0,640,480\n'
        "s3://b/2.jpg,pencil,1.5,2.0,4.0,3.0,320,240\n"
    )
    beside = labels.assign(**dict.fromkeys(GROUND_TRUTH_COLUMNS.names, 0.5))
    beside["ground_truth_category"] = "pen"
    lines = annot_csv(beside, images).decode().splitlines()
    assert lines[0].endswith(f",img_height,{','.join(GROUND_TRUTH_COLUMNS.names)}")
    assert lines[2] == "s3://b/2.jpg,pencil,1.5,2.0,4.0,3.0,320,240,pen,0.5,0.5,0.5,0.5,0.5"
