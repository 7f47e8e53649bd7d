"""The one reader of a published version's tables, however they are stored: parts, or whole files of old."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from roundtruth.annotations import from_parquet, table
from roundtruth.datasets.content_digests import content_digest, with_facts
from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.layers import Layers, labels_of, read_layers
from roundtruth.datasets.parts import PartReader
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS, LEFT_OUT_IMAGES, TABLES
from roundtruth.datasets.tree import TreeFile
from roundtruth.datasets.version_index import Row, file_row, label_files, read_index, read_stored_index
from roundtruth.datasets.version_rows import read_whole_tables
from roundtruth.datasets.versions import VersionRecord, content_header, read_version, resolve_version
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class VersionTables:
    """A version with its images (VERSION_IMAGES), boxes (DATASET_LABELS) and LEFT_OUT_IMAGES.

    ``layers`` are the parts they come from; None where the version was made before tables had parts.
    """

    record: VersionRecord
    folder: VersionFolder
    images: pd.DataFrame
    labels: pd.DataFrame
    left_out: pd.DataFrame
    layers: Layers | None = None

    @property
    def name(self) -> str:
        """Such as pens@v0003."""
        return f"{self.record.dataset}@{self.record.version}"

    @property
    def content_digest(self) -> str:
        """What ``record.spec_digest`` is of versions whose tables have parts."""
        return content_digest(content_header(self.record), self.images["digest"])


def read_version_tables(storage: Storage, root: ObjectUri, name: str, version: str) -> VersionTables:
    """Read a version by name.

    :param root: the project's root; the dataset lies in ``<root>/datasets/<name>``.
    :param version: such as v0003, or latest.
    :raises DatasetError: when there is no such version, or a table is not what was published.
    """
    dataset = DatasetFolder(root / "datasets" / name)
    return read_tables(storage, dataset, resolve_version(storage, dataset, version))


def read_tables(
    storage: Storage, dataset: DatasetFolder, record: VersionRecord, reader: PartReader | None = None
) -> VersionTables:
    """Read a version.

    :param reader: one that has read parts of another version, so that those are read once.
    :raises DatasetError: when a table is not what was published.
    """
    folder = dataset.version(record.version)
    if not record.tables:
        return _read_whole(storage, folder, record)
    layers = read_layers(reader or PartReader(storage, dataset), record.tables)
    images = layers.images.frame
    return VersionTables(
        record=record,
        folder=folder,
        images=images,
        labels=labels_of(images, layers.boxes, record.classes),
        left_out=layers.left_out.frame,
        layers=layers,
    )


def read_packed_tables(storage: Storage, folder: VersionFolder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """DATASET_IMAGES and DATASET_LABELS of a packed version in its place, or of two tables in a folder.

    :raises DatasetError: when a table is not what was published.
    """
    record = read_version(storage, folder)
    if record is not None and record.tables:
        tables = read_tables(storage, folder.dataset, record)
        return tables.images, tables.labels
    return (
        from_parquet(storage.read(folder.images), DATASET_IMAGES, name=str(folder.images)),
        from_parquet(storage.read(folder.labels), DATASET_LABELS, name=str(folder.labels)),
    )


def read_pulled_tables(storage: Storage, folder: VersionFolder, record: VersionRecord) -> VersionTables:
    """Read the tables of a version on this machine: a pull writes them whole, whatever the layout.

    :raises DatasetError: when a table is not what was published.
    """
    if not record.tables:
        return _read_whole(storage, folder, record)
    images = from_parquet(storage.read(folder.images), DATASET_IMAGES, name=str(folder.images))
    labels = from_parquet(storage.read(folder.labels), DATASET_LABELS, name=str(folder.labels))
    if labels["source_ref"].isin(images["source_ref"]).all():
        images, nothing = with_facts(images, labels), table([], LEFT_OUT_IMAGES)
        tables = VersionTables(record=record, folder=folder, images=images, labels=labels, left_out=nothing)
        if tables.content_digest == record.spec_digest:
            return tables
    raise DatasetError(f"{folder.images} with {folder.labels.name} is not what was published.")


def read_rows(
    storage: Storage, version: VersionFolder, record: VersionRecord, tables: VersionTables | None
) -> list[Row]:
    """The rows of a version's index; without those that follow from its tables where these are damaged."""
    if tables is None:
        return read_stored_index(storage, version, record)
    return read_index(storage, version, record, tables.images)


def made_label_files(
    rows: Iterable[Row], tables: VersionTables | None
) -> Iterator[tuple[Mapping[str, Any], TreeFile]]:
    """The label files of a packed version, with their rows: of old, its index named them too."""
    if tables is None or tables.record.layout != "packed":
        return
    named = {row["path"]: row for row in rows if row["held"] == TABLES}
    for file in label_files(tables.images, tables.labels, tables.record):
        yield named.get(file.path) or file_row(file, TABLES), file


def _read_whole(storage: Storage, folder: VersionFolder, record: VersionRecord) -> VersionTables:
    images, labels = (found.to_pandas() for found in read_whole_tables(storage, folder, record))
    return VersionTables(
        record=record,
        folder=folder,
        images=with_facts(images, labels),
        labels=labels,
        left_out=table([], LEFT_OUT_IMAGES),
    )
