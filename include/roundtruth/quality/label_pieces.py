"""The labels of a round piece by piece: measured, and once it is known which images stay, settled.

Seven million labels with all their columns are some gigabytes; what the checks judge of them is a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from roundtruth.annotations import PUBLISHABLE, STATUSES
from roundtruth.quality.measures import clip_slivers, label_measures
from roundtruth.quality.membership import is_among, rows_of_each, texts_of
from roundtruth.quality_settings import Quality

# Reads all labels from the first again: at least one table, all with the same columns. The labels of one
# image are in one of them.
LabelPieces: TypeAlias = Callable[[], Iterable[pd.DataFrame]]

_NAMES = ("source_ref", "category")  # of label_measures: texts, here as categories, which is a tenth as large


@dataclass(frozen=True, kw_only=True)
class MeasuredLabels:
    """What the checks judge: ``frame`` is measures.label_measures of the labels that may be published.

    ``boxes``: how many labels each row of the images table has. ``clipped``: how many were cut.
    """

    frame: pd.DataFrame
    boxes: NDArray[np.float64]
    clipped: int


def measure_labels(
    pieces: LabelPieces, images: pd.DataFrame, settings: Quality, *, without: Collection[str]
) -> MeasuredLabels:
    """Clip labels and measure them; those of the images ``without`` are passed over.

    :param images: annotations.IMAGES with the status that each image has before quarantine.
    """
    frames: list[pd.DataFrame] = []
    names: dict[str, list[pa.Array]] = {name: [] for name in _NAMES}
    boxes = np.zeros(len(images))
    clipped_boxes = 0
    for labels, own in _readable(pieces, images, without):
        boxes += rows_of_each(images["source_ref"], labels["source_ref"])
        clipped, clipped_by = clip_slivers(
            labels[_judgeable(labels, own)], own, tolerance=settings.clip_tolerance
        )
        clipped_boxes += int((clipped_by > 0).sum())
        measured = label_measures(clipped, own, clipped_by=clipped_by, duplicate_iou=settings.duplicate_iou)
        for name in _NAMES:
            names[name].append(texts_of(measured.pop(name)).dictionary_encode())
        frames.append(measured)
    frame = pd.concat(frames, ignore_index=True)
    for place, name in enumerate(_NAMES):
        frame.insert(place, name, _categorical(names.pop(name)))
    return MeasuredLabels(frame=frame, boxes=boxes, clipped=clipped_boxes)


def settled_labels(
    pieces: LabelPieces, images: pd.DataFrame, settings: Quality, *, without: Collection[str]
) -> Iterator[pd.DataFrame]:
    """The labels of a round as they stay: clipped where they are judged, without those of some images.

    :param images: as in ``measure_labels``.
    """
    for labels, own in _readable(pieces, images, without):
        judgeable = _judgeable(labels, own)
        clipped, _ = clip_slivers(labels[judgeable], own, tolerance=settings.clip_tolerance)
        every = pd.concat([clipped, labels[~judgeable]]).sort_index() if not judgeable.all() else clipped
        yield every.reset_index(drop=True)


def _readable(
    pieces: LabelPieces, images: pd.DataFrame, without: Collection[str]
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Labels and the images that they are about."""
    for piece in pieces():
        labels = piece.reset_index(drop=True)
        if without:
            labels = labels[~is_among(labels["source_ref"], without)].reset_index(drop=True)
        yield labels, images[is_among(images["source_ref"], labels["source_ref"])]


def _judgeable(labels: pd.DataFrame, images: pd.DataFrame) -> NDArray[np.bool_]:
    """Labels that would be published, and those whose image or its status nobody knows."""
    held_back = images["status"].isin([status for status in STATUSES if status not in PUBLISHABLE])
    return ~is_among(labels["source_ref"], images.loc[held_back, "source_ref"])


def _categorical(pieces: list[pa.Array]) -> pd.Series:
    whole: pd.Series = pa.chunked_array(pieces).unify_dictionaries().combine_chunks().to_pandas()
    return whole
