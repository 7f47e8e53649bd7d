"""The content of consensus.json: what was measured, with the parameters it was measured by."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from roundtruth.consensus.agreement import BoxPairs, agreement_report
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.disputes import Disputes, dispute_report
from roundtruth.consensus.majority import Groups
from roundtruth.consensus.matching import HAND_TOLERANCE, SAME_CATEGORY_BONUS, Floats
from roundtruth.consensus.workers import CARELESS_PARAMETERS, worker_reports
from roundtruth.project import Consensus

REPORT_VERSION = 1


def consensus_report(
    columns: AnswerColumns,
    groups: Groups,
    pairs: BoxPairs,
    disputes: Disputes,
    agreement: Floats,
    settings: Consensus,
) -> dict[str, Any]:
    """Parameters, counts, agreement, workers (by pseudonym) and disputed images of a round.

    :param agreement: of each image, 0–1; NaN with one answer.
    """
    workers = worker_reports(columns, groups, pairs)
    known = agreement[np.isfinite(agreement)]
    return {
        "version": REPORT_VERSION,
        "parameters": {
            **settings.model_dump(mode="json"),
            "same_category_bonus": SAME_CATEGORY_BONUS,
            "hand_tolerance": HAND_TOLERANCE,
            "careless": CARELESS_PARAMETERS,
        },
        "counts": _counts(columns, groups, disputes),
        "agreement": {
            "mean": float(known.mean()) if len(known) else None,
            **agreement_report(columns, groups, pairs),
        },
        "workers": workers,
        "careless_workers": [entry["worker"] for entry in workers if entry["careless"]],
        "disputed_images": dispute_report(columns, groups, disputes, agreement),
    }


def report_with_gold(report: dict[str, Any], gold: dict[str, Any]) -> dict[str, Any]:
    """The report with what workers did on gold images (``gold.gold_report``); careless there is careless."""
    careless = sorted({*report["careless_workers"], *gold["careless_workers"]})
    return {**report, "careless_workers": careless, "gold": gold}


def encode_report(report: dict[str, Any]) -> bytes:
    """The report as JSON, the same bytes for the same report: keys in the order of the report, ten digits."""
    text = json.dumps(_plain(report), ensure_ascii=False, indent=1, allow_nan=False)
    return f"{text}\n".encode()


def _counts(columns: AnswerColumns, groups: Groups, disputes: Disputes) -> dict[str, int]:
    with_objects = np.zeros(len(columns.images), bool)
    with_objects[columns.task_image[groups.task[groups.accepted]]] = True
    return {
        "images": len(columns.images),
        "images_with_objects": int(with_objects.sum()),
        "images_disputed": int(disputes.images.sum()),
        "tasks": len(columns.task_answers),
        "workers": len(columns.workers),
        "answers": len(columns.answer_task),
        "repeated_answers": columns.repeated_answers,
        "boxes": len(columns.box_task),
        "zero_area_boxes": columns.zero_area_boxes,
        "repeated_boxes": columns.repeated_boxes,
        "groups": int((groups.votes > 0).sum()),
        "objects": int(groups.accepted.sum()),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    # Ten digits: what differs beyond is the order of an addition, not a result.
    return round(value, 10) if isinstance(value, float) else value
