"""Collect what a finished labeling job brought: every worker's answers, and what became of each image.

A job that failed or was stopped and went on in further attempts has an output folder for each; all their
answers count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import (
    ANSWERS,
    FAILED,
    LABELED,
    LABELS,
    NEGATIVE,
    UNLABELED,
    from_parquet,
    table,
    to_parquet,
)
from roundtruth.errors import RoundError
from roundtruth.ground_truth.answer_rows import answer_rows
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.records import LabeledImage, LineProblem, ProblemKind, WorkerAnswer
from roundtruth.rounds.folder import JobInputs
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

# One row an image of a job.
OBJECTS = pa.schema(
    [
        ("source_ref", pa.string()),
        ("status", pa.string()),  # labeled, negative, failed or unlabeled
        ("reason", pa.string()),
        ("width", pa.int32()),  # as Ground Truth wrote it; null where there is no label
        ("height", pa.int32()),
        ("answers", pa.int16()),  # workers who answered
    ]
)


class CollectedJob(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one job's results, without its gold images; ``problems``: response files nobody can read."""

    job: str
    images: int
    labeled: int
    negative: int
    failed: int
    unlabeled: int
    answers: int
    boxes: int
    problems: tuple[str, ...] = ()
    gold_answers: int = 0  # answers about gold images


@dataclass(frozen=True, kw_only=True)
class JobTables:
    """The tables of one job: ANSWERS, OBJECTS, and Ground Truth's consolidated boxes as LABELS."""

    answers: pd.DataFrame
    objects: pd.DataFrame
    consolidated: pd.DataFrame


def collect_answers(
    storage: Storage,
    job: str,
    categories: tuple[str, ...],
    outputs: Sequence[JobFolder],
    inputs: JobInputs,
    *,
    gold: Collection[str] = (),
    completed: bool = True,
) -> CollectedJob:
    """Read a job's output folder and write its tables beside its inputs; reading again gives the same bytes.

    Images that the output does not account for are unlabeled, not negative.

    :param outputs: the folders of all attempts, oldest first. Of two labels of an image, and of two answers
        of a worker about it, those of the later attempt count; a later failure takes no label away.
    :param completed: whether the last attempt was completed, and so has to have an output manifest.
    :param gold: the job's gold images: they stand in the tables (``without_gold`` takes them out) and are
        counted apart.
    :raises RoundError: when an output manifest holds an image that the input manifest does not.
    :raises StorageError: when the job has no output manifest.
    """
    order = _input_order(storage, inputs)
    answers_of, records = _of_all_attempts(storage, job, outputs, order, completed=completed)
    rows = [_object(ref, records.get(ref), answers_of.get(ref, ())) for ref in order]
    objects = table(rows, OBJECTS)
    answers = table(list(answer_rows(answers_of.items(), job)), ANSWERS)
    consolidated = table(list(_consolidated_rows(records.values(), job, categories)), LABELS)
    storage.write(inputs.answers, to_parquet(answers, ANSWERS))
    storage.write(inputs.consolidated, to_parquet(consolidated, LABELS))
    storage.write(inputs.objects, to_parquet(objects, OBJECTS))
    labels = without_gold(JobTables(answers=answers, objects=objects, consolidated=consolidated), gold)
    counts = labels.objects["status"].value_counts()
    return CollectedJob(
        job=job,
        images=len(labels.objects),
        labeled=int(counts.get(LABELED, 0)),
        negative=int(counts.get(NEGATIVE, 0)),
        failed=int(counts.get(FAILED, 0)),
        unlabeled=int(counts.get(UNLABELED, 0)),
        answers=int(labels.objects["answers"].sum()),
        boxes=int((labels.answers["box"] >= 0).sum()),
        problems=tuple(problem for output in outputs for problem in output.problems),
        gold_answers=int(objects["answers"].sum() - labels.objects["answers"].sum()),
    )


def read_job_tables(storage: Storage, inputs: JobInputs) -> JobTables:
    """The tables that ``collect_answers`` wrote for a job."""
    return JobTables(
        answers=read_job_table(storage, inputs.answers, ANSWERS),
        objects=read_job_table(storage, inputs.objects, OBJECTS),
        consolidated=read_job_table(storage, inputs.consolidated, LABELS),
    )


def read_job_table(
    storage: Storage, uri: ObjectUri, schema: pa.Schema, *, gold: Collection[str] = ()
) -> pd.DataFrame:
    """One of a job's tables, or some columns of it, without the rows of its gold images."""
    return _without(from_parquet(storage.read(uri), schema, name=str(uri)), gold)


