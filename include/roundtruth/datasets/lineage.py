"""Where each box of an image in a version comes from: round, job, workers, their answers, code version."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pandas as pd

from roundtruth.annotations import ANSWERS, from_parquet
from roundtruth.consensus.pseudonyms import KEY_FILE, pseudonym, read_key
from roundtruth.datasets.diff import Place, iou
from roundtruth.datasets.version_tables import VersionTables, read_version_tables
from roundtruth.errors import DatasetError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.record import RoundRecord, decode_record, read_record
from roundtruth.storage import ObjectUri, Storage

MIN_IOU = 0.2  # a worker's box that overlaps a final box less is not about the same object


class WorkerBox(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker drew; ``iou`` is with the final box that it is listed under."""

    worker: str  # pseudonym
    category: str
    box: Place
    submitted: str
    iou: float | None = None


class BoxLineage(msgspec.Struct, frozen=True, kw_only=True):
    """One final box, and the workers' boxes that overlap it most, one a worker at most."""

    category: str
    class_id: int
    box: Place
    score: float
    votes: int  # workers whose box is part of it
    answers: int  # workers who answered
    job: str
    job_arn: str
    drawn: tuple[WorkerBox, ...]


class ImageLineage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a version."""

    version: str  # name@v0003
    version_made_by: str  # version of roundtruth
    source_ref: str
    etag: str
    split: str
    file: str
    unknown: tuple[str, ...]  # classes that nobody was asked for
    round: str
    round_made_by: str
    workers: tuple[str, ...]  # pseudonyms of all who answered
    empty_answers: tuple[str, ...]  # of those who drew nothing
    boxes: tuple[BoxLineage, ...]
    left_over: tuple[WorkerBox, ...]  # what workers drew and no final box holds


def explain_image(storage: Storage, root: ObjectUri, name: str, version: str, image: str) -> ImageLineage:
    """The lineage of all boxes of an image.

    :param image: its URI, its file name or path in the tree, or an end of its key that no other image has.
    :raises DatasetError: when the version holds no such image, several, or the round's
        record is gone, or another now and the one of then was not kept.
    """
    tables = read_version_tables(storage, root, name, version)
    row = _find(tables, image)
    folder = RoundFolder(root / "rounds" / row["round"])
    record, answers = _recorded(storage, folder, tables)
    answers = answers[answers["source_ref"] == row["source_ref"]]
    answers = _under_pseudonyms(storage, root / "rounds" / KEY_FILE, answers)
    drawn = _drawn(answers)
    labels = tables.labels[tables.labels["source_ref"] == row["source_ref"]]
    boxes, left_over = _boxes(labels, drawn, record)
    known = sorted(set(answers["worker"]))
    empty = answers.loc[answers["box"] < 0, "worker"]
    return ImageLineage(
        version=tables.name,
        version_made_by=tables.record.roundtruth,
        source_ref=row["source_ref"],
        etag=row["etag"],
        split=row["split"],
        file=row["file"],
        unknown=tuple(tables.record.classes[class_id] for class_id in row["unknown"]),
        round=row["round"],
        round_made_by=record.roundtruth,
        workers=tuple(known),
        empty_answers=tuple(sorted(empty)),
        boxes=boxes,
        left_over=left_over,
    )


def _recorded(
    storage: Storage, folder: RoundFolder, tables: VersionTables
) -> tuple[RoundRecord, pd.DataFrame]:
    """The round's record and ANSWERS as they were when the version was made, not as they may be now."""
    digest = tables.record.round_digests.get(folder.key, "")  # versions of old do not name it
    kept = folder.recorded(digest)
    record = read_record(storage, kept) if digest else None
    if record is not None:
        return record, from_parquet(storage.read(kept.answers), ANSWERS, name=str(kept.answers))
    current = storage.read_if_there(folder.record)
    if current is None:
        raise DatasetError(f"{folder.record} is gone; without it nobody can tell where the boxes come from.")
    record = decode_record(current.data)
    answers = storage.read(folder.answers)
    expected = record.files.get(folder.answers.name)
    if (digest and _sha256(current.data) != digest) or (expected and _sha256(answers) != expected):
        raise DatasetError(
            f"Round {folder.key} was labeled again or built anew after {tables.name} was made, and its "
            "answers of before were not kept: nobody can tell any more who drew its boxes."
        )
    return record, from_parquet(answers, ANSWERS, name=str(folder.answers))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _find(tables: VersionTables, image: str) -> Any:
    images = tables.images
    exact = (images["source_ref"] == image) | (images["file"] == image.rpartition("/")[2])
    found = (
        images[exact] if exact.any() else images[images["source_ref"].str.endswith(f"/{image.lstrip('/')}")]
    )
    if len(found) != 1:
        several = f"{len(found)} images" if len(found) else "no image"
        examples = f", such as {found['source_ref'].iloc[0]}" if len(found) else ""
        raise DatasetError(
            f"{tables.name} holds {several} called {image!r}{examples}; give the whole S3 URI."
        )
    return found.iloc[0]


def _under_pseudonyms(storage: Storage, uri: ObjectUri, answers: pd.DataFrame) -> pd.DataFrame:
    if answers.empty:
        return answers
    key = read_key(storage, uri)
    if key is None:
        # Without a key a pseudonym could be traced back by whoever has a list of worker ids.
        raise DatasetError(f"{uri} is gone; without it workers have no pseudonyms: bring it back.")
    return answers.assign(worker=[pseudonym(worker, key) for worker in answers["worker"]])


def _drawn(answers: pd.DataFrame) -> list[tuple[str, WorkerBox]]:
    """(job, box) of each box that a worker drew."""
    boxes = answers[answers["box"] >= 0].fillna({"submitted": ""})
    columns = ["job", "worker", "category", "left", "top", "width", "height", "submitted"]
    return [
        (
            job,
            WorkerBox(worker=worker, category=category, box=tuple(place), submitted=submitted),
        )
        for job, worker, category, *place, submitted in zip(
            *(boxes[one].tolist() for one in columns), strict=True
        )
    ]


def _boxes(
    labels: pd.DataFrame, drawn: list[tuple[str, WorkerBox]], record: RoundRecord
) -> tuple[tuple[BoxLineage, ...], tuple[WorkerBox, ...]]:
    """Each drawn box stands under the final box it overlaps most; a worker's second one is left over."""
    places: list[Place] = [
        tuple(place)
        for place in labels[["left", "top", "width", "height"]].itertuples(index=False, name=None)
    ]
    under: dict[int, dict[str, WorkerBox]] = {number: {} for number in range(len(places))}
    left_over = []
    overlaps = [
        (max(((iou(place, box.box), -number) for number, place in enumerate(places)), default=(0.0, 0)), box)
        for _, box in drawn
    ]
    for (overlap, negative), box in sorted(overlaps, key=lambda one: (-one[0][0], one[1].worker, one[1].box)):
        if overlap >= MIN_IOU and box.worker not in under[-negative]:
            under[-negative][box.worker] = msgspec.structs.replace(box, iou=round(overlap, 4))
        else:
            left_over.append(box)
    arns = {job.name: job.arn for job in record.jobs}
    columns = ["category", "class_id", "score", "votes", "answers", "job"]
    rows = zip(*(labels[one].tolist() for one in columns), strict=True)
    boxes = [
        BoxLineage(
            **dict(zip(columns, row, strict=True)),
            box=places[number],
            job_arn=arns.get(row[-1], ""),
            drawn=tuple(under[number][worker] for worker in sorted(under[number])),
        )
        for number, row in enumerate(rows)
    ]
    return tuple(boxes), tuple(left_over)
