"""Every check: which table it judges, by which rule, and what a critical failure leads to.

A check on rows quarantines the images at fault: their labels leave, the rest of the round goes on. A check
that tells of a mistake in the round itself (an unknown category, images that are not accounted for, a table
without its columns) blocks the release: leaving out the rows would hide it. Severities: quality_settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from roundtruth.annotations import STATUSES
from roundtruth.quality.rules import Between, InSet, RowCount, Rule, Unique
from roundtruth.quality_settings import Quality


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule over one table; ``name`` is what quality.severities overrides."""

    name: str
    rule: Rule
    description: str
    if_critical: Literal["quarantine", "block"]


COLUMN_CHECKS = (
    Check(
        name="columns_and_types",
        rule=Between(column="fits", at_least=1),
        description="Each required column is there, with its type",
        if_critical="block",
    ),
)


FILE_CHECKS = (
    Check(
        name="dataset_file_valid",
        rule=Between(column="valid", at_least=1),
        description="Each label file and image of the dataset can be used by a trainer",
        if_critical="block",
    ),
)


def label_checks(settings: Quality, categories: Sequence[str]) -> tuple[Check, ...]:
    """The checks on labels (measures.label_measures)."""
    return (
        Check(
            name="label_image_known",
            rule=Between(column="image_rows", at_least=1),
            description="The image of each label is in the images table",
            if_critical="block",
        ),
        Check(
            name="category_known",
            rule=InSet(column="category", values=tuple(categories)),
            description="Each category is one of the project",
            if_critical="block",
        ),
        Check(
            name="box_inside_image",
            rule=Between(column="overhang_px", at_most=0),
            description=f"Boxes lie inside their image ({settings.clip_tolerance:g} px over is clipped)",
            if_critical="quarantine",
        ),
        Check(
            name="positive_size",
            rule=Between(column="shorter_side_px", above=0),
            description="Boxes have a width and a height",
            if_critical="quarantine",
        ),
        Check(
            name="sliver_clipped",
            rule=Between(column="clipped_px", at_most=0),
            description=f"No box had to be clipped to its image (at most {settings.clip_tolerance:g} px)",
            if_critical="quarantine",
        ),
        Check(
            name="box_side",
            rule=Between(column="shorter_side_px", at_least=settings.min_box_side),
            description=f"The shorter side of a box is at least {settings.min_box_side:g} px",
            if_critical="quarantine",
        ),
        Check(
            name="box_area",
            rule=Between(column="area_px2", at_least=settings.min_box_area),
            description=f"The area of a box is at least {settings.min_box_area:g} px²",
            if_critical="quarantine",
        ),
        Check(
            name="aspect_ratio",
            rule=Between(column="aspect_ratio", at_most=settings.max_aspect_ratio),
            description=f"A box is at most {settings.max_aspect_ratio:g} times as long as it is wide",
            if_critical="quarantine",
        ),
        Check(
            name="box_fills_image",
            rule=Between(column="image_share", at_most=settings.max_box_share),
            description=f"A box covers at most {settings.max_box_share:.0%} of its image",
            if_critical="quarantine",
        ),
        Check(
            name="duplicate_box",
            rule=Between(column="same_class_iou", **_below(settings.duplicate_iou)),
            description=f"No two boxes of one class overlap by IoU {settings.duplicate_iou:g} or more",
            if_critical="quarantine",
        ),
        Check(
            name="two_classes_on_one_object",
            rule=Between(column="other_class_iou", **_below(settings.duplicate_iou)),
            description=f"No two boxes of two classes overlap by IoU {settings.duplicate_iou:g} or more",
            if_critical="quarantine",
        ),
    )


