"""Each worker against the consensus of the others: recall, precision, accuracy, speed; who looks careless."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roundtruth.consensus.agreement import BoxPairs, boxes_of_answers
from roundtruth.consensus.answer_columns import AnswerColumns
from roundtruth.consensus.majority import Groups
from roundtruth.consensus.matching import Bools, Floats, Ints, overlap
from roundtruth.consensus.parts import Totals

# Below so many answers beside others' a worker is not judged: chance decides (facts: five images a worker).
ENOUGH_ANSWERS = 5
# What looks careless, against the median worker of the round: hard images lower everybody.
CARELESS_BELOW_MEDIAN = {"recall": 0.25, "precision": 0.25, "box_accuracy": 0.2}
CARELESS_FLOOR = 0.5  # and whoever is below this, whatever the others are
CARELESS_SHARE_OF_TIME = 0.25
PERCENTILES = (10, 25, 50, 75, 90)

CARELESS_PARAMETERS = {
    "enough_answers": ENOUGH_ANSWERS,
    "below_median": CARELESS_BELOW_MEDIAN,
    "floor": CARELESS_FLOOR,
    "share_of_time": CARELESS_SHARE_OF_TIME,
}

_SUMS = (
    *("answers", "empty", "compared", "boxes", "judged", "hits", "wanted", "overlap", "same_category"),
    *("alike_pairs", "pairs", "pair_iou", "both"),
)
_REASONS = {
    "recall": "misses much of what the others draw",
    "precision": "draws much that the others do not",
    "box_accuracy": "draws boxes that fit badly",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkerTimes:
    """The known times of a part, seconds, sorted by worker; those of worker n from ``starts[n]`` on."""

    seconds: Floats
    starts: Ints


def worker_sums(columns: AnswerColumns, groups: Groups, pairs: BoxPairs) -> dict[str, Floats]:
    """What a part adds to ``worker_reports``, by name; one entry a worker each."""
    drawn = boxes_of_answers(columns)
    return {
        **_against_the_others(columns, groups),
        "answers": _per_worker(columns, columns.answer_worker),
        "empty": _per_worker(columns, columns.answer_worker[drawn == 0]),
        "compared": _per_worker(
            columns, columns.answer_worker[columns.task_answers[columns.answer_task] > 1]
        ),
        **_pairwise(columns, pairs, drawn),
    }


def worker_times(columns: AnswerColumns) -> WorkerTimes:
    """The times of a part, where the files say them."""
    known = np.isfinite(columns.answer_seconds)
    order = np.argsort(columns.answer_worker[known], kind="stable")
    counts = np.bincount(columns.answer_worker[known], minlength=len(columns.workers))
    return WorkerTimes(seconds=columns.answer_seconds[known][order], starts=np.r_[0, np.cumsum(counts)])


def worker_reports(
    workers: Sequence[str], totals: Totals, times: Collection[WorkerTimes]
) -> list[dict[str, Any]]:
    """One entry a worker, sorted by pseudonym.

    ``recall``, ``precision`` and ``f1`` compare with the majority of the other workers of the same task;
    ``box_accuracy`` is the mean IoU with the mean box of the others; ``category_accuracy`` the share of those
    boxes that have the category most others chose. ``seconds_percentiles`` are the ``PERCENTILES`` of the
    time that an answer took. None where there is nothing to compare, or no time is known.

    :param workers: their pseudonyms, by number.
    :param totals: of ``worker_sums``; ``times``: of all parts.
    """
    found = {name: totals[name] for name in _SUMS}
    seconds = _percentiles(len(workers), list(times))
    reports = []
    for number, worker in enumerate(workers):
        of = {name: float(values[number]) for name, values in found.items()}
        spent = seconds[number]
        report: dict[str, Any] = {
            "worker": worker,
            "answers": int(of["answers"]),
            "compared_answers": int(of["compared"]),
            "boxes": int(of["boxes"]),
            "empty_share": _ratio(of["empty"], of["answers"]),
            "median_seconds": spent[PERCENTILES.index(50)] if spent else None,
            "seconds_percentiles": spent,
            "recall": _ratio(of["hits"], of["wanted"]),
            "precision": _ratio(of["hits"], of["judged"]),
            "f1": _ratio(2 * of["hits"], of["wanted"] + of["judged"]),
            "box_accuracy": _ratio(of["overlap"], of["hits"]),
            "category_accuracy": _ratio(of["same_category"], of["hits"]),
            "pairwise_iou": _ratio(of["pair_iou"], of["pairs"]),
            "pairwise_f1": _ratio(2 * of["alike_pairs"], of["both"]),
        }
        reports.append(report)
    usual = {name: _median(reports, name) for name in (*CARELESS_BELOW_MEDIAN, "median_seconds")}
    reports = [{**report, "careless": _careless(report, usual)} for report in reports]
    return sorted(reports, key=lambda report: str(report["worker"]))


def _against_the_others(columns: AnswerColumns, groups: Groups) -> dict[str, Floats]:
    """Sums a worker over what the others' majority says of his tasks, without a loop over workers."""
    usable = np.flatnonzero(columns.box_usable & (columns.task_answers[columns.box_task] > 1))
    group, worker = groups.box_group[usable], columns.box_worker[usable]
    votes, answers = groups.votes[group], groups.answers[group]
    real = 2 * (votes - 1) > answers - 1  # the others' majority drew it too
    # Objects of his tasks by the others: for what he left out all votes are others', for what he drew one is
    # his.
    certain = (2 * groups.votes > groups.answers - 1) & (groups.answers > 1)
    per_task = np.bincount(groups.task, weights=certain, minlength=len(columns.task_answers))
    wanted = _per_worker(columns, columns.answer_worker, per_task[columns.answer_task])
    wanted += _per_worker(columns, worker, real.astype(np.float64) - certain[group])
    hits = real & (votes > 1)
    rows, hit_worker = usable[hits], worker[hits]
    return {
        "boxes": _per_worker(columns, columns.box_worker[columns.box_usable]),
        "judged": _per_worker(columns, worker),
        "hits": _per_worker(columns, hit_worker),
        "wanted": wanted,
        "overlap": _per_worker(columns, hit_worker, _overlap_with_others(columns, groups, rows)),
        "same_category": _per_worker(columns, hit_worker, _names_it_as_others(columns, groups, rows)),
    }


