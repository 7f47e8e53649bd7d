"""Tables of versions as layers of immutable parts that versions share: names, digests, which are merged.

A part lies in `<dataset>/parts/`, is named after the SHA-256 of its bytes and is written once. A version
names its parts in version.json, oldest first: a row of a later part takes the place of the row with the same
source_ref in earlier ones, and a row that is marked `removed` takes it away. So a version writes what it
changes, and whatever becomes of the folders of other versions, it keeps all its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from roundtruth.annotations import from_parquet, to_parquet
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage

if TYPE_CHECKING:
    import pandas as pd

# The tables of a version. A part of LABELS belongs to the part of IMAGES at the same place.
IMAGES, LABELS, SPLITS, LEFT_OUT = "images", "labels", "splits", "left_out"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part as version.json names it."""

    sha256: str
    size: int  # bytes
    rows: int


Parts = Mapping[str, tuple[Part, ...]]  # table -> its parts, oldest first


@dataclass(frozen=True, kw_only=True)
class NewPart:
    """A part that is not written yet."""

    table: str
    part: Part
    data: bytes


def layers_kept(rows: Sequence[int], new: int) -> int:
    """How many of the layers stay as they are when one of ``new`` rows comes on top; it swallows the others.

    A layer that has not at least twice the rows of all that came after it is merged into them, as a binary
    counter carries: so there are at most log2(all rows) + 1 layers, and a row is written again log2 times at
    most, over all the years. Only sizes decide, so that the same history gives the same bytes.
    """
    kept = len(rows)
    while kept and rows[kept - 1] < 2 * new:
        new += rows[kept - 1]
        kept -= 1
    return kept


def encode_part(table: str, frame: pd.DataFrame, schema: pa.Schema) -> NewPart:
    """The same rows give the same part."""
    data = to_parquet(frame, schema)
    part = Part(sha256=hashlib.sha256(data).hexdigest(), size=len(data), rows=len(frame))
    return NewPart(table=table, part=part, data=data)


class PartReader:
    """Reads parts, each of them once: versions that are read one after the other share most of them."""

    def __init__(
        self, storage: Storage, dataset: DatasetFolder, unpublished: ObjectUri | None = None
    ) -> None:
        """``unpublished`` is the folder in which a candidate keeps the parts that no version has yet."""
        self._storage = storage
        self._dataset = dataset
        self._unpublished = unpublished
        self._frames: dict[str, pd.DataFrame] = {}

    def read(self, table: str, parts: Parts, schema: pa.Schema) -> list[pd.DataFrame]:
        """The parts of a table, oldest first.

        :raises DatasetError: when one is gone, or is not what was published.
        """
        return [self._read(table, part, schema) for part in parts.get(table, ())]

    def read_bytes(self, table: str, part: Part) -> bytes:
        """A part as it lies in S3.

        :raises DatasetError: when it is gone, or is not what was published.
        """
        uri = self._dataset.part(table, part.sha256)
        content = self._storage.read_if_there(uri)
        if content is None and self._unpublished is not None:
            content = self._storage.read_if_there(self._unpublished / uri.name)
        if content is None:
            raise DatasetError(f"{uri} is missing: no version that shares it can be read.")
        if hashlib.sha256(content.data).hexdigest() != part.sha256:
            raise DatasetError(f"{uri} was changed: it is not what was published.")
        return content.data

    def _read(self, table: str, part: Part, schema: pa.Schema) -> pd.DataFrame:
        if part.sha256 not in self._frames:
            data = self.read_bytes(table, part)
            name = str(self._dataset.part(table, part.sha256))
            categories = tuple({"job"} & set(schema.names))  # of LABELS: one text for millions of boxes
            self._frames[part.sha256] = from_parquet(data, schema, name=name, categories=categories)
        return self._frames[part.sha256]


def write_parts(storage: Storage, dataset: DatasetFolder, parts: Sequence[NewPart]) -> None:
    """Write parts that are not there yet; what is there is never written again.

    :raises DatasetError: when another object stands where a part belongs.
    """

    def put(new: NewPart) -> None:
        uri = dataset.part(new.table, new.part.sha256)
        if not storage.write_if_absent(uri, new.data) and storage.read(uri) != new.data:
            raise DatasetError(f"{uri} was changed: it is not the part it is named after; move it away.")

    for _ in storage.run_many(put, parts):
        pass
