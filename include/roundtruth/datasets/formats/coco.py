"""COCO JSON: one document a split.

Format: cocodataset.org, "format data". Ids of images, annotations and categories count from 1: pycocotools
takes an annotation with id 0 as unmatched, and Ultralytics' converter takes 1 from each category id. So a
category's id here is its class id + 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from roundtruth.datasets.boxes import PixelBox
from roundtruth.errors import DatasetError
from roundtruth.typed_json import decode_json


class CocoImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the document; ``file_name`` is relative to the split's image folder."""

    id: int
    file_name: str
    width: int
    height: int
    source_ref: str = ""


class CocoAnnotation(msgspec.Struct, frozen=True, kw_only=True):
    """A box of the document, in pixels: left, top, width, height."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: int = 0
    segmentation: tuple[float, ...] = ()


class CocoCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A class of the document; ``id`` is the class id + 1."""

    id: int
    name: str
    supercategory: str = ""


class _Document(msgspec.Struct, kw_only=True):
    info: dict[str, str] = {}
    licenses: list[str] = []
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[CocoCategory]


class _ReadDocument(msgspec.Struct, kw_only=True):
    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


class CocoDocument:
    """Collects the images of one split as bytes, so that many of them need little memory."""

    def __init__(self) -> None:
        self._images: list[msgspec.Raw] = []
        self._annotations: list[msgspec.Raw] = []

    def add(
        self, boxes: Iterable[PixelBox], *, file_name: str, width: int, height: int, source_ref: str = ""
    ) -> None:
        """Add an image of this size (pixels), with its boxes or none."""
        image = CocoImage(
            id=len(self._images) + 1, file_name=file_name, width=width, height=height, source_ref=source_ref
        )
        self._images.append(msgspec.Raw(msgspec.json.encode(image)))
        for box in sorted(boxes):
            annotation = CocoAnnotation(
                id=len(self._annotations) + 1,
                image_id=image.id,
                category_id=box.class_id + 1,
                bbox=(box.left, box.top, box.width, box.height),
                area=box.width * box.height,
            )
            self._annotations.append(msgspec.Raw(msgspec.json.encode(annotation)))

    def encode(self, names: Sequence[str]) -> bytes:
        """The document, with all classes whether they occur or not."""
        categories = [CocoCategory(id=number, name=name) for number, name in enumerate(names, start=1)]
        document = _Document(images=self._images, annotations=self._annotations, categories=categories)
        return msgspec.json.encode(document) + b"\n"


def decode_document(data: bytes, *, file: str) -> tuple[tuple[str, ...], dict[str, tuple[PixelBox, ...]]]:
    """Class names in order of their ids, and file name -> boxes; a negative has none.

    :raises DatasetError: when the file is no COCO document with category ids from 1 without gaps.
    """
    try:
        document = decode_json(data, _ReadDocument)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} is not COCO JSON: {error}.") from error
    categories = sorted(document.categories, key=lambda category: category.id)
    if [category.id for category in categories] != list(range(1, len(categories) + 1)):
        raise DatasetError(f"{file} has category ids with gaps; ours count from 1.")
    boxes: dict[int, list[PixelBox]] = defaultdict(list)
    for annotation in document.annotations:
        boxes[annotation.image_id].append(PixelBox(annotation.category_id - 1, *annotation.bbox))
    names = tuple(category.name for category in categories)
    return names, {image.file_name: tuple(boxes[image.id]) for image in document.images}
