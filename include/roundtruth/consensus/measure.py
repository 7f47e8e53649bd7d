"""Fuse the answers of a round into labels, and measure how far people agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.consensus.agreement import box_pairs, image_agreement, task_agreement
from roundtruth.consensus.answer_columns import AnswerColumns, answer_columns
from roundtruth.consensus.consolidated import first_of_jobs, score_consolidated
from roundtruth.consensus.disputes import find_disputes, find_doubts, image_reasons
from roundtruth.consensus.fused import FusedRound, fuse_boxes
from roundtruth.consensus.ground_truth_boxes import beside_ground_truth, only_ground_truth
from roundtruth.consensus.majority import Groups, Place, group_boxes, labels_of
from roundtruth.consensus.matching import HAND_TOLERANCE, Floats, Ints
from roundtruth.consensus.report import consensus_report
from roundtruth.consensus.worker_skills import WorkerSkills
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
    if settings.method == "ground-truth" and consolidated is None:
        raise ConsensusError(
            "method: ground-truth needs the consolidated boxes of the jobs; give them or use majority."
        )
    columns = answer_columns(answers, categories_by_job, pseudonym_key=pseudonym_key)
    groups, fused = _groups(columns, settings, skills)
    pairs = box_pairs(columns, groups)
    by_task = task_agreement(columns, pairs)
    by_image = image_agreement(columns, by_task)
    if fused:
        disputes = find_doubts(columns, fused, max_doubt=settings.max_doubt)
    else:
        disputes = find_disputes(columns, groups, pairs, by_task, min_agreement=settings.min_agreement)
    report = consensus_report(columns, groups, pairs, disputes, by_image, settings)
    labels = labels_of(columns, groups)
    if consolidated is not None:
        kept, report["ground_truth"] = score_consolidated(
            columns,
            groups,
            consolidated,
            min_iou=settings.min_iou,
            categories_by_job=categories_by_job,
        )
        report["ground_truth"]["only_ground_truth"] = _only_ground_truth(
            labels, consolidated[first_of_jobs(consolidated, categories_by_job)], columns, settings
        )
        labels = kept if settings.method == "ground-truth" else labels
    images = _image_frame(columns, by_image, disputes.images, image_reasons(columns, groups, disputes))
    renewed = fused.skills if fused else skills or WorkerSkills()
    return ConsensusResult(labels=labels, images=images, report=report, skills=renewed)


def _groups(
    columns: AnswerColumns, settings: Consensus, skills: WorkerSkills | None
) -> tuple[Groups, FusedRound | None]:
    if settings.method == "fused":
        fused = fuse_boxes(columns, min_iou=settings.min_iou, skills=skills)
        return fused.groups, fused
    place: Place = "median" if settings.method == "median" else "mean"
    return group_boxes(columns, min_iou=settings.min_iou, place=place, tolerance=HAND_TOLERANCE), None


def _only_ground_truth(
    labels: pd.DataFrame, consolidated: pd.DataFrame, columns: AnswerColumns, settings: Consensus
) -> list[dict[str, Any]]:
    """Ground Truth's boxes on answered images that stand beside no label of ours."""
    boxes = consolidated[consolidated["source_ref"].isin(columns.images)]
    if "job" not in boxes:
        boxes, labels = boxes.assign(job=""), labels.assign(job="")
    boxes = boxes.fillna({"job": "", "category": ""}).reset_index(drop=True)
    _, only = beside_ground_truth(labels, boxes, min_iou=settings.min_iou)
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
