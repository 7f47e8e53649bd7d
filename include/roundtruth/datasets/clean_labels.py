"""The recorded labels of chosen images as boxes of the registry's classes, clean and sorted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth.datasets.boxes import PixelBox, clean_boxes
from roundtruth.datasets.class_registry import ClassRegistry
from roundtruth.datasets.content_digests import REPAIRS
from roundtruth.datasets.table_rows import places_of
from roundtruth.datasets.tables import PART_LABELS
from roundtruth.datasets.unknown_classes import project_name
from roundtruth.errors import CategoryError
from roundtruth.project import Project

_EDGES = ["left", "top", "width", "height"]
# Of an image's width or height. Labels have six decimals: boxes further apart than this are written apart.
_APART = 4e-6


def clean_labels(
    labels: pd.DataFrame, images: pd.DataFrame, project: Project, registry: ClassRegistry
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give boxes their class ids, leave out retired classes, clean the boxes (boxes.clean_boxes) and sort.

    :param labels: LABELS; those of images that are not in ``images`` are passed over.
    :param images: sorted by source_ref, with width and height in pixels.
    :returns: the boxes (PART_LABELS) in the order of the images; and the images with ``boxes`` and how
        many of their boxes were repaired, see content_digests.REPAIRS.
    :raises CategoryError: when a label has a category that neither the project nor the registry knows.
    """
    place = places_of(labels["source_ref"], images["source_ref"])
    if (place < 0).any():
        labels, place = labels[place >= 0], place[place >= 0]
    codes, found = pd.factorize(labels["category"])
    names = pd.Series([project_name(project, category) for category in found], dtype="str")
    unlisted = sorted(set(names) - set(registry.names))
    if unlisted:
        raise CategoryError(
            f"Labels of project {project.project!r} have categories that it does not list: "
            f"{', '.join(unlisted)}; add them to categories, or to aliases."
        )
    ids = np.array([registry.ids[name] for name in names], dtype=np.int32)
    labels = labels.assign(class_id=ids[codes])[PART_LABELS.names]
    listed = names.isin(set(project.categories)).to_numpy(bool)[codes]
    retired = np.bincount(place[~listed], minlength=len(images))
    if not listed.all():
        labels, place = labels[listed], place[listed]
    labels, counts = _clean(labels.reset_index(drop=True), place, images)
    return labels, images.assign(retired=retired, **counts)


def _clean(
    labels: pd.DataFrame, place: NDArray[np.int64], images: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, NDArray[np.int64]]]:
    counts = {name: np.zeros(len(images), dtype=np.int64) for name in REPAIRS if name != "retired"}
    sizes = images[["width", "height"]].to_numpy(np.float64)[place]
    careful = _images_to_look_at(labels, place, sizes, len(images))
    edges = labels[_EDGES].to_numpy(np.float64, copy=True)
    class_ids = labels["class_id"].to_numpy(np.int64)
    kept = [np.flatnonzero(~careful[place])]
    doubtful = np.flatnonzero(careful[place])
    doubtful = doubtful[np.argsort(place[doubtful], kind="stable")]
    for of_image in np.split(doubtful, np.flatnonzero(np.diff(place[doubtful])) + 1) if len(doubtful) else ():
        boxes = [PixelBox(int(class_ids[row]), *edges[row].tolist()) for row in of_image]
        width, height = (int(value) for value in sizes[of_image[0]])
        cleaned = clean_boxes(boxes, width, height)
        chosen = of_image[list(cleaned.places)]
        edges[chosen] = np.array([box[1:] for box in cleaned.boxes]).reshape(-1, 4)
        kept.append(chosen)
        for name, count in counts.items():
            count[place[of_image[0]]] = getattr(cleaned, name)
    rows = np.concatenate(kept)
    labels = labels.assign(**dict(zip(_EDGES, edges.T, strict=True)))
    keys = [labels[name].to_numpy()[rows] for name in ("height", "width", "top", "left", "class_id")]
    rows = rows[np.lexsort([*keys, place[rows]])]
    counts["boxes"] = np.bincount(place[rows], minlength=len(images))
    return labels.take(rows).reset_index(drop=True), counts


def _images_to_look_at(
    labels: pd.DataFrame, place: NDArray[np.int64], sizes: NDArray[np.float64], images: int
) -> NDArray[np.bool_]:
    """Images with a box that may have to be clipped or left out; of the others all boxes stay as they are.

    Most images have none, and looking at millions of boxes one by one takes minutes.
    """
    left, top, width, height = labels[_EDGES].to_numpy(np.float64).T
    doubtful = (left < 0) | (top < 0) | (left + width > sizes[:, 0]) | (top + height > sizes[:, 1])
    doubtful |= (width < _APART * sizes[:, 0]) | (height < _APART * sizes[:, 1])
    doubtful |= ~np.isfinite(left + top + width + height)
    # Of two boxes with the same written place, the centres are neighbours in order of their x.
    centre = (left + width / 2) / sizes[:, 0]
    order = np.lexsort([centre, labels["class_id"].to_numpy(), place])
    together = np.diff(place[order]) == 0
    together &= np.diff(labels["class_id"].to_numpy()[order]) == 0
    together &= ~(np.abs(np.diff(centre[order])) > _APART)
    doubtful[order[1:][together]] = True
    careful: NDArray[np.bool_] = np.bincount(place[doubtful], minlength=images) > 0
    return careful
