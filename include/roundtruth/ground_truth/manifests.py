"""Read output manifests: JSON Lines with an augmented label on each line (developer guide, sms-data-output).

What real files hold and the guide does not say is known here: class maps that list only the line's own
classes, failed rows without a label, several attributes on a line, Rekognition's attribute names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from roundtruth.ground_truth.records import Box, LabeledImage, LineProblem, ProblemKind

METADATA = "-metadata"
BOXES = "object-detection"
CLASSIFICATION = ("image-classification", "image-classification-multilabel")


def read_output_manifest(
    lines: Iterable[bytes], *, file: str, label_attribute: str | None = None
) -> Iterator[LabeledImage | LineProblem]:
    """Decode an output manifest line by line, in order; each line with text gives one record or one problem.

    :param lines: lines with or without line ends; blank ones hold nothing and are passed over.
    :param file: the manifest's name, for the problems.
    :param label_attribute: read this attribute; without it the newest box (or class) label counts.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        record = read_line(text, number, file, label_attribute)
        source_ref = record.source_ref
        if source_ref is not None and source_ref in seen:
            yield LineProblem(
                file=file,
                line_number=number,
                kind=ProblemKind.DUPLICATE,
                reason=f"line {seen[source_ref]} has the same source-ref; the first one counts",
                source_ref=source_ref,
            )
            continue
        if source_ref is not None:
            seen[source_ref] = number
        yield record


def read_line(text: bytes, number: int, file: str, attribute: str | None) -> LabeledImage | LineProblem:
    """Decode one line that has text; ``read_output_manifest`` also finds the images that are there twice."""
    source_ref: str | None = None
    try:
        values = _decode_line(text)
        source_ref = _source_ref(values)
        name, metadata = _choose(values, attribute)
        if name not in values:
            raise _UnusableError(ProblemKind.UNLABELED, f"has {name}{METADATA} but no {name}")
        return _decode_label(values[name], name, metadata, number, source_ref)
    except _UnusableError as problem:
        return LineProblem(
            file=file,
            line_number=number,
            kind=problem.kind,
            reason=problem.reason,
            source_ref=source_ref,
        )


class _Annotation(msgspec.Struct):
    class_id: int
    left: float
    top: float
    width: float
    height: float


class _ImageSize(msgspec.Struct):
    width: int
    height: int


class _BoxLabel(msgspec.Struct):
    annotations: list[_Annotation]
    image_size: list[_ImageSize]


class _Object(msgspec.Struct):
    confidence: float | None = None


class _Metadata(msgspec.Struct, rename="kebab"):
    type: str = ""
    failure_reason: Any = None
    class_map: dict[str, str] = {}
    objects: list[_Object] = []
    job_name: str = ""
    class_name: str = ""
    human_annotated: str = "yes"
    creation_date: str = ""
    confidence: float | None = None
    confidence_map: dict[str, float] = {}

    @property
    def task(self) -> str:
        return self.type.removeprefix("groundtruth/")


class _Kind(msgspec.Struct, rename="kebab"):
    type: Any = ""
    failure_reason: Any = None


# Text that is not UTF-8 is no DecodeError to msgspec.
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError)

_kind_decoder = msgspec.json.Decoder(_Kind)
_line_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text_decoder = msgspec.json.Decoder(str)
# strict=False: docs and old files write class ids and confidences as strings too.
_metadata_decoder = msgspec.json.Decoder(_Metadata, strict=False)
_box_decoder = msgspec.json.Decoder(_BoxLabel, strict=False)
_class_decoder = msgspec.json.Decoder(int | list[int], strict=False)


