from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import Box, LabeledImage, LineProblem, ProblemKind
from tests.real_data import REAL, needs_real


def read(
    *lines: bytes | dict[str, Any], label_attribute: str | None = None
) -> list[LabeledImage | LineProblem]:
    content = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    return list(read_output_manifest(content, file="m", label_attribute=label_attribute))


def metadata(**changes: Any) -> dict[str, Any]:
    """The metadata of a box label: one dog."""
    content = {
        "objects": [{"confidence": 0.09}],
        "class-map": {"0": "dog"},
        "type": "groundtruth/object-detection",
        "human-annotated": "yes",
        "creation-date": "2026-01-02T03:04:05.678901",
        "job-name": "labeling-job/dogs",
    }
    return content | {key.replace("_", "-"): value for key, value in changes.items()}


def label(*boxes: dict[str, Any]) -> dict[str, Any]:
    return {
        "image_size": [{"width": 640, "height": 480, "depth": 3}],
        "annotations": list(boxes or [{"class_id": 0, "left": 1, "top": 2, "width": 3, "height": 4}]),
    }


def line(name: str = "boxes", /, **changes: Any) -> dict[str, Any]:
    return {"source-ref": "s3://b/1.jpg", name: label(), f"{name}-metadata": metadata(**changes)}


def without(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}


# --- real files ---


@needs_real
@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "images", "boxes", "negatives"),
    [
        ("cigars/output.manifest", 32, 54, 9),
        ("birds-5-workers/output.manifest", 100, 192, None),
        ("forms-two-jobs/job-1/output.manifest", 50, 600, None),
        ("forms-two-jobs/job-2/output.manifest", 50, 508, None),
    ],
)
def test_real_box_manifests(file: str, images: int, boxes: int, negatives: int | None) -> None:
    path = next(REAL.glob(file))
    records = list(read_output_manifest(path.open("rb"), file=file))
    assert not [record for record in records if isinstance(record, LineProblem)]
    labeled = [record for record in records if isinstance(record, LabeledImage)]
    assert len(labeled) == images
    assert sum(len(record.boxes) for record in labeled) == boxes
    if negatives is not None:
        assert sum(not record.boxes for record in labeled) == negatives
    for record in labeled:
        assert record.task == "object-detection"
        assert {box.class_id for box in record.boxes} == set(record.class_map)
        assert record.image_width is not None
        assert record.image_height is not None
        for box in record.boxes:
            assert box.left + box.width <= record.image_width
            assert box.top + box.height <= record.image_height
            assert box.confidence is not None


@needs_real
@pytest.mark.real
def test_real_birds_have_fractional_boxes() -> None:
    path = REAL / "birds-5-workers/output.manifest"
    records = list(read_output_manifest(path.open("rb"), file=str(path)))
    boxes = [box for record in records if isinstance(record, LabeledImage) for box in record.boxes]
    assert sum(box.left != int(box.left) for box in boxes) > 50
    confidences = [box.confidence for box in boxes if box.confidence is not None]
    assert (min(confidences), max(confidences)) == (0.05, 0.97)


@needs_real
@pytest.mark.real
def test_real_classes() -> None:
    path = next(REAL.glob("bird-classes-5-workers/manifests/**/output.manifest"))
    records = list(read_output_manifest(path.open("rb"), file=str(path)))
    labeled = [record for record in records if isinstance(record, LabeledImage)]
    assert len(labeled) == len(records) == 302
    assert {record.task for record in labeled} == {"image-classification"}
    assert all(
        len(record.classes) == 1 and set(record.class_map) == {record.classes[0][0]} for record in labeled
    )


# --- lines ---


def test_a_line() -> None:
    assert read(line()) == [
        LabeledImage(
            line_number=1,
            source_ref="s3://b/1.jpg",
            label_attribute="boxes",
            job_name="dogs",
            task="object-detection",
            image_width=640,
            image_height=480,
            boxes=(Box(class_id=0, left=1, top=2, width=3, height=4, confidence=0.09),),
            class_map={0: "dog"},
            human_annotated=True,
            creation_date="2026-01-02T03:04:05.678901",
        )
    ]