def without_gold(tables: JobTables, gold: Collection[str]) -> JobTables:
    """The tables without the rows of a job's gold images."""
    return JobTables(
        answers=_without(tables.answers, gold),
        objects=_without(tables.objects, gold),
        consolidated=_without(tables.consolidated, gold),
    )


def _without(frame: pd.DataFrame, gold: Collection[str]) -> pd.DataFrame:
    return frame[~frame["source_ref"].isin(set(gold))].reset_index(drop=True) if gold else frame


def _input_order(storage: Storage, inputs: JobInputs) -> list[str]:
    return _source_refs(storage.read(inputs.manifest))


def _source_refs(manifest: bytes) -> list[str]:
    decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
    lines = manifest.splitlines()
    return [decode_json(decoder.decode(line)["source-ref"], str) for line in lines if line]


def _of_all_attempts(
    storage: Storage, job: str, outputs: Sequence[JobFolder], order: list[str], *, completed: bool
) -> tuple[dict[str, tuple[WorkerAnswer, ...]], dict[str, LabeledImage | LineProblem]]:
    """The answers about each image, and what the output manifests say of it."""
    answers_of: dict[str, tuple[WorkerAnswer, ...]] = {}
    records: dict[str, LabeledImage | LineProblem] = {}
    rows: Sequence[str | None] = order
    for output in outputs:
        _add_answers(answers_of, output, rows)
        if (completed and output is outputs[-1]) or storage.head(output.output_manifest):
            lines = list(output.records())
            _add_records(records, output, lines, order, job)
            # The next attempt is chained on this manifest, and counts its rows.
            rows = [line.source_ref for line in lines]
    return answers_of, records


def _add_answers(
    found: dict[str, tuple[WorkerAnswer, ...]], output: JobFolder, rows: Sequence[str | None]
) -> None:
    for row, answers in output.answers():
        ref = rows[row] if row < len(rows) else None
        if ref is None:
            why = "whose line nobody can read" if row < len(rows) else f"the manifest has {len(rows)} rows"
            output.problems.append(f"{output.uri}: answers about row {row}, {why}")
            continue
        again = {answer.worker_id for answer in answers}
        before = tuple(answer for answer in found.get(ref, ()) if answer.worker_id not in again)
        found[ref] = before + answers


def _add_records(
    records: dict[str, LabeledImage | LineProblem],
    output: JobFolder,
    lines: Iterable[LabeledImage | LineProblem],
    order: Collection[str],
    job: str,
) -> None:
    known = set(order)
    told: set[str] = set()
    for record in lines:
        ref = record.source_ref
        if ref is None or ref in told:
            output.problems.append(str(record))
            continue
        if ref not in known:
            raise RoundError(
                f"Job {job!r} labeled {ref}, which its input manifest does not hold; "
                "was the job made from another manifest?"
            )
        told.add(ref)
        if isinstance(record, LabeledImage) or not isinstance(records.get(ref), LabeledImage):
            records[ref] = record


def _object(
    ref: str, record: LabeledImage | LineProblem | None, answers: tuple[WorkerAnswer, ...]
) -> dict[str, object]:
    row: dict[str, object] = {"source_ref": ref, "answers": len({answer.worker_id for answer in answers})}
    if isinstance(record, LabeledImage):
        status = LABELED if record.boxes else NEGATIVE
        size = {"width": record.image_width, "height": record.image_height}
        return row | size | {"status": status, "reason": ""}
    if record is None:
        return row | {"status": UNLABELED, "reason": "is not in the job's output manifest"}
    status = FAILED if record.kind is ProblemKind.FAILED else UNLABELED
    return row | {"status": status, "reason": record.reason}


def _consolidated_rows(
    records: Iterable[LabeledImage | LineProblem], job: str, categories: tuple[str, ...]
) -> Iterator[dict[str, object]]:
    for record in records:
        if not isinstance(record, LabeledImage):
            continue
        for box in record.boxes:
            known = 0 <= box.class_id < len(categories)
            yield {
                "source_ref": record.source_ref,
                "category": categories[box.class_id] if known else record.class_map.get(box.class_id, ""),
                "left": box.left,
                "top": box.top,
                "width": box.width,
                "height": box.height,
                "score": box.confidence,
                "job": job,
            }
