"""Digests of what trainers get: one an image with its boxes, and one of a whole version."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from roundtruth.datasets.table_rows import codes_of, floats_of, places_of, run_of, values_of
from roundtruth.datasets.tables import DATASET_IMAGES, IMAGE_FACTS, VERSION_IMAGES

if TYPE_CHECKING:
    import pandas as pd

IMAGES_AT_ONCE = 50_000  # as Python's own objects, with their boxes, some 100 MB
REPAIRS = ("clipped", "outside", "duplicates", "retired")

_NUMBERS = ("class_id", "left", "top", "width", "height", "score", "votes", "answers")
# One row a box, without padding, little-endian: the same bytes on every machine.
_BOX = np.dtype([*((name, "<f8") for name in _NUMBERS), ("job", "<u8")])


def content_digest(header: Sequence[object], digests: pd.Series) -> str:
    """SHA-256 of a version's content, however it was put together.

    :param header: what else decides what trainers get: dataset, layout, formats, classes.
    :param digests: of the images in order of their source_ref, as ``image_digests`` gives them.
    """
    digest = hashlib.sha256(msgspec.json.encode(header))
    digest.update("\n".join(["", *digests.tolist()]).encode())
    return digest.hexdigest()


def image_digests(images: Any, labels: Any, counts: NDArray[np.int64]) -> list[str]:
    """SHA-256 of each image and its boxes, in hexadecimal digits.

    :param images: DATASET_IMAGES; ``labels`` has PART_LABELS, in the order of the images; see table_rows.
    :param counts: boxes of each image.
    """
    digests: list[str] = []
    boxes = 0
    for start in range(0, len(counts), IMAGES_AT_ONCE):
        own = counts[start : start + IMAGES_AT_ONCE]
        before, boxes = boxes, boxes + int(own.sum())
        some = run_of(images, start, start + len(own))
        digests += _digests(some, run_of(labels, before, boxes), own)
    return digests


def _digests(images: Any, labels: Any, counts: NDArray[np.int64]) -> list[str]:
    boxes = memoryview(_box_rows(labels).tobytes())
    ends = (np.cumsum(counts) * _BOX.itemsize).tolist()
    columns = [values_of(images, name) for name in DATASET_IMAGES.names if name != "unknown"]
    unknown = (list(map(int, ids)) for ids in values_of(images, "unknown"))
    digests = []
    start = 0
    for values, ids, end in zip(zip(*columns, strict=True), unknown, ends, strict=True):
        digest = hashlib.sha256(repr((values, ids)).encode("utf-8", "surrogatepass"))
        digest.update(boxes[start:end])
        digests.append(digest.hexdigest())
        start = end
    return digests


def with_facts(images: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """DATASET_IMAGES as VERSION_IMAGES; repairs that nobody counted are 0.

    :param labels: DATASET_LABELS, sorted as the images are.
    """
    counts = np.bincount(places_of(labels["source_ref"], images["source_ref"]), minlength=len(images))
    facts = {name: images.get(name, 0) for name in REPAIRS}
    digests = image_digests(images, labels, counts)
    whole: pd.DataFrame = images.assign(boxes=counts, digest=digests, **facts)[VERSION_IMAGES.names]
    types = {field.name: "int32" for field in IMAGE_FACTS if field.name != "digest"}
    return whole.astype(types | {"digest": "str"})


def _box_rows(labels: Any) -> NDArray[np.void]:
    codes, jobs = codes_of(labels, "job")
    rows = np.zeros(len(codes), dtype=_BOX)
    for name in _NUMBERS:
        # Adding 0 makes -0 the 0 it equals; not-a-number has one form.
        values = floats_of(labels, name) + 0.0
        rows[name] = np.where(np.isnan(values), np.nan, values)
    hashed = [int.from_bytes(hashlib.sha256(job.encode()).digest()[:8], "little") for job in jobs]
    rows["job"] = np.array([*hashed, 0], dtype=np.uint64)[codes]
    return rows