KINDS = ProblemKind
BROKEN_LINES: list[tuple[str, bytes | dict[str, Any], ProblemKind, str]] = [
    ("not JSON", b'{"source-ref": ', KINDS.BROKEN, "is not a JSON object"),
    ("text", b"hello", KINDS.BROKEN, "is not a JSON object"),
    ("a list", b"[1, 2]", KINDS.BROKEN, "is not a JSON object"),
    ("two objects", b"{}{}", KINDS.BROKEN, "is not a JSON object"),
    ("nothing in it", b"{}", KINDS.BROKEN, "has no source-ref"),
    ("no source-ref", without(line(), "source-ref"), KINDS.BROKEN, "has no source-ref"),
    ("empty source-ref", line() | {"source-ref": ""}, KINDS.BROKEN, "source-ref is empty"),
    ("source-ref of a number", line() | {"source-ref": 7}, KINDS.BROKEN, "source-ref is not text"),
    ("text to label", {"source": "hello"}, KINDS.UNSUPPORTED, "holds text (source)"),
    ("nothing but the image", {"source-ref": "s3://b/1.jpg"}, KINDS.UNLABELED, "no label attribute"),
    ("no label", without(line(), "boxes"), KINDS.UNLABELED, "has boxes-metadata but no boxes"),
    ("no metadata", without(line(), "boxes-metadata"), KINDS.UNLABELED, "no label attribute"),
    ("failed", line(failure_reason="timed out"), KINDS.FAILED, "boxes failed: timed out"),
    ("failed without a label", without(line(failure_reason="x"), "boxes"), KINDS.FAILED, "boxes failed: x"),
    (
        "failed without a type",
        {"source-ref": "s3://b/1.jpg", "boxes-metadata": {"failure-reason": "Image not found"}},
        KINDS.FAILED,
        "Image not found",
    ),
    ("no image size", line() | {"boxes": {"annotations": []}}, KINDS.BROKEN, "image_size"),
    ("an empty image size", line() | {"boxes": label() | {"image_size": []}}, KINDS.BROKEN, "no image_size"),
    ("no annotations", line() | {"boxes": without(label(), "annotations")}, KINDS.BROKEN, "annotations"),
    ("a box without height", line() | {"boxes": label({"class_id": 0, "left": 1})}, KINDS.BROKEN, "top"),
    ("a class map by name", line(class_map={"dog": "dog"}), KINDS.BROKEN, "class-map has a key"),
    ("a class map of numbers", line(class_map={"0": 1}), KINDS.BROKEN, "boxes-metadata: "),
    ("NaN", json.dumps(line()).replace('"left": 1', '"left": NaN').encode(), KINDS.BROKEN, "not a JSON"),
    ("Infinity", json.dumps(line()).replace('"left": 1', '"left": Infinity').encode(), KINDS.BROKEN, "JSON"),
    ("too large", json.dumps(line()).replace('"left": 1', '"left": 1e999').encode(), KINDS.BROKEN, "boxes"),
    ("not UTF-8", json.dumps(line()).encode().replace(b"1.jpg", b"\xff.jpg"), KINDS.BROKEN, "source-ref"),
    ("class not UTF-8", json.dumps(line()).encode().replace(b"dog", b"\xff"), KINDS.BROKEN, "boxes-metadata"),
    (
        "segmentation",
        {
            "source-ref": "s3://b/1.jpg",
            "mask-ref": "s3://b/1.png",
            "mask-ref-metadata": {"type": "groundtruth/semantic-segmentation"},
        },
        KINDS.UNSUPPORTED,
        "only groundtruth/semantic-segmentation",
    ),
]


@pytest.mark.parametrize(
    ("content", "kind", "reason"), [row[1:] for row in BROKEN_LINES], ids=[row[0] for row in BROKEN_LINES]
)
def test_a_line_that_gives_no_label(content: bytes | dict[str, Any], kind: ProblemKind, reason: str) -> None:
    other = line() | {"source-ref": "s3://b/2.jpg"}
    problem, good = read(content, other)
    assert isinstance(problem, LineProblem)
    assert (problem.file, problem.line_number, problem.kind) == ("m", 1, kind)
    assert reason in problem.reason
    assert str(problem).startswith("m:1")
    assert isinstance(good, LabeledImage)
    assert good.line_number == 2


