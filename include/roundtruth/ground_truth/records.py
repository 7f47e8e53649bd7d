"""What Ground Truth's files say, as frozen values: labeled images, workers' answers, unusable lines.

Structs of msgspec: a job has millions of boxes, and making a frozen dataclass takes five times as long.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """One box of an output manifest: pixels of the stored image, possibly fractional."""

    class_id: int
    left: float
    top: float
    width: float
    height: float
    confidence: float | None = None  # not comparable between jobs; 0 or 0.09 with one worker


class LabeledImage(msgspec.Struct, frozen=True, kw_only=True):
    """One usable line of an output manifest, under one label attribute; no boxes means a negative.

    ``class_map`` is the line's own and lists only the classes used on it; all classes of the job are in its
    label category config. ``classes`` holds (class id, confidence) pairs of image classification.
    """

    line_number: int  # 1-based
    source_ref: str
    label_attribute: str
    job_name: str  # without `labeling-job/`, lower-cased by Ground Truth; empty where the line has none
    task: str  # object-detection, image-classification, image-classification-multilabel
    image_width: int | None  # stored pixels; None for classification
    image_height: int | None
    boxes: tuple[Box, ...] = ()
    classes: tuple[tuple[int, float | None], ...] = ()
    class_map: dict[int, str] = {}
    human_annotated: bool = True
    creation_date: str = ""


class ProblemKind(StrEnum):
    """Why a line gives no label."""

    BROKEN = "broken"  # not JSON, wrong types, no source-ref: nobody can use it
    UNLABELED = "unlabeled"  # the label attribute is missing: no one answered yet
    FAILED = "failed"  # Ground Truth wrote a failure-reason
    DUPLICATE = "duplicate"  # the same source-ref stands on an earlier line
    UNSUPPORTED = "unsupported"  # a label of another task, such as segmentation
    UNKNOWN_CLASS = "unknown-class"  # a box of a class whose name stands nowhere; a conversion cannot use it


class LineProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A line that gives no label, and why; never written as an empty label."""

    file: str
    line_number: int  # 1-based
    kind: ProblemKind
    reason: str
    source_ref: str | None = None

    def __str__(self) -> str:
        image = f" ({self.source_ref})" if self.source_ref else ""
        return f"{self.file}:{self.line_number}{image}: {self.reason}"


class AnswerBox(msgspec.Struct, frozen=True, kw_only=True):
    """One box of one worker: pixels of the stored image; the label is a name, not an id."""

    label: str
    left: float
    top: float
    width: float
    height: float


class WorkerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's answer about one image; no boxes means that the worker saw nothing to draw.

    ``labels`` are the chosen categories of image classification.
    """

    worker_id: str
    submission_time: str
    seconds: float | None  # time spent; absent in files of 2019
    boxes: tuple[AnswerBox, ...] = ()
    labels: tuple[str, ...] = ()
    image_width: int | None = None
    image_height: int | None = None
