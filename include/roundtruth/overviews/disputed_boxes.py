"""What people disagree about on one image, as a page draws it."""

from __future__ import annotations

from dataclasses import dataclass

from roundtruth.datasets.boxes import PixelBox, upright_box, upright_size
from roundtruth.overviews.consensus_report import ConsensusReport, DisputedObject
from roundtruth.overviews.image_boxes import ShownImage


@dataclass(frozen=True, kw_only=True)
class DisputedBox:
    """An object in doubt; its place is in pixels of the upright image."""

    reasons: tuple[str, ...]  # extra, missing, label mismatch, …
    category: str
    left: float
    top: float
    width: float
    height: float
    votes: int  # workers who drew it, of `answers`
    answers: int
    not_drawn_by: tuple[str, ...]  # pseudonyms


def disputed_boxes(report: ConsensusReport | None, image: ShownImage) -> tuple[DisputedBox, ...]:
    """The objects of an image that are in doubt, in the order of the report; empty where people agree."""
    found = report.disputes_of(image.source_ref) if report else ()
    return tuple(_shown(one, image) for one in found)


def _shown(found: DisputedObject, image: ShownImage) -> DisputedBox:
    box = PixelBox(0, found.left, found.top, found.width, found.height)
    if image.width is not None and image.height is not None:
        stored = upright_size(image.width, image.height, image.orientation)
        box = upright_box(box, *stored, image.orientation)
    return DisputedBox(
        reasons=found.reasons,
        category=found.category or "",
        left=box.left,
        top=box.top,
        width=box.width,
        height=box.height,
        votes=found.votes,
        answers=found.answers,
        not_drawn_by=found.not_drawn_by,
    )
