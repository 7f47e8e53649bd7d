"""The gate of a round: check its tables, quarantine what fails, and say whether the release may go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from roundtruth.annotations import IMAGES, LABELS, PUBLISHABLE, QUARANTINED, STATUSES
from roundtruth.project import Quality
from roundtruth.quality import checks
from roundtruth.quality.judging import judged
from roundtruth.quality.measures import (
    category_measures,
    clip_slivers,
    column_measures,
    image_measures,
    label_measures,
)
from roundtruth.quality.quarantine import count_images, find_faults, quarantine
from roundtruth.quality.validation import Suite
from roundtruth.quality.verdict import Verdict
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class QualityResult:
    """A round's tables after quarantine, and the verdict; see `Verdict.require_passed` for stopping."""

    labels: pd.DataFrame
    images: pd.DataFrame
    verdict: Verdict


def check_round(
    *,
    labels: pd.DataFrame,
    images: pd.DataFrame,
    planned: int,
    settings: Quality,
    categories: Sequence[str],
    drawn_sizes: pd.DataFrame | None = None,
    also: Sequence[Suite] = (),
    docs_uri: ObjectUri | None = None,
    storage: Storage | None = None,
) -> QualityResult:
    """Check a round's labels and images (annotations.LABELS, annotations.IMAGES).

    Boxes that stick out of their image by no more than ``settings.clip_tolerance`` are clipped and counted.
    Images that fail a critical check on their rows get status QUARANTINED with the reason, and their labels
    leave; critical failures of the round itself make ``verdict.passed`` false. Labels of images that are not
    published (disputed ones) are kept and not judged. The tables that came in are not changed.

    :param planned: images in the round's plan; the images table must hold exactly these.
    :param categories: the project's categories, to which all labels must have been mapped.
    :param drawn_sizes: source_ref, width, height as Ground Truth reports them, to compare with those stored.
    :param also: suites over other tables, judged and shown with these.
    :param docs_uri: where Data Docs are written (index.html at its top), through ``storage``.
    :raises QualityError: when a check cannot be evaluated at all.
    """
    labels, images = labels.reset_index(drop=True), images.reset_index(drop=True)
    columns = _columns_suite(labels, images)
    if not columns.frame["fits"].all():
        # Nothing else can be measured; the verdict blocks on the columns.
        verdict = judged([columns], settings, docs_uri=docs_uri, storage=storage, counts={"planned": planned})
        return QualityResult(labels=labels, images=images, verdict=verdict)
    judgeable = _judgeable(labels, images)
    clipped, clipped_by = clip_slivers(labels[judgeable], images, tolerance=settings.clip_tolerance)
    labels = pd.concat([clipped, labels[~judgeable]]).sort_index() if len(clipped) < len(labels) else clipped
    label_suite = Suite(
        name="labels",
        frame=label_measures(clipped, images, clipped_by=clipped_by, duplicate_iou=settings.duplicate_iou),
        key=("source_ref", "category"),
        checks=checks.label_checks(settings, categories),
    )
    image_suite = Suite(
        name="images",
        frame=image_measures(images, labels, drawn_sizes),
        key=("source_ref", "status"),
        checks=checks.image_checks(settings, planned=planned),
    )
    labels, images = quarantine(labels, images, _faults((label_suite, image_suite), settings))
    quarantined = (images["status"] == QUARANTINED).to_numpy()
    image_suite.frame["quarantined"] = quarantined.astype(float)
    published = images["status"].isin(list(PUBLISHABLE)).to_numpy()
    suites = [
        columns,
        label_suite,
        image_suite,
        Suite(
            name="published_images",
            frame=image_suite.frame[published].reset_index(drop=True),
            key=("source_ref", "status"),
            checks=checks.published_checks(settings),
        ),
        Suite(
            name="categories",
            frame=category_measures(_published(labels, images), categories),
            key=("category",),
            checks=checks.category_checks(settings),
        ),
    ]
    verdict = judged(
        [*suites, *also],
        settings,
        docs_uri=docs_uri,
        storage=storage,
        counts={**count_images(images, planned=planned), "clipped_boxes": int((clipped_by > 0).sum())},
    )
    return QualityResult(labels=labels, images=images, verdict=verdict)


def _columns_suite(labels: pd.DataFrame, images: pd.DataFrame) -> Suite:
    return Suite(
        name="columns",
        frame=column_measures([("labels", labels, LABELS), ("images", images, IMAGES)]),
        key=("table", "column", "problem"),
        checks=checks.COLUMN_CHECKS,
    )


def _judgeable(labels: pd.DataFrame, images: pd.DataFrame) -> np.ndarray:
    """Labels that would be published, and those whose image or its status nobody knows."""
    held_back = images["status"].isin([status for status in STATUSES if status not in PUBLISHABLE])
    return ~labels["source_ref"].isin(images.loc[held_back, "source_ref"]).to_numpy()


def _published(labels: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    published = images.loc[images["status"].isin(list(PUBLISHABLE)), "source_ref"]
    return labels[labels["source_ref"].isin(published)]


def _faults(suites: Sequence[Suite], settings: Quality) -> dict[str, dict[str, int]]:
    return find_faults(
        {
            check.name: (suite.frame["source_ref"], check.rule.failing(suite.frame))
            for suite in suites
            for check in suite.checks
            if check.if_critical == "quarantine" and settings.severity(check.name) == "critical"
        }
    )