def test_the_same_image_again_is_a_duplicate() -> None:
    first, second = read(line(), line())
    assert isinstance(first, LabeledImage)
    assert isinstance(second, LineProblem)
    assert second.kind is ProblemKind.DUPLICATE
    assert "line 1 has the same source-ref" in str(second)
    assert second.source_ref == "s3://b/1.jpg"


def test_odd_but_usable_lines() -> None:
    text = json.dumps(line()).encode()
    refs = [f"s3://b/{number}.jpg".encode() for number in range(4)]
    lines = [text.replace(b"s3://b/1.jpg", ref) for ref in refs]
    found = read(
        b"\xef\xbb\xbf" + lines[0] + b"\r\n", b"\n", b"  \r\n", lines[1] + b"\n", b"\t" + lines[2], b""
    )
    assert [(one.line_number, one.source_ref) for one in found if isinstance(one, LabeledImage)] == [
        (1, "s3://b/0.jpg"),
        (4, "s3://b/1.jpg"),
        (5, "s3://b/2.jpg"),
    ]


def test_numbers_as_text_floats_and_missing_confidences() -> None:
    boxes = [
        {"class_id": "7", "left": 1.5, "top": 95.39999999999998, "width": "3", "height": 4.0},
        {"class_id": 2, "left": 0, "top": 0, "width": 1, "height": 1},
    ]
    (found,) = read(
        line(class_map={"7": "설비 ", "2": "x"}, objects=[{"confidence": "0.5"}]) | {"boxes": label(*boxes)}
    )
    assert isinstance(found, LabeledImage)
    assert found.boxes == (
        Box(class_id=7, left=1.5, top=95.39999999999998, width=3, height=4, confidence=0.5),
        Box(class_id=2, left=0, top=0, width=1, height=1, confidence=None),
    )
    assert found.class_map == {7: "설비 ", 2: "x"}


def test_zero_boxes_are_a_negative_and_extra_keys_do_not_matter() -> None:
    content = line(objects=[], class_map={}) | {"boxes": label() | {"annotations": []}}
    extra = {"page": 3, "camera-metadata": "left, 35 mm", "tags": {"a": [1]}, "note-metadata": {"by": "me"}}
    (found,) = read(extra | content)
    assert isinstance(found, LabeledImage)
    assert found.boxes == ()
    assert found.label_attribute == "boxes"


def test_a_huge_line() -> None:
    boxes = [{"class_id": 0, "left": n, "top": 0, "width": 1, "height": 1} for n in range(20_000)]
    (found,) = read(line() | {"boxes": label(*boxes)})
    assert isinstance(found, LabeledImage)
    assert len(found.boxes) == 20_000


OLD, NEW = "2026-01-01T10:00:00.000000", "2026-01-01T12:00:00.000000"


@pytest.mark.parametrize(
    ("first", "second", "newest"),
    [
        pytest.param(OLD, NEW, "second", id="later"),
        pytest.param(NEW, OLD, "first", id="earlier"),
        pytest.param(OLD, OLD, "second", id="equal: the later on the line"),
        pytest.param(OLD, "2026-01-01T12:00:00Z", "second", id="Z"),
        pytest.param("2026-01-01T12:00:00+0000", OLD, "first", id="+0000"),
        pytest.param("2026-01-01T11:00:00", "2026-01-01T12:00:00+02:00", "first", id="another zone"),
        pytest.param(
            "Thu Jan 01 2026 12:00:00 GMT+0000 (Coordinated Universal Time)", OLD, "first", id="JavaScript"
        ),
        pytest.param(OLD, "Thu Jan 01 2026 12:00:00 GMT+0300 (MSK)", "first", id="JavaScript in a zone"),
        pytest.param(OLD, "yesterday", "first", id="no date"),
        pytest.param("", OLD, "second", id="empty"),
    ],
)
def test_the_newest_of_two_attributes_counts(first: str, second: str, newest: str) -> None:
    base = line("first", creation_date=first)
    adjusted = line("second", creation_date=second, adjustment_status="adjusted")
    (found,) = read(base | adjusted)
    assert isinstance(found, LabeledImage)
    assert found.label_attribute == newest


