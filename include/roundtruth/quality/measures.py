"""What the checks judge: for each label, image and category the few numbers that tell good from bad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from roundtruth.annotations import LABELED, NEGATIVE, PUBLISHABLE, UNREADABLE
from roundtruth.quality.copies import content_of
from roundtruth.quality.membership import is_among, places_among
from roundtruth.quality.overlaps import highest_overlaps

BOX = ["left", "top", "width", "height"]
FLOAT_NOISE = 1e-6  # pixels; left + width of fractional boxes is not exact


def column_measures(tables: Sequence[tuple[str, pd.DataFrame, pa.Schema]]) -> pd.DataFrame:
    """One row a required column: ``table``, ``column``, ``problem`` (empty if none), ``fits`` (0 or 1)."""
    rows = [
        {"table": name, "column": field.name, "problem": _column_problem(frame, field)}
        for name, frame, schema in tables
        for field in schema
    ]
    measures = pd.DataFrame(rows)
    measures["fits"] = (measures["problem"] == "").astype(float)
    return measures


def clip_slivers(
    labels: pd.DataFrame, images: pd.DataFrame, *, tolerance: float
) -> tuple[pd.DataFrame, pd.Series]:
    """Cut boxes that stick out of their image by at most ``tolerance`` pixels; also by how much each was.

    Boxes that stick out further are left as they are, for the check to fail.
    """
    overhang = _overhang(labels, images)
    cut = ((overhang > FLOAT_NOISE) & (overhang <= tolerance)).to_numpy()
    clipped_by = pd.Series(np.where(cut, overhang, 0.0), index=labels.index)
    if not cut.any():
        return labels, clipped_by
    result = labels.copy()
    size = _image_size(labels.loc[cut], images)
    boxes = labels.loc[cut, BOX].to_numpy(dtype=float)
    right = np.minimum(boxes[:, 0] + boxes[:, 2], size[:, 0])
    bottom = np.minimum(boxes[:, 1] + boxes[:, 3], size[:, 1])
    left, top = np.maximum(boxes[:, 0], 0), np.maximum(boxes[:, 1], 0)
    result.loc[cut, BOX] = np.stack([left, top, right - left, bottom - top], axis=1)
    return result, clipped_by


def label_measures(
    labels: pd.DataFrame, images: pd.DataFrame, *, clipped_by: pd.Series, duplicate_iou: float
) -> pd.DataFrame:
    """One row a label, in the same order: its image, category and measures (pixels, or shares 0–1).

    ``same_class_iou`` and ``other_class_iou`` are those with an *earlier* box of the image, and 0 below
    ``duplicate_iou``: of two copies the later one fails. A label whose image is unknown, or has no known
    size, is judged on that by checks of their own, and counts as inside.
    """
    boxes = labels[BOX].to_numpy(dtype=float)
    size = _image_size(labels, images)
    shorter, longer = boxes[:, 2:].min(axis=1), boxes[:, 2:].max(axis=1)
    same, other = highest_overlaps(
        _codes(labels["source_ref"]), _codes(labels["category"]), boxes, minimum_iou=duplicate_iou
    )
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # A box without an area fails `positive_size`; it has no shape that could be absurd too.
        aspect = np.where(shorter > 0, longer / shorter, 1.0)
        share = np.nan_to_num((boxes[:, 2] * boxes[:, 3]) / (size[:, 0] * size[:, 1]), nan=0.0)
    rows_of_image = images["source_ref"].value_counts()
    places = places_among(labels["source_ref"], rows_of_image.index)
    return pd.DataFrame(
        {
            "source_ref": labels["source_ref"].to_numpy(),
            "category": labels["category"].to_numpy(),
            "image_rows": np.append(rows_of_image.to_numpy(dtype=float), 0.0)[places],
            "overhang_px": _overhang(labels, images).to_numpy(),
            "clipped_px": clipped_by.to_numpy(),
            "shorter_side_px": shorter,
            "area_px2": np.maximum(boxes[:, 2], 0) * np.maximum(boxes[:, 3], 0),
            "aspect_ratio": aspect,
            "image_share": share,
            "same_class_iou": same,
            "other_class_iou": other,
        }
    )


def image_measures(
    images: pd.DataFrame,
    boxes: NDArray[np.float64],
    drawn_sizes: pd.DataFrame | None,
    *,
    content: pd.Series | None = None,
    known_content: frozenset[str] = frozenset(),
) -> pd.DataFrame:
    """One row an image, in the same order; ``boxes`` says how many labels each has.

    ``drawn_sizes`` (source_ref, width, height) are the sizes that Ground Truth or the workers' pages report;
    images that are not in it count as the size that was drawn on. ``content`` and ``known_content`` are those
    of copies.content_of; without them ETag and size tell which images hold the same bytes.
    """
    publishable = images["status"].isin(list(PUBLISHABLE)).to_numpy()
    status = images["status"]
    contradicts = ((status == LABELED).to_numpy() & (boxes == 0)) | (
        (status == NEGATIVE).to_numpy() & (boxes > 0)
    )
    size = images[["width", "height"]].to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "source_ref": images["source_ref"].to_numpy(),
            "status": status.to_numpy(),
            "boxes": boxes,
            "contradicts": contradicts.astype(float),
            # Only images on their way into a dataset must have a size: an unreadable one cannot.
            "smaller_side_px": np.where(publishable, np.nan_to_num(size.min(axis=1), nan=0.0), np.inf),
            "size_difference_px": _size_difference(images, size, drawn_sizes),
            "unreadable": (status == UNREADABLE).to_numpy(dtype=float),
            "earlier_copies": _earlier_copies(
                content_of(images, None, None)[0] if content is None else content, known_content
            ),
            "rotated": (images["orientation"].fillna(1) != 1).to_numpy(dtype=float),
            "negative": (status == NEGATIVE).to_numpy(dtype=float),
        }
    )


def category_measures(labels: pd.DataFrame, categories: Sequence[str]) -> pd.DataFrame:
    """One row a category of the project: its ``boxes``, ``images`` with one, and ``imbalance``.

    The imbalance is how many boxes of the commonest category there are for one of this; 1 for a category
    without any box, which is told by its boxes.
    """
    counts = labels["category"].value_counts()
    with_one = labels.drop_duplicates(["source_ref", "category"])["category"].value_counts()
    boxes = np.array([float(counts.get(name, 0)) for name in categories])
    return pd.DataFrame(
        {
            "category": pd.Series(list(categories), dtype="str"),
            "boxes": boxes,
            "images": [float(with_one.get(name, 0)) for name in categories],
            "imbalance": np.where(boxes > 0, boxes.max(initial=0) / np.maximum(boxes, 1), 1.0),
        }
    )


def _column_problem(frame: pd.DataFrame, field: pa.Field) -> str:
    if field.name not in frame.columns:
        return "is missing"
    try:
        pa.Array.from_pandas(frame[field.name], type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError) as error:
        return f"is not {field.type}: {str(error).partition(chr(10))[0]}"
    return ""


def _image_size(labels: pd.DataFrame, images: pd.DataFrame) -> NDArray[np.float64]:
    """Width and height of each label's image, NaN where it has none; n × 2."""
    # Behind the last image stand the sides of place -1, an image that nobody knows.
    sizes = np.append(images[["width", "height"]].to_numpy(dtype=float), [[np.nan, np.nan]], axis=0)
    of_labels: NDArray[np.float64] = sizes[places_among(labels["source_ref"], images["source_ref"])]
    return of_labels


