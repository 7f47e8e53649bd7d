"""Workers against known truth: what each drew on the gold images of a round, and who looks careless."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from roundtruth.consensus.matching import Floats, Ints, overlap
from roundtruth.consensus.pseudonyms import pseudonym

# A box is on an object from this overlap on, as everywhere in the field (PASCAL VOC).
GOLD_IOU = 0.5
# Careless: even the upper end of the 95 % interval is below it. With few answers the interval is wide, so
# that nobody is named by bad luck; somebody usual reaches .75 and more.
CARELESS_BELOW = 0.6
ENOUGH_IMAGES = 3  # boxes of one image err together: fewer images say nothing
_Z = 1.96

_PLACE = ["left", "top", "width", "height"]
_REASONS = {
    "recall": "misses much of what is there",
    "precision": "draws much that is not there",
    "category_accuracy": "names objects wrongly",
}


@dataclass(frozen=True, kw_only=True)
class GoldCounts:
    """What one worker did on gold images; evidence that a skill can be started from.

    ``false_places``: boxes beside the truth that anybody drew on these images, so the chances to draw one.
    ``outward``: sum over found objects of how far left, top, right and bottom edge lie outside the true one
    (negative: inside), as a share of the true box's side.
    """

    answers: int = 0
    objects: int = 0  # that there were to find
    boxes: int = 0  # that were drawn
    found: int = 0
    right_categories: int = 0  # of those found
    false_boxes: int = 0
    false_places: int = 0
    iou: float = 0.0  # sum over found
    squares: float = 0.0  # sum over found and its four edges of the squared share outside
    outward: tuple[float, float, float, float] = field(default=(0.0, 0.0, 0.0, 0.0))


def gold_counts(
    answers: pd.DataFrame,
    truth: pd.DataFrame,
    images: Sequence[str],
    categories_by_job: Mapping[str, Sequence[str]],
    *,
    pseudonym_key: bytes = b"",
) -> dict[str, GoldCounts]:
    """Count what each worker found, by pseudonym, sorted.

    Boxes are matched with the true ones one to one by overlap alone, so that a wrong category is no miss; of
    all matches the one with the most pairs counts. Of a job's objects only those of its categories count.

    :param answers: ``annotations.ANSWERS`` about gold images; others are passed over.
    :param truth: source_ref, category, left, top, width, height in pixels.
    :param images: all gold images, also those without an object.
    """
    known = answers[answers["source_ref"].isin(set(images))]
    true_rows: Mapping[Any, Any] = truth.groupby("source_ref").indices
    true_edges, true_names = _edges(truth), truth["category"].to_numpy()
    edges, names = _edges(known), known["category"].to_numpy()
    drawn = known["box"].to_numpy(np.int64) >= 0
    rows: Mapping[Any, Any] = known.groupby(["job", "source_ref", "worker"], sort=True).indices
    counts: dict[str, GoldCounts] = {}
    places: dict[tuple[str, str], int] = {}
    seen: dict[str, list[tuple[str, str]]] = {}
    for (job, image, worker), index in rows.items():
        asked = set(categories_by_job[job])
        wanted = [row for row in true_rows.get(image, ()) if true_names[row] in asked]
        boxes = index[drawn[index]]
        one = _answer(edges[boxes], names[boxes], true_edges[wanted], true_names[wanted])
        counts[worker] = _added(counts.get(worker, GoldCounts()), one)
        places[job, image] = places.get((job, image), 0) + one.false_boxes
        seen.setdefault(worker, []).append((job, image))
    named = {
        pseudonym(str(worker), pseudonym_key): replace(
            one, false_places=sum(places[task] for task in seen[worker])
        )
        for worker, one in counts.items()
    }
    return {name: named[name] for name in sorted(named)}


def gold_report(counts: Mapping[str, GoldCounts], images: int) -> dict[str, Any]:
    """The part of consensus.json about gold images: each worker by pseudonym, sorted, and who looks careless.

    ``recall`` and ``precision`` are of places alone, ``category_accuracy`` and ``mean_iou`` over found
    objects, ``outward_bias`` how far edges lie outside the true ones on average, as a share of the side (its
    four values: left, top, right, bottom). None where there is nothing to divide by.
    """
    workers = [_worker(name, counts[name]) for name in sorted(counts)]
    total = GoldCounts()
    for one in counts.values():
        total = _added(total, one)
    return {
        "parameters": {
            "iou": GOLD_IOU,
            "careless_below": CARELESS_BELOW,
            "enough_images": ENOUGH_IMAGES,
        },
        "images": images,
        "answers": total.answers,
        "everybody": _rates(total),
        "workers": workers,
        "careless_workers": [one["worker"] for one in workers if one["careless"]],
    }


def _answer(edges: Floats, names: Any, true_edges: Floats, true_names: Any) -> GoldCounts:
    """One answer about one image."""
    mine, theirs = _matches(edges, true_edges)
    outward, squares = np.zeros(4), 0.0
    if len(mine):
        true = true_edges[theirs]
        sides = np.maximum(true[:, 2:] - true[:, :2], 1e-9)[:, [0, 1, 0, 1]]
        offsets = (edges[mine] - true) * np.array([-1.0, -1.0, 1.0, 1.0]) / sides
        outward, squares = offsets.sum(axis=0), float((offsets**2).sum())
    return GoldCounts(
        answers=1,
        objects=len(true_edges),
        boxes=len(edges),
        found=len(mine),
        right_categories=int((names[mine] == true_names[theirs]).sum()),
        false_boxes=len(edges) - len(mine),
        iou=float(overlap(edges[mine], true_edges[theirs]).sum()),
        squares=squares,
        outward=_four(outward),
    )


def _matches(edges: Floats, true_edges: Floats) -> tuple[Ints, Ints]:
    overlaps = overlap(edges[:, None], true_edges[None])
    # One more pair outweighs any gain of overlap, see evaluation.py.
    gain = np.where(overlaps >= GOLD_IOU, min(overlaps.shape, default=0) + 1.0 + overlaps, 0.0)
    mine, theirs = linear_sum_assignment(gain, maximize=True)
    fits = overlaps[mine, theirs] >= GOLD_IOU
    return mine[fits], theirs[fits]


def _worker(name: str, counts: GoldCounts) -> dict[str, Any]:
    return {
        "worker": name,
        "answers": counts.answers,
        "objects": counts.objects,
        "boxes": counts.boxes,
        **_rates(counts),
        "careless": _careless(counts),
    }


def _rates(counts: GoldCounts) -> dict[str, Any]:
    bias = [_ratio(one, counts.found) for one in counts.outward]
    return {
        "recall": _ratio(counts.found, counts.objects),
        "precision": _ratio(counts.found, counts.boxes),
        "category_accuracy": _ratio(counts.right_categories, counts.found),
        "mean_iou": _ratio(counts.iou, counts.found),
        "outward_bias": bias if counts.found else None,
    }


def _careless(counts: GoldCounts) -> list[str]:
    """Why a worker looks careless; empty for most."""
    if counts.answers < ENOUGH_IMAGES:
        return []
    shares = {
        "recall": (counts.found, counts.objects),
        "precision": (counts.found, counts.boxes),
        "category_accuracy": (counts.right_categories, counts.found),
    }
    return [_REASONS[name] for name, share in shares.items() if _at_most(*share) < CARELESS_BELOW]


def _at_most(hits: int, tries: int) -> float:
    """The upper end of Wilson's 95 % interval of a share (Wilson 1927); 1 without a try."""
    if not tries:
        return 1.0
    share = hits / tries
    middle = share + _Z**2 / (2 * tries)
    width = _Z * math.sqrt(share * (1 - share) / tries + _Z**2 / (4 * tries**2))
    return (middle + width) / (1 + _Z**2 / tries)


def _added(first: GoldCounts, second: GoldCounts) -> GoldCounts:
    one, other = asdict(first), asdict(second)
    outward = _four(np.add(one.pop("outward"), other.pop("outward")))
    return GoldCounts(**{name: one[name] + other[name] for name in one}, outward=outward)


def _edges(frame: pd.DataFrame) -> Floats:
    edges = frame[_PLACE].to_numpy(np.float64, copy=True)
    edges[:, 2:] += edges[:, :2]
    return edges


def _four(values: Any) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(value) for value in values)
    return left, top, right, bottom


def _ratio(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None
