"""Ground Truth's own consolidation: similar boxes of different workers are averaged, the rest is kept.

Its code is not public. This is what its documentation says (Jaccard index, mean) and what its real output
shows (two public jobs of five workers, 600 images): coordinates are plain means, boxes of one worker stay,
and the confidence rises with the number of workers behind a box: of 5, about .09 .19 .34 .59 .82.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from roundtruth.sandbox.truth import TrueBox

_MIN_JACCARD = 0.5


@dataclass(frozen=True, kw_only=True)
class ConsolidatedBox:
    """One box of the output manifest; `box` in pixels, `confidence` 0-1."""

    box: TrueBox
    confidence: float


def consolidate_boxes(answers: Sequence[Sequence[TrueBox]]) -> list[ConsolidatedBox]:
    """Fuse the boxes of all workers who answered; boxes without area are dropped: no real output has any."""
    boxes = [
        (worker, box)
        for worker, drawn in enumerate(answers)
        for box in drawn
        if box.width > 0 and box.height > 0
    ]
    fused = [_fused([boxes[member] for member in cluster], len(answers)) for cluster in _clusters(boxes)]
    return sorted(fused, key=lambda one: (-one.confidence, one.box.left, one.box.top, one.box.label))


def consolidate_labels(answers: Sequence[str]) -> tuple[str, float]:
    """The class that most workers chose (the first in the alphabet of equals), and its confidence."""
    votes = Counter(answers)
    label = min(votes, key=lambda one: (-votes[one], one))
    return label, _confidence(votes[label], len(answers), 1.0)


def _clusters(boxes: Sequence[tuple[int, TrueBox]]) -> list[list[int]]:
    """Best pair first; a cluster holds at most one box of a worker, all of one class."""
    pairs = sorted(
        (
            (-jaccard(boxes[one][1], boxes[other][1]), one, other)
            for one, other in combinations(range(len(boxes)), 2)
            if boxes[one][0] != boxes[other][0] and boxes[one][1].label == boxes[other][1].label
        ),
    )
    cluster_of = {member: [member] for member in range(len(boxes))}
    for negative, one, other in pairs:
        if -negative < _MIN_JACCARD:
            break
        first, second = cluster_of[one], cluster_of[other]
        if first is second or {boxes[m][0] for m in first} & {boxes[m][0] for m in second}:
            continue
        first.extend(second)
        for member in second:
            cluster_of[member] = first
    unique = {id(cluster): cluster for cluster in cluster_of.values()}
    return list(unique.values())


def _fused(members: Sequence[tuple[int, TrueBox]], workers: int) -> ConsolidatedBox:
    boxes = [box for _, box in members]
    mean = TrueBox(
        label=boxes[0].label,
        left=_mean([box.left for box in boxes]),
        top=_mean([box.top for box in boxes]),
        width=_mean([box.width for box in boxes]),
        height=_mean([box.height for box in boxes]),
    )
    likeness = sum(jaccard(box, mean) for box in boxes) / len(boxes)
    return ConsolidatedBox(box=mean, confidence=_confidence(len(boxes), workers, likeness))


def _mean(values: Sequence[float]) -> float:
    # Equal values stay what they are: a replayed box must come out to the last digit.
    mean = values[0] if len(set(values)) == 1 else sum(values) / len(values)
    return int(mean) if float(mean).is_integer() else mean


def _confidence(votes: int, workers: int, likeness: float) -> float:
    if workers == 1:
        return 0  # of one worker there is no agreement: 0 in every real job since 2021
    share = (votes - 1) / (workers - 1)
    return round(float(0.09 + 0.86 * share**1.5 * likeness), 2)


def jaccard(one: TrueBox, other: TrueBox) -> float:
    """Shared area over covered area, 0–1."""
    width = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    height = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / (one.width * one.height + other.width * other.height - shared))