def test_named_attribute_counts_alone() -> None:
    content = line("base", creation_date=OLD) | line("adjusted", creation_date=NEW)
    (found,) = read(content, label_attribute="base")
    assert isinstance(found, LabeledImage)
    assert found.label_attribute == "base"
    (missing,) = read(content, label_attribute="other")
    assert isinstance(missing, LineProblem)
    assert (missing.kind, missing.reason) == (ProblemKind.UNLABELED, "has no other")
    (missing,) = read(without(content, "base-metadata"), label_attribute="base")
    assert isinstance(missing, LineProblem)
    assert missing.reason == "has no base-metadata"


def test_boxes_count_before_a_verification_of_them() -> None:
    content = line("boxes", creation_date=OLD) | {
        "audit": "1",
        "audit-metadata": {
            "type": "groundtruth/label-verification",
            "class-name": "bad",
            "creation-date": NEW,
        },
    }
    (found,) = read(content)
    assert isinstance(found, LabeledImage)
    assert found.label_attribute == "boxes"
    (problem,) = read(content, label_attribute="audit")
    assert isinstance(problem, LineProblem)
    assert problem.kind is ProblemKind.UNSUPPORTED
    assert "groundtruth/label-verification" in problem.reason


@pytest.mark.parametrize(
    ("value", "extra", "expected"),
    [
        (3, {"class-name": "robin", "confidence": 0.8}, ((3, 0.8),)),
        ("0", {"class-name": "robin", "confidence": 0.8}, ((0, 0.8),)),
        (
            [1, 0],
            {"class-map": {"0": "a", "1": "b"}, "confidence-map": {"0": 0.6, "1": 0.9}},
            ((1, 0.9), (0, 0.6)),
        ),
        ([], {"class-map": {}, "confidence-map": {}}, ()),
    ],
)
def test_classes(value: object, extra: dict[str, Any], expected: tuple[tuple[int, float], ...]) -> None:
    kind = "image-classification-multilabel" if isinstance(value, list) else "image-classification"
    content = {
        "source-ref": "s3://b/1",
        "bird": value,
        "bird-metadata": {"type": f"groundtruth/{kind}", **extra},
    }
    (found,) = read(content)
    assert isinstance(found, LabeledImage)
    assert found.classes == expected
    assert found.boxes == ()
    assert set(found.class_map) == {class_id for class_id, _ in expected}


def test_machine_labels_are_told_apart() -> None:
    (found,) = read(line(human_annotated="no"))
    assert isinstance(found, LabeledImage)
    assert not found.human_annotated


numbers = st.floats(min_value=0, max_value=1e6, allow_nan=False)
any_boxes = st.lists(
    st.builds(
        Box,
        class_id=st.integers(0, 1000),
        left=numbers,
        top=numbers,
        width=numbers,
        height=numbers,
        confidence=st.none() | st.floats(0, 1),
    ),
    max_size=5,
).map(tuple)


@given(
    ref=st.text(min_size=1).filter(lambda text: text.isprintable()),
    boxes=any_boxes,
    names=st.dictionaries(st.integers(0, 1000), st.text(), max_size=4),
    width=st.integers(1, 20_000),
)
def test_what_is_written_is_read(ref: str, boxes: tuple[Box, ...], names: dict[int, str], width: int) -> None:
    content = {
        "source-ref": ref,
        "boxes": {
            "annotations": [
                {name: getattr(box, name) for name in ("class_id", "left", "top", "width", "height")}
                for box in boxes
            ],
            "image_size": [{"width": width, "height": 9, "depth": 3}],
        },
        "boxes-metadata": metadata(
            objects=[{"confidence": box.confidence} for box in boxes],
            class_map={str(key): value for key, value in names.items()},
        ),
    }
    (found,) = read(content)
    assert isinstance(found, LabeledImage)
    assert (found.source_ref, found.boxes, found.class_map, found.image_width) == (ref, boxes, names, width)


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"").replace(b"\r", b""))))
def test_any_bytes_are_reported_line_by_line(lines: list[bytes]) -> None:
    found = read(*lines)
    # Bytes that strip to nothing hold nothing; each other line gives exactly one answer.
    expected = [at for at, one in enumerate(lines, 1) if one.strip().removeprefix(b"\xef\xbb\xbf")]
    assert [one.line_number for one in found] == expected
    assert Counter(type(one) for one in found).get(LabeledImage, 0) == 0