class _UnusableError(Exception):
    def __init__(self, kind: ProblemKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def _decode_line(text: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _line_decoder.decode(text)
    except _DECODE_ERRORS as error:
        raise _UnusableError(ProblemKind.BROKEN, f"is not a JSON object: {error}") from None


def _source_ref(values: dict[str, msgspec.Raw]) -> str:
    if "source-ref" not in values:
        if "source" in values:
            raise _UnusableError(ProblemKind.UNSUPPORTED, "holds text (source), not an image (source-ref)")
        raise _UnusableError(ProblemKind.BROKEN, "has no source-ref")
    try:
        source_ref = _text_decoder.decode(values["source-ref"])
    except _DECODE_ERRORS as error:
        raise _UnusableError(ProblemKind.BROKEN, f"source-ref is not text: {error}") from None
    if not source_ref:
        raise _UnusableError(ProblemKind.BROKEN, "source-ref is empty")
    return source_ref


def _choose(values: dict[str, msgspec.Raw], attribute: str | None) -> tuple[str, _Metadata]:
    """The label attribute that counts on a line, and its metadata."""
    if attribute is not None:
        if attribute + METADATA not in values:
            missing = METADATA if attribute in values else ""
            raise _UnusableError(ProblemKind.UNLABELED, f"has no {attribute}{missing}")
        return _usable(attribute, _decode_metadata(values, attribute))
    names = [key.removesuffix(METADATA) for key in values if key.endswith(METADATA)]
    found = [(name, _decode_metadata(values, name)) for name in names if _is_label_metadata(values, name)]
    if not found:
        raise _UnusableError(ProblemKind.UNLABELED, "has no label attribute with its metadata")
    candidates = [pair for pair in found if pair[1].failure_reason is not None or pair[1].task == BOXES]
    candidates = candidates or [pair for pair in found if pair[1].task in CLASSIFICATION]
    if not candidates:
        tasks = ", ".join(sorted({metadata.type or "no type" for _, metadata in found}))
        raise _UnusableError(ProblemKind.UNSUPPORTED, f"holds no box or class label, only {tasks}")
    # max keeps the first of equals, and later attributes come later on the line: hence reversed.
    return _usable(*max(reversed(candidates), key=lambda pair: moment_of(pair[1].creation_date)))


def _usable(name: str, metadata: _Metadata) -> tuple[str, _Metadata]:
    if metadata.failure_reason is not None:
        raise _UnusableError(ProblemKind.FAILED, f"{name} failed: {metadata.failure_reason}")
    return name, metadata


def _is_label_metadata(values: dict[str, msgspec.Raw], attribute: str) -> bool:
    """Whether Ground Truth wrote it: extra keys of the input line stand beside it and may be called so."""
    try:
        kind = _kind_decoder.decode(values[attribute + METADATA])
    except _DECODE_ERRORS:
        return False
    return kind.failure_reason is not None or str(kind.type).startswith("groundtruth/")


def _decode_metadata(values: dict[str, msgspec.Raw], attribute: str) -> _Metadata:
    try:
        return _metadata_decoder.decode(values[attribute + METADATA])
    except _DECODE_ERRORS as error:
        raise _UnusableError(ProblemKind.BROKEN, f"{attribute}{METADATA}: {error}") from None


def _decode_label(
    raw: msgspec.Raw, name: str, metadata: _Metadata, number: int, source_ref: str
) -> LabeledImage:
    try:
        if metadata.task == BOXES:
            return _decode_boxes(raw, name, metadata, number, source_ref)
        if metadata.task in CLASSIFICATION:
            return _decode_classes(raw, name, metadata, number, source_ref)
    except _DECODE_ERRORS as error:
        raise _UnusableError(ProblemKind.BROKEN, f"{name}: {error}") from None
    kind = metadata.type or "no type"
    raise _UnusableError(ProblemKind.UNSUPPORTED, f"{name} holds {kind}, not boxes or classes")


def _decode_boxes(
    raw: msgspec.Raw, name: str, metadata: _Metadata, number: int, source_ref: str
) -> LabeledImage:
    label = _box_decoder.decode(raw)
    if not label.image_size:
        raise _UnusableError(ProblemKind.BROKEN, f"{name} has no image_size")
    confidences = [entry.confidence for entry in metadata.objects]
    confidences += [None] * (len(label.annotations) - len(confidences))
    boxes = tuple(
        Box(
            class_id=box.class_id,
            left=box.left,
            top=box.top,
            width=box.width,
            height=box.height,
            confidence=confidence,
        )
        for box, confidence in zip(label.annotations, confidences, strict=False)
    )
    if not all(math.isfinite(value) for box in boxes for value in (box.left, box.top, box.width, box.height)):
        raise _UnusableError(ProblemKind.BROKEN, f"{name} has a box that is not finite")
    return LabeledImage(
        line_number=number,
        source_ref=source_ref,
        label_attribute=name,
        image_width=label.image_size[0].width,
        image_height=label.image_size[0].height,
        boxes=boxes,
        class_map=_class_map(metadata, name),
        **_shared(metadata),
    )


def _decode_classes(
    raw: msgspec.Raw, name: str, metadata: _Metadata, number: int, source_ref: str
) -> LabeledImage:
    value = _class_decoder.decode(raw)
    chosen = [value] if isinstance(value, int) else value
    class_map = _class_map(metadata, name)
    if metadata.class_name and len(chosen) == 1:
        class_map = {chosen[0]: metadata.class_name}
    classes = tuple((one, metadata.confidence_map.get(str(one), metadata.confidence)) for one in chosen)
    return LabeledImage(
        line_number=number,
        source_ref=source_ref,
        label_attribute=name,
        image_width=None,
        image_height=None,
        classes=classes,
        class_map=class_map,
        **_shared(metadata),
    )


def _shared(metadata: _Metadata) -> dict[str, Any]:
    return {
        "job_name": metadata.job_name.removeprefix("labeling-job/"),
        "task": metadata.task,
        "human_annotated": metadata.human_annotated == "yes",
        "creation_date": metadata.creation_date,
    }


def _class_map(metadata: _Metadata, name: str) -> dict[int, str]:
    try:
        return {int(key): value for key, value in metadata.class_map.items()}
    except ValueError:
        raise _UnusableError(
            ProblemKind.BROKEN, f"{name}{METADATA}: class-map has a key that is no number"
        ) from None


def moment_of(creation_date: str) -> datetime:
    """Real files hold naive ISO dates (UTC), `Z`, `+0000` and JavaScript's; others count as oldest."""
    for read in (datetime.fromisoformat, _javascript_moment):
        try:
            moment = read(creation_date)
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)


def _javascript_moment(creation_date: str) -> datetime:
    """Date.toString(): `Thu Jan 09 2020 10:11:12 GMT+0100 (Central European Standard Time)`."""
    return datetime.strptime(creation_date.partition(" (")[0], "%a %b %d %Y %H:%M:%S GMT%z")
