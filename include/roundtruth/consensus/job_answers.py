"""Read a labeling job's folder into tables: all answers, and what Ground Truth made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from roundtruth.annotations import ANSWERS, LABELS, table
from roundtruth.errors import ConsensusError
from roundtruth.ground_truth.answer_rows import answer_rows
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.manifests import CLASSIFICATION, read_output_manifest
from roundtruth.ground_truth.records import LabeledImage, LineProblem, ProblemKind, WorkerAnswer

MULTI_LABEL = CLASSIFICATION[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class JobAnswers:
    """One job's answers.

    In a classification job each chosen category is one row of ``answers``, without a place.
    ``consolidated`` holds Ground Truth's own labels (LABELS; without a place for classification), or None
    where the folder has no output manifest. ``problems`` lists the lines and files that cannot be used.
    """

    job: str
    answers: pd.DataFrame
    consolidated: pd.DataFrame | None
    categories: tuple[str, ...]
    is_classification: bool
    is_multi_label: bool
    problems: tuple[str, ...]


def read_job_answers(folder: JobFolder) -> JobAnswers:
    """Read the worker-response files, the output manifest and the label categories of a job.

    Images are named by the source-ref of their line in the output manifest or, where that is missing, in an
    ``input.manifest`` beside the answers; else by their 0-based row.

    :raises ConsensusError: when the folder holds no worker responses, or boxes as well as chosen categories.
    """
    records, has_output = _records(folder)
    names = {record.line_number - 1: record.source_ref for record in records if record.source_ref}
    answers = [(names.get(row, str(row)), given) for row, given in folder.answers()]
    labeled = [record for record in records if isinstance(record, LabeledImage)]
    is_classification = _is_classification(folder, answers, labeled)
    job = folder.uri.name
    categories = folder.label_categories() or _seen_categories(answers, labeled)
    return JobAnswers(
        job=job,
        answers=table(list(answer_rows(answers, job)), ANSWERS),
        consolidated=table(list(_consolidated(labeled, job, categories)), LABELS) if has_output else None,
        categories=categories,
        is_classification=is_classification,
        is_multi_label=is_classification and _is_multi_label(answers, labeled),
        problems=(*(str(record) for record in records if _is_problem(record, has_output)), *folder.problems),
    )


def _records(folder: JobFolder) -> tuple[list[LabeledImage | LineProblem], bool]:
    if folder.storage.head(folder.output_manifest) is not None:
        return list(folder.records()), True
    uri = folder.uri / "input.manifest"
    content = folder.storage.read_if_there(uri)
    lines = content.data.splitlines() if content else []
    return list(read_output_manifest(lines, file=str(uri))), False


def _is_problem(record: LabeledImage | LineProblem, has_output: bool) -> bool:
    """Lines of an input manifest have no label yet: that is none."""
    return isinstance(record, LineProblem) and (has_output or record.kind is not ProblemKind.UNLABELED)


def _is_classification(
    folder: JobFolder, answers: list[tuple[str, tuple[WorkerAnswer, ...]]], labeled: list[LabeledImage]
) -> bool:
    has_labels = any(answer.labels for _, given in answers for answer in given)
    has_boxes = any(answer.boxes for _, given in answers for answer in given)
    if has_labels and has_boxes:
        raise ConsensusError(f"{folder.uri} holds boxes as well as chosen categories; give one job a folder.")
    if not answers:
        raise ConsensusError(
            f"{folder.uri} holds no worker responses; give the folder <S3OutputPath>/<job name> of a job."
        )
    return has_labels or (not has_boxes and any(record.task in CLASSIFICATION for record in labeled))


def _is_multi_label(answers: list[tuple[str, tuple[WorkerAnswer, ...]]], labeled: list[LabeledImage]) -> bool:
    several = any(len(answer.labels) > 1 for _, given in answers for answer in given)
    return several or any(record.task == MULTI_LABEL for record in labeled)


def _seen_categories(
    answers: list[tuple[str, tuple[WorkerAnswer, ...]]], labeled: list[LabeledImage]
) -> tuple[str, ...]:
    seen = {name for record in labeled for name in record.class_map.values()}
    for _, given in answers:
        for answer in given:
            seen.update(answer.labels, (box.label for box in answer.boxes))
    return tuple(sorted(seen))


def _consolidated(
    labeled: list[LabeledImage], job: str, categories: tuple[str, ...]
) -> Iterator[dict[str, object]]:
    for record in labeled:
        # The line's own map is right for its line; the job's list is known only where the folder holds it.
        names = {**dict(enumerate(categories)), **record.class_map}
        shared: dict[str, object] = {"source_ref": record.source_ref, "job": job}
        for box in record.boxes:
            yield shared | {
                "category": names.get(box.class_id, str(box.class_id)),
                "left": box.left,
                "top": box.top,
                "width": box.width,
                "height": box.height,
                "score": box.confidence,
            }
        for class_id, confidence in record.classes:
            yield shared | {"category": names.get(class_id, str(class_id)), "score": confidence}
