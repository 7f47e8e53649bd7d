"""Whether images on this machine are what trainers take and what their labels were made for, by header."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from roundtruth.datasets.boxes import upright_size
from roundtruth.datasets.local_images import local_header
from roundtruth.datasets.yolo_rules import size_problem
from roundtruth.errors import ImageError
from roundtruth.image_headers import ImageHeader


def image_problem(place: Path, labeled: ImageHeader | None = None) -> str:
    """What trainers find wrong with an image on this machine, by its header."""
    try:
        header = local_header(place)
    except ImageError as error:
        return f"cannot be read: {error}".rstrip(".")
    if labeled is None:
        return size_problem(header.width, header.height) or ""
    seen, wanted = (upright_size(one.width, one.height, one.orientation) for one in (header, labeled))
    if (seen, header.orientation) == (wanted, labeled.orientation):
        return ""
    return (
        f"is {seen[0]}×{seen[1]} pixels after its EXIF orientation {header.orientation}; its labels "
        f"were made for {wanted[0]}×{wanted[1]} and orientation {labeled.orientation}"
    )


def labeled_sizes(images: pd.DataFrame) -> dict[str, ImageHeader]:
    """Path in the tree -> stored size and orientation that the labels were made for.

    :param images: those of a version, DATASET_IMAGES.
    """
    columns = (images[name].tolist() for name in ("split", "file", "width", "height", "orientation"))
    return {
        f"images/{split}/{file}": ImageHeader(format="", width=width, height=height, orientation=orientation)
        for split, file, width, height, orientation in zip(*columns, strict=True)
    }
