"""The boxes that a page draws over images: every worker's, the fused ones, and Ground Truth's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roundtruth.annotations import PUBLISHABLE
from roundtruth.arrow_columns import integer_array, places_in, strings
from roundtruth.datasets.boxes import PixelBox, upright_box, upright_size
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.round_files import RoundFiles, read_table, result_table, side_by_side
from roundtruth.overviews.round_images import RoundImages
from roundtruth.overviews.shown_names import ShownNames

_PLACE = ("left", "top", "width", "height")
_ANSWERS = ("source_ref", "job", "worker", "box", "category", *_PLACE, "seconds")
_GROUND_TRUTH = tuple(f"ground_truth_{name}" for name in ("category", *_PLACE))
_LABELS = ("source_ref", "category", *_PLACE, "score", "votes", "answers", *_GROUND_TRUTH)

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ShownBox:
    """A box in pixels of the upright image, as browsers show it: after its EXIF rotation."""

    category: str
    left: float
    top: float
    width: float
    height: float
    score: float | None = None  # fused: 0–1, how sure the consensus is that this object is real
    votes: int | None = None  # fused: workers whose box is part of it, of `answers`
    answers: int | None = None


@dataclass(frozen=True, kw_only=True)
class ShownAnswer:
    """What one worker drew on one image; no boxes: looked, and drew nothing."""

    worker: str
    boxes: tuple[ShownBox, ...]
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class ShownImage:
    """One image of a round with all that was drawn on it; width and height are upright pixels, or None."""

    number: int  # 0-based place in the plan
    source_ref: str
    etag: str
    width: int | None
    height: int | None
    orientation: int
    status: str
    reason: str
    answers: int
    agreement: float | None
    carried_over: bool
    workers: tuple[ShownAnswer, ...] = ()
    fused: tuple[ShownBox, ...] = ()
    ground_truth: tuple[ShownBox, ...] = ()

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.source_ref.rstrip("/").rpartition("/")[2]

    @property
    def categories(self) -> tuple[str, ...]:
        """All categories that anyone drew on it, sorted."""
        drawn = (box for answer in self.workers for box in answer.boxes)
        return tuple(sorted({box.category for box in (*drawn, *self.fused, *self.ground_truth)}))


@dataclass
class _Drawn:
    workers: dict[str, list[ShownBox]] = field(default_factory=dict)
    seconds: dict[str, float | None] = field(default_factory=dict)
    answers: dict[tuple[str, tuple[str, ...]], str] = field(
        default_factory=dict
    )  # to what was asked: the job
    fused: list[ShownBox] = field(default_factory=list)
    ground_truth: list[ShownBox] = field(default_factory=list)


def shown_images(
    cache: EtagCache, files: RoundFiles, images: RoundImages, numbers: Sequence[int], names: ShownNames
) -> list[ShownImage]:
    """Some images of a round with their boxes, in the order of ``numbers``."""
    bare = [_image(images, number) for number in numbers]
    drawn = {number: _Drawn() for number in numbers}
    side_by_side(  # each fills fields of its own
        cache,
        lambda: _add_answers(cache, files, images, bare, drawn, names),
        lambda: _add_labels(cache, files, bare, drawn, names),
    )
    return [_with_boxes(image, drawn[image.number]) for image in bare]


def _image(images: RoundImages, number: int) -> ShownImage:
    row: Row = images.planned.slice(number, 1).to_pylist()[0]
    sides = (row["width"], row["height"])
    orientation = row["orientation"] or 1
    width, height = upright_size(*sides, orientation) if None not in sides else (None, None)
    agreement = float(images.agreement[number])
    return ShownImage(
        number=number,
        source_ref=row["source_ref"],
        etag=row["etag"],
        width=width,
        height=height,
        orientation=orientation,
        status=str(images.status[number]),
        reason=str(images.reason[number]),
        answers=int(images.answers[number]),
        agreement=None if np.isnan(agreement) else agreement,
        carried_over=bool(row["carried_over"]),
    )


def _add_answers(
    cache: EtagCache,
    files: RoundFiles,
    images: RoundImages,
    bare: Sequence[ShownImage],
    drawn: dict[int, _Drawn],
    names: ShownNames,
) -> None:
    """From the jobs' own tables: none holds more than a part of the round, nor waits for the consensus."""
    parts = {images.planned["part"][image.number].as_py() for image in bare}
    found = [
        (job.categories, image, row)
        for job in files.jobs
        if job.part in parts
        for image, row in _rows_of(read_table(cache, files.folder.job(job.name).answers, _ANSWERS), bare)
    ]
    shown = names.workers(row["worker"] for _, _, row in found)
    for asked, image, row in found:
        one, worker = drawn[image.number], shown[row["worker"]]
        # Who answers the same question of an image again counts once, with the first answer.
        if one.answers.setdefault((worker, asked), row["job"]) != row["job"]:
            continue
        one.seconds.setdefault(worker, row["seconds"])
        boxes = one.workers.setdefault(worker, [])
        if row["box"] >= 0:
            boxes.append(_shown_box(image, names.category(row["category"] or ""), row))


