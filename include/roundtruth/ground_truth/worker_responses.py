"""Read worker-response files: every worker's raw answer about one image.

The key under `answerContent` is the crowd element's name (boundingBox in AWS's template, anything in a custom
one), so an answer is known by its shape. Files of 2019 hold no times; `boundingBoxes` may be null or absent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from roundtruth.errors import ManifestError
from roundtruth.ground_truth.records import AnswerBox, WorkerAnswer


def read_worker_response(
    data: bytes, *, file: str
) -> tuple[tuple[WorkerAnswer, ...], tuple[ManifestError, ...]]:
    """Read what can be read of a worker-response file: its answers in order, an error for each broken one.

    A file that is no worker response at all gives one error and no answer.
    """
    answers_of_boxes = _read_boxes(data)
    if answers_of_boxes is not None:
        return answers_of_boxes, ()
    try:
        response = _decoder.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return (), (ManifestError(f"{file} is not a worker response: {error}."),)
    answers: list[WorkerAnswer] = []
    problems: list[ManifestError] = []
    for number, answer in enumerate(response.answers, start=1):
        # Errors end up in logs and reports, where no raw worker id may stand: its place tells which answer.
        try:
            answers.append(_read_answer(answer, f"{file}: answer {number} of the file"))
        except ManifestError as problem:
            problems.append(problem)
    return tuple(answers), tuple(problems)


class _Box(msgspec.Struct):
    label: str
    left: float
    top: float
    width: float
    height: float


class _Size(msgspec.Struct, rename="camel"):
    width: int | None = None
    height: int | None = None


class _Element(msgspec.Struct, rename="camel"):
    # crowd-bounding-box
    bounding_boxes: list[_Box] | msgspec.UnsetType | None = msgspec.UNSET
    input_image_properties: _Size | None = None
    # crowd-image-classifier and its multi-select form
    label: str | None = None
    labels: list[str] | None = None


class _Answer(msgspec.Struct, rename="camel"):
    worker_id: str
    answer_content: dict[str, Any]
    submission_time: str = ""
    time_spent_in_seconds: float | None = None


class _Response(msgspec.Struct):
    answers: list[_Answer]


class _BoxElement(_Element, rename="camel"):
    labeled_image: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _BoxAnswer(msgspec.Struct, rename="camel"):
    worker_id: str
    answer_content: dict[str, _BoxElement]
    submission_time: str = ""
    time_spent_in_seconds: float | None = None


class _BoxResponse(msgspec.Struct):
    answers: list[_BoxAnswer]


# inputImageProperties alone is an answer without boxes: AWS's own code reads a missing list as empty.
_KNOWN_KEYS = {"boundingBoxes", "inputImageProperties", "label", "labels"}
_decoder = msgspec.json.Decoder(_Response, strict=False)
_box_decoder = msgspec.json.Decoder(_BoxResponse, strict=False)
msgspec.json.Decoder(_Element)  # `convert` must find it built: see typed_json


def _read_boxes(data: bytes) -> tuple[WorkerAnswer, ...] | None:
    """The answers of a file as AWS's own template of boxes writes it, decoded at once; None of any other."""
    try:
        response = _box_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    answers = []
    for answer in response.answers:
        elements = list(answer.answer_content.values())
        if len(elements) != 1 or not isinstance(elements[0].bounding_boxes, list):
            return None
        if elements[0].labeled_image is not msgspec.UNSET:
            return None
        answers.append(_worker_answer(answer, elements[0]))
    return tuple(answers)


def _read_answer(answer: _Answer, name: str) -> WorkerAnswer:
    return _worker_answer(answer, _find_element(answer, name))


def _worker_answer(answer: _Answer | _BoxAnswer, element: _Element) -> WorkerAnswer:
    size = element.input_image_properties or _Size()
    boxes = element.bounding_boxes if isinstance(element.bounding_boxes, list) else []
    labels = element.labels or ([element.label] if element.label is not None else [])
    return WorkerAnswer(
        worker_id=answer.worker_id,
        submission_time=answer.submission_time,
        seconds=answer.time_spent_in_seconds,
        boxes=tuple(
            AnswerBox(label=box.label, left=box.left, top=box.top, width=box.width, height=box.height)
            for box in boxes
        ),
        labels=tuple(labels),
        image_width=size.width,
        image_height=size.height,
    )


def _find_element(answer: _Answer, name: str) -> _Element:
    """The one entry of answerContent with boxes or labels; a form without either is not an answer of ours."""
    for key, content in sorted(answer.answer_content.items()):
        if not isinstance(content, dict) or not _KNOWN_KEYS & content.keys() or "labeledImage" in content:
            continue
        try:
            return msgspec.convert(content, _Element, strict=False)
        except msgspec.ValidationError as error:
            raise ManifestError(f"{name} has a broken {key}: {error}.") from error
    found = ", ".join(sorted(answer.answer_content)) or "nothing"
    raise ManifestError(
        f"{name} holds {found}, neither boxes nor labels; was the job made with another worker template?"
    )
