"""Adjustment jobs: the boxes that a worker finds drawn already, and what the worker makes of them.

Developer guide, sms-verification-data: the page's `initial-value` takes them from the label of an earlier job
on the manifest line, `task.input.manifestLine.<label attribute>`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from roundtruth.sandbox.consolidation import jaccard
from roundtruth.sandbox.truth import TrueBox, Truth
from roundtruth.sandbox.workers import Answer

_LABEL = re.compile(r"task\.input\.manifestLine\.([A-Za-z0-9][A-Za-z0-9-]*)\.annotations")
LEFT_ALONE = 0.8  # Jaccard index from which a worker takes a box as right
CORRECTED = 0.3  # below it, a drawn box is another object's
THERE = 0.5  # a box that lies so well on an object is not taken away, also by a worker who overlooked it


def audited_attribute(template: str) -> str | None:
    """The label attribute whose boxes the page shows at first; None when it shows none."""
    found = _LABEL.search(template)
    return found[1] if found and "initial-value" in template else None


def initial_boxes(row: dict[str, Any], attribute: str) -> tuple[TrueBox, ...]:
    """The boxes of an earlier label on a manifest line; raises KeyError or TypeError where it has none."""
    names = row[f"{attribute}-metadata"]["class-map"]
    return tuple(
        TrueBox(
            label=names[str(box["class_id"])],
            **{edge: float(box[edge]) for edge in ("left", "top", "width", "height")},
        )
        for box in row[attribute]["annotations"]
    )


def adjust(initial: Sequence[TrueBox], answer: Answer, image: Truth) -> Answer:
    """What a worker who would draw this answer on the bare image makes of the boxes that are there."""
    if answer.boxes is None:
        return dataclasses.replace(answer, modified=bool(initial))
    drawn = list(answer.boxes)
    left: list[TrueBox] = []
    for box in initial:
        likeness, rival = _closest(box, drawn)
        if rival and likeness >= CORRECTED:
            drawn.remove(rival)
            left.append(box if likeness >= LEFT_ALONE else rival)
        elif any(one.label == box.label and jaccard(one, box) >= THERE for one in image.objects):
            left.append(box)
    boxes = (*left, *drawn)
    return dataclasses.replace(answer, boxes=boxes, modified=boxes != tuple(initial))


def _closest(box: TrueBox, drawn: Sequence[TrueBox]) -> tuple[float, TrueBox | None]:
    alike = [(jaccard(one, box), number) for number, one in enumerate(drawn) if one.label == box.label]
    likeness, number = max(alike, default=(0.0, -1))
    return likeness, drawn[number] if likeness > 0 else None
