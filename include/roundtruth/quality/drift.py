"""How far what is new in a dataset differs from its last version: classes, box sizes, boxes an image.

New images are compared with the last version, not the whole new version with it: that one holds mostly the
same images, and would hide any change. What the numbers of images allow by chance counts as no change.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from roundtruth.quality.checks import Check
from roundtruth.quality.membership import is_among, places_among, rows_of_each
from roundtruth.quality.rules import Between
from roundtruth.quality.suites import Suite
from roundtruth.quality_settings import Quality

# One release in a thousand is flagged although nothing has changed.
BY_CHANCE = 0.001

Floats = NDArray[np.float64]


def drift_suite(
    images: pd.DataFrame,
    labels: pd.DataFrame,
    last_images: pd.DataFrame,
    last_labels: pd.DataFrame,
    classes: Sequence[str],
    settings: Quality,
) -> Suite:
    """The checks of what is new against the last version; without new images nothing has changed.

    :param images: source_ref, etag, width, height; ``labels``: source_ref, category, width, height (pixels).
        The same columns of the last version.
    """
    is_new = ~is_among(_identities(images), _identities(last_images))
    new_images = images[is_new]
    new_labels = labels[is_among(labels["source_ref"], new_images["source_ref"])]
    changes = {
        "class_distribution": _class_change(new_labels, last_labels, classes),
        "box_size": _distance(
            _sizes(new_labels, new_images),
            _sizes(last_labels, last_images),
            images=(new_labels["source_ref"].nunique(), last_labels["source_ref"].nunique()),
        ),
        "boxes_per_image": _distance(
            _counts(new_labels, new_images),
            _counts(last_labels, last_images),
            images=(len(new_images), len(last_images)),
        ),
    }
    rows: list[dict[str, object]] = []
    for measure, (change, allowance) in changes.items():
        row: dict[str, object] = dict.fromkeys(changes, 0.0)
        row[measure] = change if change > allowance else 0.0
        row["comparison"] = (
            f"{measure.replace('_', ' ')}: {change:.2f}, by chance up to {min(allowance, 1):.2f} "
            f"({len(new_images)} new images, {len(last_images)} before)"
        )
        rows.append(row)
    return Suite(
        name="dataset_drift", frame=pd.DataFrame(rows), key=("comparison",), checks=_checks(settings)
    )


def _checks(settings: Quality) -> tuple[Check, ...]:
    return (
        Check(
            name="class_drift",
            rule=Between(column="class_distribution", at_most=settings.max_class_drift),
            description="The classes of new images are spread as in the last version "
            f"(total variation at most {settings.max_class_drift:g})",
            if_critical="block",
        ),
        Check(
            name="box_size_drift",
            rule=Between(column="box_size", at_most=settings.max_box_size_drift),
            description="Boxes of new images have the sizes of the last version "
            f"(Kolmogorov–Smirnov distance at most {settings.max_box_size_drift:g})",
            if_critical="block",
        ),
        Check(
            name="boxes_per_image_drift",
            rule=Between(column="boxes_per_image", at_most=settings.max_boxes_per_image_drift),
            description="New images have as many boxes as those of the last version "
            f"(Kolmogorov–Smirnov distance at most {settings.max_boxes_per_image_drift:g})",
            if_critical="block",
        ),
    )


def _identities(images: pd.DataFrame) -> pd.Series:
    return images["source_ref"].astype("str") + "\n" + images["etag"].fillna("").astype("str")


def _class_change(new: pd.DataFrame, last: pd.DataFrame, classes: Sequence[str]) -> tuple[float, float]:
    """Total variation of the classes' shares, 0–1, and how much of it may be chance.

    Chance: the expected distance of two samples of one distribution, and McDiarmid's bound above it. Boxes of
    an image are alike, so it is images that are counted, not boxes.
    """
    if new.empty or last.empty:
        return 0.0, 0.0
    shares = [
        rows_of_each(pd.Series(list(classes), dtype="str"), frame["category"]) / frame["category"].count()
        for frame in (new, last)
    ]
    per_image = 1 / new["source_ref"].nunique() + 1 / last["source_ref"].nunique()
    both = (shares[0] + shares[1]) / 2
    expected = np.sqrt(both * (1 - both) * per_image * 2 / np.pi).sum() / 2
    bound = np.sqrt(np.log(1 / BY_CHANCE) / 2 * per_image)
    return float(np.abs(shares[0] - shares[1]).sum() / 2), float(expected + bound)


def _distance(new: Floats, last: Floats, *, images: tuple[int, int]) -> tuple[float, float]:
    """Kolmogorov–Smirnov distance of two samples, 0–1, and how much of it may be chance."""
    if not len(new) or not len(last):
        return 0.0, 0.0
    statistic = float(ks_2samp(new, last, method="asymp").statistic)
    # The usual critical value, sqrt(-ln(α / 2) / 2 · (1/n + 1/m)).
    chance = np.sqrt(-np.log(BY_CHANCE / 2) / 2 * (1 / max(images[0], 1) + 1 / max(images[1], 1)))
    return statistic, float(chance)


def _sizes(labels: pd.DataFrame, images: pd.DataFrame) -> Floats:
    """The side of each box as a share of its image's: cameras of other resolutions are no drift."""
    # Behind the last image stands the area of place -1, an image that nobody knows.
    areas = np.append(images["width"].to_numpy(float) * images["height"].to_numpy(float), np.nan)
    area = areas[places_among(labels["source_ref"], images["source_ref"])]
    sides = np.sqrt(labels["width"] * labels["height"] / area).to_numpy(dtype=np.float64)
    return np.asarray(sides[np.isfinite(sides)], dtype=np.float64)


def _counts(labels: pd.DataFrame, images: pd.DataFrame) -> Floats:
    return rows_of_each(images["source_ref"], labels["source_ref"]).astype(np.float64)
