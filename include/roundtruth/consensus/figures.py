"""The agreement report as figures: who agrees, how workers do, what they confuse, how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.charts import heat_map, histogram, range_chart, share_chart

MOST_WORKERS = 40  # rows of a figure; the ones that do worst come first
MOST_CATEGORIES = 20  # of the matrix; the others are one row and column
_BINS = 10
_NOT_DRAWN = "(not drawn)"
_OTHERS = "(other categories)"


def consensus_figures(report: dict[str, Any], images: pd.DataFrame) -> dict[str, bytes]:
    """SVG files by name; the same report gives the same bytes.

    :param report: of ``measure_consensus``.
    :param images: its images: ``agreement`` (0–1, null with one answer).
    """
    careless = list(report["careless_workers"])
    workers = _worst_first(report["workers"], careless)
    more = len(report["workers"]) - len(workers)
    shown = f" (the {len(workers)} worst of {len(report['workers'])})" if more else ""
    rows = {str(worker["worker"]): (worker["recall"], worker["precision"]) for worker in workers}
    figures = {
        "agreement.svg": _agreement(images),
        "workers.svg": share_chart(
            f"Workers against the others{shown}", rows, ["recall", "precision"], marked=careless
        ),
        "confusion.svg": _confusion(report["agreement"]["confusion"]),
    }
    seconds = {
        str(worker["worker"]): worker["seconds_percentiles"]
        for worker in workers
        if worker["seconds_percentiles"]
    }
    if seconds:  # files of 2019 do not say
        figures["seconds.svg"] = range_chart(
            f"Time per task{shown}", seconds, unit="seconds a task", marked=careless
        )
    if "gold" in report:
        figures["gold.svg"] = _gold(report["gold"], careless)
    return figures


def _gold(gold: dict[str, Any], careless: Sequence[str]) -> bytes:
    """Each worker against the truth; careless ones first, then by what they found of it."""

    def rank(worker: dict[str, Any]) -> tuple[bool, float, str]:
        recall = worker["recall"]
        return not worker["careless"], 2.0 if recall is None else recall, str(worker["worker"])

    workers = sorted(gold["workers"], key=rank)[:MOST_WORKERS]
    more = len(gold["workers"]) - len(workers)
    shown = f" (the {len(workers)} worst of {len(gold['workers'])})" if more else ""
    measures = {"recall": "recall", "precision": "precision", "right names": "category_accuracy"}
    rows = {
        str(worker["worker"]): [worker[name] for name in (*measures.values(), "mean_iou")]
        for worker in workers
    }
    title = f"Workers on {gold['images']} gold images{shown}"
    return share_chart(title, rows, [*measures, "box accuracy"], marked=careless)


def _agreement(images: pd.DataFrame) -> bytes:
    known = images["agreement"].dropna().to_numpy(np.float64)
    place = np.minimum((known * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(place, minlength=_BINS).tolist()
    bins = {f"{start / _BINS:.1f}–{(start + 1) / _BINS:.1f}": count for start, count in enumerate(counts)}
    alone = len(images) - len(known)
    across = "agreement of an image" + (f"; {alone} images with one answer are not shown" if alone else "")
    return histogram("Images by agreement of their workers", bins, across=across)


def _worst_first(workers: Sequence[dict[str, Any]], careless: Sequence[str]) -> list[dict[str, Any]]:
    """Careless workers first, then by F1; who cannot be compared comes last."""

    def rank(worker: dict[str, Any]) -> tuple[bool, float, str]:
        f1 = worker["f1"]
        return worker["worker"] not in careless, 2.0 if f1 is None else f1, str(worker["worker"])

    return sorted(workers, key=rank)[:MOST_WORKERS]


def _confusion(cells: Sequence[dict[str, Any]]) -> bytes:
    """Rows are what the consensus says, columns what a worker drew."""
    totals: dict[str, int] = {}
    for cell in cells:
        for side in ("consensus", "worker"):
            if cell[side] is not None:
                totals[cell[side]] = totals.get(cell[side], 0) + cell["count"]
    most = sorted(sorted(totals), key=lambda name: -totals[name])[:MOST_CATEGORIES]
    names = [*sorted(most), *([_OTHERS] if len(totals) > len(most) else []), _NOT_DRAWN]
    place = {name: number for number, name in enumerate(names)}
    counts = [[0] * len(names) for _ in names]
    for cell in cells:
        row, column = (_shown(cell[side], place) for side in ("consensus", "worker"))
        counts[place[row]][place[column]] += cell["count"]
    return heat_map(
        "What workers drew", names, names, counts, axes="rows: the consensus; columns: one worker's answer"
    )


def _shown(name: str | None, place: dict[str, int]) -> str:
    if name is None:
        return _NOT_DRAWN
    return name if name in place else _OTHERS
