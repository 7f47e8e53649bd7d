from __future__ import annotations

import json
from typing import Any

import pytest

from roundtruth.ground_truth.line_labels import LineLabel, read_line_labels
from tests.finished_jobs import failure, label


def labels(*rows: dict[str, Any] | bytes) -> list[tuple[int, tuple[LineLabel, ...]]]:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    return list(read_line_labels(lines))


def of(
    attribute: str, job_name: str = "", task: str = "object-detection", *, adjusts: bool = False
) -> LineLabel:
    return LineLabel(attribute=attribute, job_name=job_name, task=task, adjusts=adjusts)


def test_a_chained_line_carries_all_its_labels() -> None:
    row = {"source-ref": "s3://b/a.jpg", "page": 3}
    row |= label("boxes", "Base", [("pen", 1, 2, 3, 4)])
    row |= label("better", "fix", [], **{"adjustment-status": "unadjusted"})
    assert labels(row) == [(1, (of("boxes", "Base"), of("better", "fix", adjusts=True)))]


def test_a_failed_row_is_of_its_job() -> None:
    assert labels({"source-ref": "s3://b/a.jpg"} | failure("boxes", "base")) == [(1, (of("boxes", "base"),))]
    assert labels({"boxes-metadata": {"failure-reason": "no"}}) == [(1, (of("boxes", task=""),))]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(
            {"type": "groundtruth/image-classification", "job-name": 7}, id="job-name that is no text"
        ),
        pytest.param({"type": "groundtruth/image-classification"}, id="no job-name"),
    ],
)
def test_names_that_nobody_wrote(metadata: dict[str, Any]) -> None:
    assert labels({"kind-metadata": metadata}) == [(1, (of("kind", task="image-classification"),))]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(b"not json", id="not json"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"[1]", id="no object"),
        pytest.param({"camera-metadata": {"type": "dslr"}}, id="metadata of somebody else"),
        pytest.param({"camera-metadata": "text"}, id="metadata that is text"),
        pytest.param({"source-ref": "s3://b/a.jpg"}, id="not labeled"),
    ],
)
def test_lines_without_a_label(row: dict[str, Any] | bytes) -> None:
    assert labels(row) == [(1, ())]


def test_blank_lines_count_and_hold_nothing() -> None:
    assert [number for number, _ in labels(b"", b"\xef\xbb\xbf{}", b" \n", {})] == [2, 4]
