"""The tables of a published version, read and compared with the digests of its index."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pandas as pd

from roundtruth.annotations import from_parquet
from roundtruth.datasets.folder import DatasetFolder, VersionFolder
from roundtruth.datasets.pull import read_index
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS
from roundtruth.datasets.versions import VersionRecord, resolve_version
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class VersionTables:
    """A version with its images (DATASET_IMAGES) and boxes (DATASET_LABELS)."""

    record: VersionRecord
    folder: VersionFolder
    images: pd.DataFrame
    labels: pd.DataFrame

    @property
    def name(self) -> str:
        """Such as pens@v0003."""
        return f"{self.record.dataset}@{self.record.version}"


def read_version_tables(storage: Storage, root: ObjectUri, name: str, version: str) -> VersionTables:
    """Read a version.

    :param root: the project's root; the dataset lies in ``<root>/datasets/<name>``.
    :param version: such as v0003, or latest.
    :raises DatasetError: when there is no such version, or a table is not what was published.
    """
    dataset = DatasetFolder(root / "datasets" / name)
    record = resolve_version(storage, dataset, version)
    folder = dataset.version(record.version)
    digests = {row["path"]: row["sha256"] for row in read_index(storage, folder, record)}
    tables = []
    for uri, schema in ((folder.images, DATASET_IMAGES), (folder.labels, DATASET_LABELS)):
        data = storage.read(uri)
        if hashlib.sha256(data).hexdigest() != digests.get(uri.name):
            raise DatasetError(
                f"{uri} is not what was published; `roundtruth dataset verify` names what else."
            )
        tables.append(from_parquet(data, schema, name=str(uri)))
    return VersionTables(record=record, folder=folder, images=tables[0], labels=tables[1])