def _add_labels(
    cache: EtagCache,
    files: RoundFiles,
    bare: Sequence[ShownImage],
    drawn: dict[int, _Drawn],
    names: ShownNames,
) -> None:
    """Final labels of what may be published; of the others what the consensus said before the checks."""
    folder = files.folder
    final = result_table(cache, files, folder.labels.name, _LABELS)
    publishable = [image for image in bare if final is not None and image.status in PUBLISHABLE]
    others = [image for image in bare if image not in publishable]
    found = list(_rows_of(final, publishable))
    if others:
        before = read_table(cache, folder.stage("merged-labels.parquet"), _LABELS)
        if before is None:
            before = read_table(cache, folder.stage("consensus-labels.parquet"), _LABELS)
        found += _rows_of(before, others)
    for image, row in found:
        of_image = drawn[image.number]
        fused = _shown_box(image, names.category(row["category"]), row)
        of_image.fused.append(_judged(fused, row))
        if row.get("ground_truth_left") is not None:
            place = {name: row[f"ground_truth_{name}"] for name in _PLACE}
            category = names.category(row["ground_truth_category"] or "")
            of_image.ground_truth.append(_shown_box(image, category, place))


def _rows_of(table: Any, bare: Sequence[ShownImage]) -> Iterable[tuple[ShownImage, Row]]:
    """The rows of a table that are about some images, in the order of the table."""
    if table is None or not bare:
        return
    place = places_in(table["source_ref"], strings([image.source_ref for image in bare]))
    rows = np.flatnonzero(place >= 0)
    for row, image in zip(table.take(integer_array(rows)).to_pylist(), place[rows].tolist(), strict=True):
        yield bare[image], row


def _shown_box(image: ShownImage, category: str, place: Row) -> ShownBox:
    box = PixelBox(0, *(float(place[name]) for name in _PLACE))
    if image.width is not None and image.height is not None:
        stored = upright_size(image.width, image.height, image.orientation)
        box = upright_box(box, *stored, image.orientation)
    return ShownBox(category=category, left=box.left, top=box.top, width=box.width, height=box.height)


def _judged(box: ShownBox, row: Row) -> ShownBox:
    return ShownBox(
        category=box.category,
        left=box.left,
        top=box.top,
        width=box.width,
        height=box.height,
        score=row["score"],
        votes=row["votes"],
        answers=row["answers"],
    )


def _with_boxes(image: ShownImage, drawn: _Drawn) -> ShownImage:
    return ShownImage(
        **{
            name: getattr(image, name)
            for name in image.__dataclass_fields__
            if name not in {"workers", "fused", "ground_truth"}
        },
        workers=tuple(
            ShownAnswer(worker=worker, boxes=tuple(boxes), seconds=drawn.seconds[worker])
            for worker, boxes in sorted(drawn.workers.items())
        ),
        fused=tuple(drawn.fused),
        ground_truth=tuple(drawn.ground_truth),
    )
