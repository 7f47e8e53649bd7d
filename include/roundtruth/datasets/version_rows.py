"""A published version's images and boxes as Arrow tables: for web pages, which do without pandas."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from roundtruth import arrow_columns
from roundtruth.annotations import arrow_table
from roundtruth.datasets.content_digests import image_digests
from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.parts import IMAGES, LABELS, Part, PartReader
from roundtruth.datasets.table_rows import integers_of, newest_rows, places_of, rows_of, taken
from roundtruth.datasets.tables import (
    DATASET_IMAGES,
    DATASET_LABELS,
    INDEX,
    PART_LABELS,
    REMOVED,
    VERSION_IMAGES,
)
from roundtruth.datasets.versions import VersionRecord
from roundtruth.errors import DatasetError
from roundtruth.storage import Storage

# What pages show and compare; other columns are not decoded.
SHOWN_IMAGES = pa.schema(
    [
        VERSION_IMAGES.field(name)
        for name in (
            *("source_ref", "etag", "width", "height", "orientation", "split", "file", "round"),
            *("boxes", "digest"),
        )
    ]
)
SHOWN_LABELS = pa.schema(
    [PART_LABELS.field(name) for name in ("class_id", "left", "top", "width", "height", "votes", "answers")]
)


@dataclass(frozen=True, kw_only=True)
class VersionRows:
    """A version with its images (SHOWN_IMAGES, sorted by source_ref) and in their order its boxes."""

    record: VersionRecord
    images: pa.Table
    labels: pa.Table  # SHOWN_LABELS

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return int(self.images.nbytes + self.labels.nbytes)


def read_rows(storage: Storage, dataset: DatasetFolder, record: VersionRecord) -> VersionRows:
    """Read a version, in parts or, of old, as whole files.

    :raises DatasetError: when a table is gone, or is not what was published.
    """
    if not record.tables:
        return _read_whole(storage, dataset, record)
    reader = PartReader(storage, dataset)
    wanted = [(name, part) for name in (IMAGES, LABELS) for part in record.tables.get(name, ())]
    tables = list(storage.run_many(lambda one: _decode(reader, dataset, *one), wanted))
    split = len(record.tables.get(IMAGES, ()))
    return _stacked(record, tables[:split], tables[split:])


def read_whole_tables(
    storage: Storage, folder: VersionFolder, record: VersionRecord
) -> tuple[pa.Table, pa.Table]:
    """DATASET_IMAGES and DATASET_LABELS of a version from before tables had parts.

    :raises DatasetError: when one is not what was published.
    """
    index = storage.read(folder.index)
    if hashlib.sha256(index).hexdigest() != record.index_sha256:
        raise DatasetError(f"{folder.index} is not the index that version.json names; it was changed.")
    rows = arrow_table(index, INDEX, name=str(folder.index)).select(["path", "sha256"]).to_pylist()
    digests = {row["path"]: row["sha256"] for row in rows}
    tables = []
    for uri, schema in ((folder.images, DATASET_IMAGES), (folder.labels, DATASET_LABELS)):
        data = storage.read(uri)
        if hashlib.sha256(data).hexdigest() != digests.get(uri.name):
            raise DatasetError(
                f"{uri} is not what was published; `roundtruth dataset verify` names what else."
            )
        tables.append(arrow_table(data, schema, name=str(uri)))
    return tables[0], tables[1]


def _decode(reader: PartReader, dataset: DatasetFolder, name: str, part: Part) -> pa.Table:
    schema = SHOWN_IMAGES.append(REMOVED) if name == IMAGES else SHOWN_LABELS
    data = reader.read_bytes(name, part)
    return arrow_table(data, schema, name=str(dataset.part(name, part.sha256)))


def _stacked(record: VersionRecord, images: Sequence[pa.Table], labels: Sequence[pa.Table]) -> VersionRows:
    """Rows of later parts in the place of those of earlier ones, as layers.py puts frames together."""
    every = _one_table(images, SHOWN_IMAGES.append(REMOVED))
    boxes = _one_table(labels, SHOWN_LABELS)
    places = newest_rows(every["source_ref"])
    places = places[integers_of(every, "removed")[places] == 0]
    return VersionRows(
        record=record,
        images=taken(every.select(SHOWN_IMAGES.names), places),
        labels=taken(boxes, rows_of(places, integers_of(every, "boxes"))),
    )


def _one_table(parts: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    # `schema.empty_table()` would import pandas, see arrow_columns.
    return pa.concat_tables([pa.Table.from_batches([], schema), *parts]).combine_chunks()


def _read_whole(storage: Storage, dataset: DatasetFolder, record: VersionRecord) -> VersionRows:
    """A version from before tables had parts; what was counted later than it is counted here."""
    images, labels = read_whole_tables(storage, dataset.version(record.version), record)
    counts = np.bincount(places_of(labels["source_ref"], images["source_ref"]), minlength=len(images))
    digests = image_digests(images, labels, counts)
    images = images.append_column(
        SHOWN_IMAGES.field("boxes"), arrow_columns.integer_array(counts).cast(pa.int32())
    )
    images = images.append_column(SHOWN_IMAGES.field("digest"), arrow_columns.strings(digests))
    return VersionRows(
        record=record, images=images.select(SHOWN_IMAGES.names), labels=labels.select(SHOWN_LABELS.names)
    )