def image_checks(settings: Quality, *, planned: int) -> tuple[Check, ...]:
    """The checks on images (measures.image_measures), with ``quarantined`` beside the measures."""
    return (
        Check(
            name="images_accounted_for",
            rule=RowCount(expected=planned),
            description=f"Each of the {planned} planned images is accounted for",
            if_critical="block",
        ),
        Check(
            name="image_listed_once",
            rule=Unique(column="source_ref"),
            description="Each image is listed once",
            if_critical="block",
        ),
        Check(
            name="status_known",
            rule=InSet(column="status", values=STATUSES),
            description="Each image has one of the statuses",
            if_critical="block",
        ),
        Check(
            name="status_fits_boxes",
            rule=Between(column="contradicts", at_most=0),
            description="Labeled images have boxes, negatives have none",
            if_critical="quarantine",
        ),
        Check(
            name="size_known",
            rule=Between(column="smaller_side_px", above=0),
            description="The size of each image to publish is known",
            if_critical="quarantine",
        ),
        Check(
            name="size_as_drawn",
            rule=Between(column="size_difference_px", at_most=0),
            description="Stored images have the size that was drawn on",
            if_critical="quarantine",
        ),
        Check(
            name="image_readable",
            rule=Between(column="unreadable", at_most=0),
            description="Images can be read",
            if_critical="block",
        ),
        Check(
            name="content_unique",
            rule=Between(column="earlier_copies", at_most=0),
            description="No two images hold the same bytes",
            if_critical="quarantine",
        ),
        Check(
            name="upright",
            rule=Between(column="rotated", at_most=0),
            description="Images are stored upright (no EXIF rotation)",
            if_critical="quarantine",
        ),
        boxes_per_image_check(settings),
        Check(
            name="quarantined_share",
            rule=Between(column="quarantined", at_most=0, allowed_share=settings.max_quarantine_share),
            description=f"At most {settings.max_quarantine_share:.0%} of the images are quarantined",
            if_critical="block",
        ),
    )


def boxes_per_image_check(settings: Quality) -> Check:
    """The check on the number of an image's boxes, in a round and in a dataset."""
    return Check(
        name="boxes_per_image",
        rule=Between(column="boxes", at_most=settings.max_boxes_per_image),
        description=f"An image has at most {settings.max_boxes_per_image} boxes",
        if_critical="quarantine",
    )


def content_checks(settings: Quality) -> tuple[Check, ...]:
    """The checks on what the bytes of images tell (copies.content_measures)."""
    return (
        Check(
            name="near_duplicate",
            rule=Between(column="near_copies", at_most=0),
            description="No two images show nearly the same "
            f"(fingerprints differ by more than {settings.near_duplicate_distance} of 64 bits)",
            if_critical="quarantine",
        ),
        Check(
            name="extension_fits",
            rule=Between(column="extension_lies", at_most=0),
            description="An image has the format that its name says",
            if_critical="quarantine",
        ),
        Check(
            name="image_unchanged",
            rule=Between(column="gone", at_most=0),
            description="Images are still those that were planned, neither replaced nor deleted",
            if_critical="quarantine",
        ),
    )


def published_checks(settings: Quality) -> tuple[Check, ...]:
    """The checks on the images that are published: the image measures after quarantine."""
    return (
        Check(
            name="negative_share",
            rule=Between(column="negative", at_most=0, allowed_share=settings.max_negative_share),
            description=f"At most {settings.max_negative_share:.0%} of the images are negatives",
            if_critical="block",
        ),
    )


def category_checks(settings: Quality) -> tuple[Check, ...]:
    """The checks on categories (measures.category_measures)."""
    minimum = settings.min_boxes_per_category
    return (
        Check(
            name="boxes_per_category",
            rule=Between(column="boxes", at_least=minimum),
            description=f"Each category has at least {minimum} box{'es' if minimum != 1 else ''}",
            if_critical="block",
        ),
        Check(
            name="images_per_category",
            rule=Between(column="images", at_least=settings.min_images_per_category),
            description=f"Each category is on at least {settings.min_images_per_category} "
            f"image{'s' if settings.min_images_per_category != 1 else ''}",
            if_critical="block",
        ),
        Check(
            name="class_balance",
            rule=Between(column="imbalance", at_most=settings.max_class_imbalance),
            description=f"For one box of a category there are at most {settings.max_class_imbalance:g} of "
            "the commonest",
            if_critical="block",
        ),
    )


def _below(iou: float) -> dict[str, float]:
    # Measures below the threshold are 0, so with a threshold of 0 any overlap at all counts.
    return {"below": iou} if iou > 0 else {"at_most": 0.0}
