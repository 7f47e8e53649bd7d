from __future__ import annotations

import pandas as pd
import pytest

from roundtruth.annotations import LABELS, ROUND_LABELS, table, to_parquet
from roundtruth.consensus.ground_truth_boxes import beside_ground_truth, beside_none, only_ground_truth

COLUMNS = ["ground_truth_category", "ground_truth_left", "ground_truth_iou"]


def boxes(*rows):
    return table(
        [
            {"source_ref": ref, "job": job, "category": category, "left": left, "top": 0.0}
            | {"width": 10.0, "height": 10.0, "score": 1.0}
            for ref, job, category, left in rows
        ],
        LABELS,
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "beside", "only"),
    [
        pytest.param(
            [("a", "j1", "pen", 0.0)],
            [("a", "j1", "pen", 1.0)],
            [("pen", 1.0, 9 / 11)],
            [],
            id="moved a little",
        ),
        pytest.param(
            [("a", "j1", "pen", 0.0)],
            [("a", "j1", "cap", 0.0)],
            [("cap", 0.0, 1.0)],
            [],
            id="another category",
        ),
        pytest.param(
            [("a", "j1", "pen", 0.0)],
            [("a", "j1", "cap", 0.0), ("a", "j1", "pen", 0.2)],
            [("pen", 0.2, 9.8 / 10.2)],
            ["cap"],
            id="the same category goes first",
        ),
        pytest.param(
            [("a", "j1", "pen", 0.0), ("a", "j1", "pen", 2.0)],
            [("a", "j1", "pen", 1.0)],
            [("pen", 1.0, 9 / 11), (None, None, None)],
            [],
            id="one to one",
        ),
        pytest.param(
            [("a", "j1", "pen", 0.0)],
            [("a", "j1", "pen", 7.0), ("b", "j1", "pen", 0.0), ("a", "j2", "ink", 0.0)],
            [(None, None, None)],
            ["pen", "ink", "pen"],
            id="too far, another image, another job",
        ),
        pytest.param([], [("a", "j1", "pen", 0.0)], [], ["pen"], id="we have none"),
        pytest.param([("a", "j1", "pen", 0.0)], [], [(None, None, None)], [], id="they have none"),
    ],
)
def test_beside(ours, theirs, beside, only):
    labels, consolidated = boxes(*ours), boxes(*theirs)
    found, left_over = beside_ground_truth(labels, consolidated, min_iou=0.4)
    assert beside_none(labels, consolidated, min_iou=0.4).tolist() == left_over.tolist()
    shown = [
        tuple(None if pd.isna(value) else value for value in row)
        for row in found[COLUMNS].itertuples(index=False, name=None)
    ]
    assert [row[:2] for row in shown] == [row[:2] for row in beside]
    assert [row[2] for row in shown] == pytest.approx([row[2] for row in beside])
    assert [entry["category"] for entry in only_ground_truth(consolidated, left_over)] == only
    pd.testing.assert_frame_equal(found[LABELS.names], labels)
    to_parquet(found, ROUND_LABELS)


def test_only_ground_truth_is_sorted_by_image_job_and_place():
    consolidated = boxes(("b", "j1", "pen", 5.0), ("a", "j2", "pen", 9.0), ("a", "j1", "cap", 3.0))
    _, only = beside_ground_truth(boxes(), consolidated, min_iou=0.4)
    listed = only_ground_truth(consolidated, only)
    assert [(entry["source_ref"], entry["job"]) for entry in listed] == [
        ("a", "j1"),
        ("a", "j2"),
        ("b", "j1"),
    ]
    assert listed[0] == {
        "source_ref": "a", "job": "j1", "category": "cap",
        "left": 3.0, "top": 0.0, "width": 10.0, "height": 10.0,
    }  # fmt: skip
