"""Fuse the answers of a round into labels, and measure how far people agree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.consensus.agreement import box_pairs, image_agreement, task_agreement
from roundtruth.consensus.answer_columns import AnswerColumns, answer_columns, renumbered, worker_ids
from roundtruth.consensus.consolidated import comparison, consolidated_beside, scored_consolidated
from roundtruth.consensus.disputes import dispute_report, find_disputes, find_doubts, image_reasons
from roundtruth.consensus.fused import FusedRound, fuse_parts
from roundtruth.consensus.ground_truth_boxes import beside_none, only_ground_truth
from roundtruth.consensus.majority import Groups, Place, group_boxes, labels_of
from roundtruth.consensus.matching import HAND_TOLERANCE, Floats, Ints
from roundtruth.consensus.parts import Keep, Totals
from roundtruth.consensus.report import RoundTotals, consensus_report, in_order, in_portions
from roundtruth.consensus.worker_skills import WorkerSkills
from roundtruth.consensus.workers import worker_times
from roundtruth.errors import ConsensusError
from roundtruth.project import Consensus


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsensusResult:
    """What the answers say together.

    ``labels``: ``annotations.LABELS``, sorted by image and place. ``images``: one row an answered image,
    sorted: source_ref, answers (distinct workers, int16), agreement (0–1, NaN with one answer), disputed
    (bool), reason (such as `2 missing, 1 extra`; empty where not disputed). ``report``: content of
    consensus.json; see ``report.encode_report``. An image that stands in ``images`` and not in ``labels`` is
    a negative. ``skills``: what is known of the workers after this round; with another method than ``fused``
    what was given.
    """

    labels: pd.DataFrame
    images: pd.DataFrame
    report: dict[str, Any]
    skills: WorkerSkills


@dataclass(frozen=True, kw_only=True, eq=False)
class PartAnswers:
    """What reads the answers about some images of a round, and what reads Ground Truth's own boxes of them.

    No other part has answers about these images.
    """

    answers: Callable[[], pd.DataFrame]  # annotations.ANSWERS
    consolidated: Callable[[], pd.DataFrame] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PartsResult:
    """As ``ConsensusResult``, with the labels of each part apart."""

    labels: Collection[pd.DataFrame]
    images: pd.DataFrame
    report: dict[str, Any]
    skills: WorkerSkills


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    """What one part comes to."""

    labels: pd.DataFrame
    images: pd.DataFrame
    disputed: list[dict[str, Any]]
    only_ground_truth: list[dict[str, Any]]


def measure_consensus(
    answers: pd.DataFrame,
    settings: Consensus,
    *,
    consolidated: pd.DataFrame | None = None,
    categories_by_job: Mapping[str, Sequence[str]] | None = None,
    skills: WorkerSkills | None = None,
    pseudonym_key: bytes = b"",
) -> ConsensusResult:
    """Match the boxes of all workers and fuse them by ``settings.method``.

    Boxes are matched within an image and the jobs that asked for the same categories. ``fused`` weighs
    workers by their skill and keeps what is likelier an object than not; by ``majority`` and ``median`` an
    object needs strictly more than half of the workers who answered these jobs. A worker who answers the same
    categories of an image again counts once, with the first answer.

    :param answers: ``annotations.ANSWERS``, rows in any order.
    :param consolidated: Ground Truth's own boxes (source_ref, category, left, top, width, height, optional
        job); needed by ``method: ground-truth``, compared in the report where given.
    :param categories_by_job: what each job asked for; without it all jobs asked for the same.
    :param skills: what earlier rounds say of the workers (``worker_skills.decode_skills``); only ``fused``
        uses it. Never give the file that this same round wrote: its answers would count twice.
    :param pseudonym_key: of the names that report and skills give to workers (``pseudonyms.project_key``);
        the skills must have been made under the same one.
    :raises ConsensusError: when a table lacks a column, a box is not finite, or a job's categories are
        unknown.
    """
    result = measure_parts(
        [
            PartAnswers(
                answers=lambda: answers, consolidated=None if consolidated is None else lambda: consolidated
            )
        ],
        settings,
        categories_by_job=categories_by_job,
        skills=skills,
        pseudonym_key=pseudonym_key,
    )
    (labels,) = result.labels
    return ConsensusResult(labels=labels, images=result.images, report=result.report, skills=result.skills)


def measure_parts(
    parts: Sequence[PartAnswers],
    settings: Consensus,
    *,
    categories_by_job: Mapping[str, Sequence[str]] | None = None,
    skills: WorkerSkills | None = None,
    pseudonym_key: bytes = b"",
    keep: Keep = list,
) -> PartsResult:
    """``measure_consensus`` of a round in parts: what the workers are like is estimated over all of them.

    The parts are read one after the other, and none is held on to.

    :param keep: holds what is made of the parts, such as ``Spill.keep``; the result's labels and report lie
        there.
    """
    columns = _columns_of(parts, categories_by_job, pseudonym_key, keep)
    names = next(iter(columns))
    grouped = _grouped(columns, settings, skills, keep)
    totals, compared = RoundTotals.nothing(), Totals()
    images, disputed, only_theirs = [], [], []

    def measured(
        part: PartAnswers, one: AnswerColumns, groups: tuple[Groups, FusedRound | None]
    ) -> pd.DataFrame:
        found = _measured(part, one, groups, settings, categories_by_job, totals, compared)
        images.append(found.images)
        disputed.append(keep(in_portions(found.disputed)))
        only_theirs.append(keep(in_portions(found.only_ground_truth)))
        return found.labels

    labels = keep(measured(*one) for one in zip(parts, columns, grouped, strict=True))
    times = keep(worker_times(one) for one in columns)
    report = consensus_report(names, totals, times, in_order(disputed), settings)
    if compared:
        report["ground_truth"] = {**comparison(compared), "only_ground_truth": in_order(only_theirs)}
    fused = next(iter(grouped))[1]
    renewed = fused.skills if fused else skills or WorkerSkills()
    return PartsResult(labels=labels, images=_stacked(images), report=report, skills=renewed)


def _columns_of(
    parts: Sequence[PartAnswers],
    categories_by_job: Mapping[str, Sequence[str]] | None,
    pseudonym_key: bytes,
    keep: Keep,
) -> Collection[AnswerColumns]:
    """Workers and categories have the same numbers in all parts: those that their sorted names give them."""
    ids: list[list[str]] = []
    workers: dict[str, str] = {}
    categories: set[str] = set()

    def numbered(answers: pd.DataFrame) -> AnswerColumns:
        one = answer_columns(answers, categories_by_job, pseudonym_key=pseudonym_key)
        ids.append(worker_ids(answers))
        workers.update(zip(ids[-1], one.workers, strict=True))
        categories.update(one.categories)
        return one

    columns = keep(numbered(part.answers()) for part in parts)
    if len(columns) == 1:
        return columns
    in_all = {name: workers[name] for name in sorted(workers)}
    return keep(
        renumbered(one, own, in_all, sorted(categories)) for one, own in zip(columns, ids, strict=True)
    )


def _grouped(
    columns: Collection[AnswerColumns], settings: Consensus, skills: WorkerSkills | None, keep: Keep
) -> Collection[tuple[Groups, FusedRound | None]]:
    if settings.method == "fused":
        fused = fuse_parts(columns, min_iou=settings.min_iou, skills=skills, keep=keep)
        return keep((one.groups, one) for one in fused)
    place: Place = "median" if settings.method == "median" else "mean"
    return keep(
        (group_boxes(one, min_iou=settings.min_iou, place=place, tolerance=HAND_TOLERANCE), None)
        for one in columns
    )


def _measured(
    part: PartAnswers,
    columns: AnswerColumns,
    grouped: tuple[Groups, FusedRound | None],
    settings: Consensus,
    categories_by_job: Mapping[str, Sequence[str]] | None,
    totals: RoundTotals,
    compared: Totals,
) -> _Measured:
    groups, fused = grouped
    pairs = box_pairs(columns, groups)
    by_task = task_agreement(columns, pairs)
    by_image = image_agreement(columns, by_task)
    if fused:
        disputes = find_doubts(columns, fused, max_doubt=settings.max_doubt)
    else:
        disputes = find_disputes(columns, groups, pairs, by_task, min_agreement=settings.min_agreement)
    totals.add(columns, groups, pairs, disputes, by_image)
    labels = labels_of(columns, groups)
    only: list[dict[str, Any]] = []
    if part.consolidated is None and settings.method == "ground-truth":
        raise ConsensusError(
            "method: ground-truth needs the consolidated boxes of the jobs; give them or use majority."
        )
    if part.consolidated is not None:
        beside = consolidated_beside(
            columns,
            groups,
            part.consolidated(),
            min_iou=settings.min_iou,
            categories_by_job=categories_by_job,
        )
        compared.add(**beside.sums)
        only = _only_ground_truth(labels, beside.boxes[beside.image >= 0], settings)
        if settings.method == "ground-truth":
            labels = scored_consolidated(columns, groups, beside)
    return _Measured(
        labels=labels,
        images=_image_frame(columns, by_image, disputes.images, image_reasons(columns, groups, disputes)),
        disputed=dispute_report(columns, groups, disputes, by_image),
        only_ground_truth=only,
    )


def _stacked(images: list[pd.DataFrame]) -> pd.DataFrame:
    if len(images) == 1:
        return images[0]
    return pd.concat(images, ignore_index=True).sort_values("source_ref", ignore_index=True)


def _only_ground_truth(
    labels: pd.DataFrame, boxes: pd.DataFrame, settings: Consensus
) -> list[dict[str, Any]]:
    """Ground Truth's boxes on answered images that stand beside no label of ours."""
    if "job" not in boxes:
        boxes, labels = boxes.assign(job=""), labels.assign(job="")
    boxes = boxes.fillna({"job": "", "category": ""}).reset_index(drop=True)
    only = beside_none(labels, boxes, min_iou=settings.min_iou)
    return only_ground_truth(boxes, only)


def _image_frame(
    columns: AnswerColumns, agreement: Floats, disputed: Any, reasons: list[str]
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "source_ref": columns.images,
            "answers": _workers_of_images(columns),
            "agreement": agreement,
            "disputed": disputed,
            "reason": reasons,
        }
    )
    return frame.astype({"source_ref": "str", "answers": "int16", "disputed": "bool", "reason": "str"})


def _workers_of_images(columns: AnswerColumns) -> Ints:
    pairs = np.stack([columns.task_image[columns.answer_task], columns.answer_worker], axis=1)
    width = max(len(columns.workers), 1)
    distinct = np.unique(pairs[:, 0] * width + pairs[:, 1])
    return np.bincount(distinct // width, minlength=len(columns.images))
