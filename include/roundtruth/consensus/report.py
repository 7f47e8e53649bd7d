"""The content of consensus.json: what was measured, with the parameters it was measured by."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from roundtruth.consensus.agreement import BoxPairs, agreement_report, agreement_sums
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.disputes import Disputes
from roundtruth.consensus.majority import Groups
from roundtruth.consensus.matching import HAND_TOLERANCE, SAME_CATEGORY_BONUS, Floats
from roundtruth.consensus.parts import Totals
from roundtruth.consensus.workers import CARELESS_PARAMETERS, WorkerTimes, worker_reports, worker_sums
from roundtruth.project import Consensus

REPORT_VERSION = 1

_PORTION = 500  # entries
_COUNTS = (
    *("images", "images_with_objects", "images_disputed", "tasks", "workers", "answers", "repeated_answers"),
    *("boxes", "zero_area_boxes", "repeated_boxes", "groups", "objects"),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundTotals:
    """What the report needs of all parts of a round."""

    counts: Totals
    agreement: Totals
    workers: Totals

    @classmethod
    def nothing(cls) -> RoundTotals:
        """Before any part."""
        return cls(counts=Totals(), agreement=Totals(), workers=Totals())

    def add(
        self, columns: AnswerColumns, groups: Groups, pairs: BoxPairs, disputes: Disputes, agreement: Floats
    ) -> None:
        """Add a part.

        :param agreement: of each image, 0–1; NaN with one answer.
        """
        self.counts.add(**_counts(columns, groups, disputes))
        known = agreement[np.isfinite(agreement)]
        self.agreement.add(
            **agreement_sums(columns, groups, pairs), images=len(known), of_images=float(known.sum())
        )
        self.workers.add(**worker_sums(columns, groups, pairs))


class Entries(list[dict[str, Any]]):
    """A list of the report that lies in files: entries of all parts in the order of their images.

    A list, because only a list is written as one; nothing but going through it and asking whether it is empty
    works. Their numbers have ten digits at most already: nothing looks at each again.
    """

    def __init__(self, parts: Sequence[Collection[list[dict[str, Any]]]]) -> None:
        super().__init__()
        self._parts = parts

    def __iter__(self) -> Iterator[dict[str, Any]]:
        entries = (chain.from_iterable(part) for part in self._parts)
        return merge(*entries, key=lambda entry: str(entry["source_ref"]))

    def __bool__(self) -> bool:
        return any(True for _ in self)


def in_order(parts: Sequence[Collection[list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """The entries of all parts, each with its own sorted by image; in memory only where there is one part."""
    return list(chain.from_iterable(parts[0])) if len(parts) == 1 else Entries(parts)


def in_portions(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The entries so many at a time, as they are kept and read again."""
    for start in range(0, len(entries), _PORTION):
        yield entries[start : start + _PORTION]


def consensus_report(
    names: AnswerColumns,
    totals: RoundTotals,
    times: Collection[WorkerTimes],
    disputed: list[dict[str, Any]],
    settings: Consensus,
) -> dict[str, Any]:
    """Parameters, counts, agreement, workers (by pseudonym) and disputed images of a round.

    :param names: columns of any part, for the names of workers and categories.
    :param disputed: entries of ``disputes.dispute_report``.
    """
    workers = worker_reports(names.workers, totals.workers, times)
    images = totals.agreement["images"]
    return {
        "version": REPORT_VERSION,
        "parameters": {
            **settings.model_dump(mode="json"),
            "same_category_bonus": SAME_CATEGORY_BONUS,
            "hand_tolerance": HAND_TOLERANCE,
            "careless": CARELESS_PARAMETERS,
        },
        "counts": {
            name: len(names.workers) if name == "workers" else totals.counts[name] for name in _COUNTS
        },
        "agreement": {
            "mean": totals.agreement["of_images"] / images if images else None,
            **agreement_report(names.categories, totals.agreement),
        },
        "workers": workers,
        "careless_workers": [entry["worker"] for entry in workers if entry["careless"]],
        "disputed_images": disputed,
    }


def report_with_gold(report: dict[str, Any], gold: dict[str, Any]) -> dict[str, Any]:
    """The report with what workers did on gold images (``gold.gold_report``); careless there is careless."""
    careless = sorted({*report["careless_workers"], *gold["careless_workers"]})
    return {**report, "careless_workers": careless, "gold": gold}


def encode_report(report: dict[str, Any]) -> bytes:
    """The report as JSON, the same bytes for the same report: keys in the order of the report, ten digits."""
    return b"".join(encoded_report(report))


def encoded_report(report: dict[str, Any]) -> Iterator[bytes]:
    """``encode_report`` piece by piece: what lies in files is read as it is written."""
    yield from _encoded(_plain(report), 1)
    yield b"\n"


# The indenting encoder of json is Python and slow. The one in C writes an entry in one line, with the same
# numbers and texts, and msgspec sets blanks and line breaks as the indenting one does.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def _encoded(value: Any, depth: int) -> Iterator[bytes]:
    """Entries that lie in files one by one, the rest at once; every line begins with so many blanks more."""
    start = b"\n" + b" " * depth
    before = b""
    if isinstance(value, dict) and value:
        for name, entry in value.items():
            yield (before or b"{") + start + _ENCODER.encode(str(name)).encode() + b": "
            yield from _encoded(entry, depth + 1)
            before = b","
        yield start[:-1] + b"}"
    elif isinstance(value, Entries):
        for entry in value:
            yield (before or b"[") + start + _at_once(entry, start)
            before = b","
        yield start[:-1] + b"]" if before else b"[]"
    else:
        yield _at_once(value, start[:-1])


def _at_once(value: Any, start: bytes) -> bytes:
    """No text holds a line break of its own: in JSON it is written as two letters."""
    return msgspec.json.format(_ENCODER.encode(value).encode(), indent=1).replace(b"\n", start)


def _counts(columns: AnswerColumns, groups: Groups, disputes: Disputes) -> dict[str, int]:
    with_objects = np.zeros(len(columns.images), bool)
    with_objects[columns.task_image[groups.task[groups.accepted]]] = True
    return {
        "images": len(columns.images),
        "images_with_objects": int(with_objects.sum()),
        "images_disputed": int(disputes.images.sum()),
        "tasks": len(columns.task_answers),
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
    if isinstance(value, Entries):
        return value
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    # Ten digits: what differs beyond is the order of an addition, not a result.
    return round(value, 10) if isinstance(value, float) else value