def _overlap_with_others(columns: AnswerColumns, groups: Groups, rows: Ints) -> Floats:
    """IoU of boxes with the mean of the other boxes of their groups."""
    members = np.flatnonzero(columns.box_usable)
    sums = np.stack(
        [
            np.bincount(
                groups.box_group[members],
                weights=columns.box_edges[members, edge],
                minlength=len(groups.votes),
            )
            for edge in range(4)
        ],
        axis=1,
    )
    group = groups.box_group[rows]
    edges = columns.box_edges.take(rows, axis=0)
    mean = (sums.take(group, axis=0) - edges) / (groups.votes[group] - 1)[:, None]
    return overlap(edges, mean)


def _names_it_as_others(columns: AnswerColumns, groups: Groups, rows: Ints) -> Bools:
    """Whether no category has more of the other votes than the one that the worker chose."""
    group = groups.box_group[rows]
    # Without his own vote only the winning category can still lead, and only with a vote to spare.
    others = groups.category_votes[group] - 1
    result: Bools = (columns.box_category[rows] == groups.category[group]) & (others > 0)
    return result & (others >= groups.runner_up_votes[group])


def _pairwise(columns: AnswerColumns, pairs: BoxPairs, drawn: Ints) -> dict[str, Floats]:
    """Each worker's boxes beside those of every other worker of his tasks, matched one to one.

    ``both`` are all boxes that he and each of the others drew; ``alike_pairs`` are of one category.
    """
    matched = {name: np.zeros(len(columns.workers)) for name in ("alike_pairs", "pairs", "pair_iou")}
    for side in (pairs.first, pairs.second):
        worker = columns.box_worker[side]
        matched["alike_pairs"] += _per_worker(columns, worker[pairs.same_category])
        matched["pairs"] += _per_worker(columns, worker)
        matched["pair_iou"] += _per_worker(columns, worker, pairs.iou)
    others = columns.task_answers[columns.answer_task] - 1
    total = np.bincount(columns.answer_task, weights=drawn, minlength=len(columns.task_answers))
    both = others * drawn + (total[columns.answer_task] - drawn) * (others > 0)
    return {**matched, "both": _per_worker(columns, columns.answer_worker, both)}


def _percentiles(workers: int, times: list[WorkerTimes]) -> list[list[float] | None]:
    """The percentiles of each worker's times, one worker after the other; None for a worker without any."""
    found: list[list[float] | None] = []
    for number in range(workers):
        seconds = np.concatenate([one.seconds[one.starts[number] : one.starts[number + 1]] for one in times])
        found.append(np.percentile(seconds, PERCENTILES).tolist() if len(seconds) else None)
    return found


def _median(reports: list[dict[str, Any]], name: str) -> float | None:
    known = [report[name] for report in reports if report[name] is not None]
    return float(np.median(known)) if known else None


def _careless(report: dict[str, Any], usual: dict[str, float | None]) -> list[str]:
    """Why a worker looks careless; empty for most."""
    if report["compared_answers"] < ENOUGH_ANSWERS:
        return []
    reasons = []
    for name, margin in CARELESS_BELOW_MEDIAN.items():
        value, median = report[name], usual[name]
        if value is not None and median is not None and value < max(median - margin, CARELESS_FLOOR):
            reasons.append(_REASONS[name])
    seconds, median = report["median_seconds"], usual["median_seconds"]
    if seconds is not None and median and seconds < CARELESS_SHARE_OF_TIME * median:
        reasons.append("works in less than a quarter of the usual time")
    return reasons


def _per_worker(columns: AnswerColumns, worker: Ints, weights: NDArray[Any] | None = None) -> Floats:
    return np.bincount(worker, weights=weights, minlength=len(columns.workers)).astype(np.float64)


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
