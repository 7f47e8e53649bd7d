"""The quality part of a project file: thresholds of the checks, and how severe a failure is."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from roundtruth.labeling_settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]
Severity = Literal["critical", "warning", "info"]


class Quality(Settings):
    """Thresholds of the checks, and severities that differ from the default, by check name."""

    # What each check is and why: quality/checks.py. A critical check blocks the release, or quarantines the
    # images that fail it where only they are at fault; a warning is shown; info is counted.
    default_severities: ClassVar[dict[str, Severity]] = {
        "columns_and_types": "critical",
        "label_image_known": "critical",
        "category_known": "critical",
        "box_inside_image": "critical",
        "positive_size": "critical",
        "sliver_clipped": "info",
        "box_side": "warning",
        "box_area": "warning",
        "aspect_ratio": "warning",
        "box_fills_image": "warning",
        "duplicate_box": "warning",
        "two_classes_on_one_object": "warning",
        "images_accounted_for": "critical",
        "image_listed_once": "critical",
        "status_known": "critical",
        "status_fits_boxes": "critical",
        "size_known": "critical",
        "size_as_drawn": "critical",
        "image_readable": "warning",
        "content_unique": "warning",
        "near_duplicate": "warning",
        "extension_fits": "warning",
        "image_unchanged": "warning",
        "upright": "info",
        "boxes_per_image": "warning",
        "quarantined_share": "critical",
        "negative_share": "warning",
        "boxes_per_category": "warning",
        "images_per_category": "warning",
        "class_balance": "warning",
        "manifest_line_usable": "warning",
        "image_in_one_split": "critical",
        "content_in_one_split": "critical",
        "near_duplicates_in_one_split": "warning",
        "category_in_every_split": "warning",
        "split_filled": "warning",
        "dataset_file_valid": "critical",
        "class_drift": "warning",
        "box_size_drift": "warning",
        "boxes_per_image_drift": "warning",
        "time_per_box": "warning",
        "worker_share": "warning",
        "worker_agreement": "warning",
        "round_agreement": "warning",
    }

    clip_tolerance: float = Field(default=1, ge=0)  # pixels; a box that sticks out no further is clipped
    min_box_side: float = Field(default=2, ge=0)  # pixels
    min_box_area: float = Field(default=16, ge=0)  # pixels²; 4 × 4 is a quarter of YOLO's finest cell, 8 × 8
    max_aspect_ratio: float = Field(default=50, ge=1)
    max_box_share: Share = 0.98  # of the image's area
    duplicate_iou: Share = 0.9
    max_boxes_per_image: int = Field(default=300, ge=1)  # what YOLO's prediction keeps (max_det)
    near_duplicates: bool = True  # read each image once: its pixels, digest and perceptual hash
    near_duplicate_distance: int = Field(default=6, ge=0, le=11)  # of 64 bits
    max_negative_share: Share = 0.9
    max_quarantine_share: Share = 0.2  # of the planned images; more is a broken job, not broken images
    min_boxes_per_category: int = Field(default=1, ge=0)
    min_images_per_category: int = Field(default=1, ge=0)
    max_class_imbalance: float = Field(default=100, ge=1)  # boxes of the commonest class for one of another
    max_class_drift: Share = 0.2  # total variation between new images and the last version
    max_box_size_drift: Share = 0.3  # Kolmogorov–Smirnov distance, 0–1
    max_boxes_per_image_drift: Share = 0.3  # the same
    min_seconds_per_box: float = Field(default=1, ge=0)  # a worker's median
    max_worker_share: Share = 0.6  # of a round's answers
    min_worker_agreement: Share = 0.5  # F1 with the other workers of the same images
    min_round_agreement: Share = 0.5  # mean over the round's images
    severities: dict[str, Severity] = Field(default_factory=dict)

    @field_validator("severities")
    @classmethod
    def _name_checks(cls, severities: dict[str, Severity]) -> dict[str, Severity]:
        for name in severities:
            if name not in cls.default_severities:
                near = get_close_matches(name, cls.default_severities, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise ValueError(f"there is no check {name!r}{hint}")
        return severities

    def severity(self, check: str) -> Severity:
        """The severity of a check in this project."""
        return self.severities.get(check, self.default_severities[check])
