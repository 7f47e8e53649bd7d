"""How far people agreed, laid out for a page: confusion of categories, workers, images by agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roundtruth.overviews.consensus_report import Confused, ConsensusReport, WorkerReport
from roundtruth.overviews.round_images import RoundImages

MOST_CATEGORIES = 20  # rows of the matrix; the others are one row and column
BINS = 10
SHADES = 10
NOT_DRAWN, OTHERS = "not drawn", "other categories"


@dataclass(frozen=True, kw_only=True)
class ConfusionCell:
    """How often; ``shade`` 0–10 is its share of the row, for its ground."""

    count: int
    shade: int


@dataclass(frozen=True, kw_only=True)
class ConfusionMatrix:
    """Rows are what the consensus says, columns what a worker drew; ``names`` are those of both.

    ``hidden`` counts the categories that OTHERS stands for.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[ConfusionCell, ...], ...]
    hidden: int = 0


@dataclass(frozen=True, kw_only=True)
class AgreementHistogram:
    """Images by the agreement of their workers, BINS bins from 0 to 1; ``unknown``: under two answers."""

    counts: tuple[int, ...]
    unknown: int


def confusion_matrix(cells: Sequence[Confused]) -> ConfusionMatrix | None:
    """The matrix of the most frequent categories; None without any."""
    if not cells:
        return None
    totals: dict[str, int] = {}
    for cell in cells:
        for name in (cell.consensus, cell.worker):
            if name is not None:
                totals[name] = totals.get(name, 0) + cell.count
    most = sorted(sorted(totals), key=lambda name: -totals[name])[:MOST_CATEGORIES]
    hidden = len(totals) - len(most)
    names = [*sorted(most), *([OTHERS] if hidden else []), NOT_DRAWN]
    place: dict[str | None, int] = {name: number for number, name in enumerate(names[:-1])}
    last, others = len(names) - 1, len(names) - 2
    counts = np.zeros((len(names), len(names)), np.int64)
    for cell in cells:
        row, column = (
            last if name is None else place.get(name, others) for name in (cell.consensus, cell.worker)
        )
        counts[row, column] += cell.count
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = np.ceil(shares * SHADES).astype(int)
    rows = tuple(
        tuple(ConfusionCell(count=count, shade=shade) for count, shade in zip(*pair, strict=True))
        for pair in zip(counts.tolist(), shades.tolist(), strict=True)
    )
    return ConfusionMatrix(names=tuple(names), rows=rows, hidden=hidden)


def agreement_histogram(images: RoundImages) -> AgreementHistogram:
    """How many images agree how far."""
    known = images.agreement[~np.isnan(images.agreement)]
    place = np.clip((known * BINS).astype(np.int64), 0, BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    return AgreementHistogram(counts=tuple(counts.tolist()), unknown=len(images) - len(known))


def workers_worst_first(report: ConsensusReport) -> list[tuple[WorkerReport, bool]]:
    """Each worker, and whether careless: those first, then by F1; who cannot be compared comes last."""
    careless = set(report.careless_workers)

    def rank(worker: WorkerReport) -> tuple[bool, float, str]:
        return worker.worker not in careless, 2.0 if worker.f1 is None else worker.f1, worker.worker

    return [(worker, worker.worker in careless) for worker in sorted(report.workers, key=rank)]
