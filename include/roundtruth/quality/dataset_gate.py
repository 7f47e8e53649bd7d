"""The gate of a release: check the images and labels that are to become a dataset version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from roundtruth.quality.checks import Check, boxes_per_image_check, category_checks, published_checks
from roundtruth.quality.copies import look_alikes_elsewhere
from roundtruth.quality.drift import drift_suite
from roundtruth.quality.judging import judged
from roundtruth.quality.measures import category_measures
from roundtruth.quality.membership import is_among, rows_of_each
from roundtruth.quality.rules import Between, InSet
from roundtruth.quality.suites import Suite
from roundtruth.quality.verdict import Verdict
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage


def check_dataset(
    images: pd.DataFrame,
    labels: pd.DataFrame,
    classes: Sequence[str],
    settings: Quality,
    *,
    splits: Sequence[str] | None = None,
    facts: pd.DataFrame | None = None,
    last: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    docs_uri: ObjectUri | None = None,
    storage: Storage | None = None,
) -> Verdict:
    """Check what is about to be published; changes nothing, so each critical failure blocks.

    :param images: source_ref, split, etag, and with ``last`` also width and height; one row an image of the
        version.
    :param labels: source_ref, category, and with ``last`` also width and height (pixels); one row a box.
    :param classes: the names of the class registry.
    :param splits: the splits that must hold images; those that occur when it is not given.
    :param facts: what the images' bytes tell (image_facts.IMAGE_FACTS), to find look-alikes in two splits.
    :param last: images and labels of the last version, to compare what is new with.
    :param docs_uri: where Data Docs are written (index.html at its top), through ``storage``.
    :raises QualityError: when a check cannot be evaluated.
    """
    images, labels = images.reset_index(drop=True), labels.reset_index(drop=True)
    wanted = list(splits) if splits is not None else sorted(images["split"].dropna().unique())
    image_suite, *split_suites = suites_of_splits(images, labels, classes, wanted)
    suites = [
        Suite(
            name=image_suite.name,
            frame=image_suite.frame,
            key=image_suite.key,
            checks=(*image_suite.checks, *published_checks(settings), _boxes_per_image(settings)),
        ),
        Suite(
            name="dataset_labels",
            frame=_label_measures(images, labels),
            key=("source_ref", "category"),
            checks=_label_checks(classes),
        ),
        Suite(
            name="dataset_categories",
            frame=category_measures(labels, classes),
            key=("category",),
            checks=category_checks(settings),
        ),
        *split_suites,
        *([look_alike_suite(images, facts, settings)] if facts is not None else []),
        *([drift_suite(images, labels, *last, classes, settings)] if last is not None else []),
    ]
    counts = {
        "images": len(images),
        "negatives": int(image_suite.frame["negative"].sum()),
        "boxes": len(labels),
        **{f"images_{split}": int((images["split"] == split).sum()) for split in wanted},
    }
    return judged(suites, settings, counts=counts, docs_uri=docs_uri, storage=storage).verdict


def suites_of_splits(
    images: pd.DataFrame, labels: pd.DataFrame, classes: Sequence[str], splits: Sequence[str]
) -> tuple[Suite, Suite, Suite]:
    """How images and categories lie in the splits: each image in one, each split filled, each class in each.

    :param images: source_ref, split, etag; ``labels``: source_ref, category.
    """
    filled = pd.DataFrame(
        {
            "split": pd.Series(list(splits), dtype="str"),
            "images": [float((images["split"] == split).sum()) for split in splits],
        }
    )
    return (
        Suite(
            name="dataset_images",
            frame=_image_measures(images, labels),
            key=("source_ref", "split"),
            checks=_IMAGE_CHECKS,
        ),
        Suite(name="dataset_splits", frame=filled, key=("split",), checks=(_SPLIT_FILLED,)),
        Suite(
            name="dataset_categories_by_split",
            frame=_split_measures(images, labels, classes, splits),
            key=("category", "split"),
            checks=(_IN_EVERY_SPLIT,),
        ),
    )


def look_alike_suite(images: pd.DataFrame, facts: pd.DataFrame, settings: Quality) -> Suite:
    """Whether an image shows nearly the same as one of another split.

    :param images: source_ref, split, etag.
    :param facts: of these images (image_facts.IMAGE_FACTS).
    """
    found = look_alikes_elsewhere(images, facts, max_distance=settings.near_duplicate_distance)
    return Suite(
        name="dataset_look_alikes",
        frame=pd.DataFrame(
            {
                "source_ref": images["source_ref"].to_numpy(),
                "split": images["split"].to_numpy(),
                "looks_like": pd.Series(found, dtype="str"),
                "elsewhere": (found != "").astype(float),
            }
        ),
        key=("source_ref", "split", "looks_like"),
        checks=(_NEAR_DUPLICATES_IN_ONE_SPLIT,),
    )


def _boxes_per_image(settings: Quality) -> Check:
    return replace(boxes_per_image_check(settings), if_critical="block")  # nothing is quarantined here


_IMAGE_CHECKS = (
    Check(
        name="image_in_one_split",
        rule=Between(column="splits", at_most=1),
        description="Each image is in one split",
        if_critical="block",
    ),
    Check(
        name="content_in_one_split",
        rule=Between(column="splits_of_content", at_most=1),
        description="Images of the same bytes (ETag) are in one split",
        if_critical="block",
    ),
)

_NEAR_DUPLICATES_IN_ONE_SPLIT = Check(
    name="near_duplicates_in_one_split",
    rule=Between(column="elsewhere", at_most=0),
    description="Images that show nearly the same are in one split",
    if_critical="block",
)

_SPLIT_FILLED = Check(
    name="split_filled",
    rule=Between(column="images", above=0),
    description="Each split holds images",
    if_critical="block",
)

_IN_EVERY_SPLIT = Check(
    name="category_in_every_split",
    rule=Between(column="boxes", above=0),
    description="Each split holds boxes of each category",
    if_critical="block",
)


def _label_checks(classes: Sequence[str]) -> tuple[Check, ...]:
    return (
        Check(
            name="label_image_known",
            rule=Between(column="image_rows", at_least=1),
            description="The image of each label is in the dataset",
            if_critical="block",
        ),
        Check(
            name="category_known",
            rule=InSet(column="category", values=tuple(classes)),
            description="Each category is in the class registry",
            if_critical="block",
        ),
    )


def _image_measures(images: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    boxes = rows_of_each(images["source_ref"], labels["source_ref"]).astype(float)
    by_content = images.groupby("etag")["split"].nunique()
    known = images["etag"].fillna("").ne("").to_numpy()
    return pd.DataFrame(
        {
            "source_ref": images["source_ref"].to_numpy(),
            "split": images["split"].to_numpy(),
            "splits": images.groupby("source_ref")["split"].transform("nunique").to_numpy(dtype=float),
            # Without an ETag (a local file) nothing is known of the content.
            "splits_of_content": np.where(known, images["etag"].map(by_content).fillna(1), 1.0).astype(float),
            "negative": (boxes == 0).astype(float),
            "boxes": boxes,
        }
    )


def _label_measures(images: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    known = is_among(labels["source_ref"], images["source_ref"])
    return labels[["source_ref", "category"]].assign(image_rows=known.astype(float))


def _split_measures(
    images: pd.DataFrame, labels: pd.DataFrame, classes: Sequence[str], splits: Sequence[str]
) -> pd.DataFrame:
    split_of = images.drop_duplicates("source_ref").set_index("source_ref")["split"]
    of_labels = pd.DataFrame({"category": labels["category"], "split": labels["source_ref"].map(split_of)})
    counts = pd.Series(of_labels.groupby(["category", "split"], observed=True).size())
    # A class without any box at all is told by boxes_per_category, once.
    used = [name for name in classes if (labels["category"] == name).any()]
    rows = [(name, split, float(counts.get((name, split), 0))) for name in used for split in splits]
    return pd.DataFrame(rows, columns=["category", "split", "boxes"])