def _overhang(labels: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    """How many pixels a box sticks out of its image at its worst side; NaN where a coordinate is missing."""
    boxes = labels[BOX].to_numpy(dtype=float)
    size = np.nan_to_num(_image_size(labels, images), nan=np.inf)
    beyond = np.concatenate([-boxes[:, :2], boxes[:, :2] + boxes[:, 2:] - size], axis=1)
    beyond[beyond == -np.inf] = 0.0
    worst = np.maximum(beyond.max(axis=1), 0.0) if len(beyond) else np.zeros(0)
    worst[(worst > 0) & (worst <= FLOAT_NOISE)] = 0.0
    return pd.Series(worst, index=labels.index)


def _size_difference(
    images: pd.DataFrame, size: NDArray[np.float64], drawn_sizes: pd.DataFrame | None
) -> NDArray[np.float64]:
    if drawn_sizes is None or drawn_sizes.empty:
        return np.zeros(len(images))
    drawn = _image_size(images, drawn_sizes)
    difference = np.abs(drawn - size).max(axis=1)
    return np.asarray(np.nan_to_num(difference, nan=0.0))


def _earlier_copies(content: pd.Series, known: frozenset[str]) -> NDArray[np.float64]:
    """How many earlier images of the round hold the same bytes, and one more when an earlier round does."""
    earlier = content.groupby(content, dropna=False).cumcount().to_numpy(dtype=float)
    earlier += is_among(content, known).astype(float)
    return np.where(content.notna(), earlier, 0.0)


def _codes(names: pd.Series) -> NDArray[np.int64]:
    return np.asarray(pd.factorize(names)[0], dtype=np.int64)
