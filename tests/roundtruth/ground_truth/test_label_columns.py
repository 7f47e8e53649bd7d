from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roundtruth.ground_truth.label_columns import LabelColumns, read_label_columns
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, LineProblem
from tests.real_data import REAL, needs_real

BOX = {"class_id": 0, "left": 1, "top": 2.5, "width": 30, "height": 40}


def line(ref: str = "s3://b/1.jpg", attribute: str = "boxes", **change: Any) -> dict[str, Any]:
    label = {"image_size": [{"width": 100, "height": 80, "depth": 3}], "annotations": [BOX]}
    metadata = {
        "objects": [{"confidence": 0.09}],
        "class-map": {"0": "pen"},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2026-01-05T08:00:00.000000",
        "job-name": "labeling-job/job-a",
    }
    content = {"source-ref": ref, attribute: label, f"{attribute}-metadata": metadata}
    content[attribute] = label | change.pop("label", {})
    content[f"{attribute}-metadata"] = metadata | change.pop("metadata", {})
    return content | change


def encode(content: Any) -> bytes:
    return json.dumps(content).encode() if not isinstance(content, bytes) else content


def as_records(columns: LabelColumns) -> list[tuple[Any, ...]]:
    """What columns and records both tell of the lines, in order."""
    found: list[tuple[Any, ...]] = [(one.line_number, str(one.kind), one.reason) for one in columns.problems]
    start = 0
    for place, count in enumerate(columns.counts.tolist()):
        own = slice(start, start + count)
        boxes = zip(columns.class_ids[own].tolist(), columns.edges[own].tolist(), strict=True)
        found.append(
            (
                int(columns.numbers[place]),
                columns.source_refs[place],
                columns.jobs[place],
                columns.created[place],
                int(columns.widths[place]),
                int(columns.heights[place]),
                [(class_id, *edges) for class_id, edges in boxes],
            )
        )
        start += count
    return sorted(found, key=lambda row: row[0])


def record(one: LabeledImage | LineProblem) -> tuple[Any, ...]:
    if isinstance(one, LineProblem):
        return (one.line_number, str(one.kind), one.reason)
    boxes = [(box.class_id, box.left, box.top, box.width, box.height) for box in one.boxes]
    size = (one.image_width, one.image_height)
    return (one.line_number, one.source_ref, one.job_name, one.creation_date, *size, boxes)


SECOND = line(attribute="adjusted", metadata={"creation-date": "2026-03-05T08:00:00.000000"})
LINES = {
    "plain": line(),
    "negative": line(label={"annotations": []}, metadata={"class-map": {}, "objects": []}),
    "other key of the input": line(id=7),
    "other metadata of the input": line(**{"note-metadata": {"x": 1}}),
    "a second, newer label": line() | SECOND,
    "numbers as text": line(label={"annotations": [BOX | {"class_id": "0", "left": "1"}]}),
    "JavaScript's date": line(metadata={"creation-date": "Thu Jan 09 2020 10:11:12 GMT+0100 (CET)"}),
    "failed": line(metadata={"failure-reason": "nobody answered"}),
    "failed without a label": {"source-ref": "s3://b/1.jpg", "boxes-metadata": {"failure-reason": "x"}},
    "no label yet": {"source-ref": "s3://b/1.jpg"},
    "not JSON": b'{"source-ref": "s3://b',
    "not UTF-8": b'{"source-ref": "s3://b/\xff.jpg"}',
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(line()).encode(),
    "empty source-ref": line(""),
    "no image_size": line(label={"image_size": []}),
    "a place that is null": line(label={"annotations": [BOX | {"left": None}]}),
    "a confidence that is text": line(metadata={"objects": [{"confidence": "much"}]}),
    "another task": line(metadata={"type": "groundtruth/semantic-segmentation"}),
    "a number over 1e308": encode(line()).replace(b"2.5", b"1e999"),
    "class map keys with spaces": line(metadata={"class-map": {" 0": "pen"}}),
}


@pytest.mark.parametrize("content", LINES.values(), ids=LINES.keys())
@pytest.mark.parametrize("attribute", [None, "boxes"])
def test_a_line_gives_what_the_reader_of_single_lines_gives(content: Any, attribute: str | None) -> None:
    # Plain lines before it, so that the struct for them is tried on it, and one behind it.
    lines = [encode(one) for one in (line("s3://b/a"), line("s3://b/b"), content, line("s3://b/c"))]
    columns = read_label_columns(lines, file="m", label_attribute=attribute)
    records = list(read_output_manifest(lines, file="m", label_attribute=attribute))
    assert as_records(columns) == [record(one) for one in records]


def test_lines_of_another_shape_are_fast_too_and_the_first_names_stay() -> None:
    lines = [encode(line(f"s3://b/{number}", id=number)) for number in range(3)]
    lines.append(encode(line("s3://b/4", id=4, metadata={"class-map": {"0": "pen "}})))
    columns = read_label_columns(lines, file="m", first_line=11)
    assert columns.numbers.tolist() == [11, 12, 13, 14]
    assert columns.names == {"job-a": {(0, "pen"): 11, (0, "pen "): 14}}


@pytest.mark.parametrize(
    ("size", "other_names", "problem"),
    [
        pytest.param({}, {}, "class-map does not name class 0", id="no name"),
        pytest.param({}, {0: "pencil"}, "", id="name from elsewhere"),
        pytest.param(
            {"image_size": [{"width": 0, "height": 8}]}, {0: "pencil"}, "image_size is 0", id="no size"
        ),
    ],
)
def test_lines_that_a_conversion_cannot_use(size: Any, other_names: dict[int, str], problem: str) -> None:
    content = line(metadata={"class-map": {}}, label=size)
    columns = read_label_columns([encode(content)], file="m", other_names=other_names)
    assert [one.reason.startswith(problem) for one in columns.problems] == ([True] if problem else [])
    assert len(columns.digests) == 1


def test_a_class_id_over_64_bits_is_a_problem_of_its_line_alone() -> None:
    huge = line(
        "s3://b/2",
        label={"annotations": [BOX | {"class_id": 2**70}]},
        metadata={"class-map": {str(2**70): "pen"}},
    )
    columns = read_label_columns([encode(line()), encode(huge), encode(line("s3://b/3"))], file="m")
    assert columns.numbers.tolist() == [1, 3]
    assert [(one.line_number, str(one.kind)) for one in columns.problems] == [(2, "broken")]


@needs_real
@pytest.mark.real
@pytest.mark.parametrize("path", sorted(REAL.rglob("output.manifest")), ids=lambda path: path.parent.name)
def test_real_manifests(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    columns = read_label_columns(lines, file="m")
    records = [record(one) for one in read_output_manifest(lines, file="m")]
    refused = {one.line_number for one in columns.problems}
    usable = [row for row in records if row[0] not in refused]
    assert [row for row in as_records(columns) if row[0] not in refused] == usable
    assert len(refused) + len(usable) == len(lines)
