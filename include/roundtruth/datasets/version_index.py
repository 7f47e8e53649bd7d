"""The files of a version: those that its index names, and those that follow from its tables."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from roundtruth.annotations import from_parquet, to_parquet
from roundtruth.datasets.candidate import images_with_boxes
from roundtruth.datasets.folder import VersionFolder
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS, INDEX, LEFT_OUT_IMAGES, SOURCE
from roundtruth.datasets.tree import TreeFile, TreeMaker, image_path
from roundtruth.datasets.versions import VersionRecord
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage

Row = Mapping[str, Any]  # of INDEX
TABLE_FILES = ("images.parquet", "labels.parquet", "left_out.csv")


def read_stored_index(storage: Storage, version: VersionFolder, record: VersionRecord) -> list[Row]:
    """The rows of a version's index as it is stored.

    :raises DatasetError: when it is not the one that version.json names.
    """
    data = storage.read(version.index)
    if hashlib.sha256(data).hexdigest() != record.index_sha256:
        raise DatasetError(f"{version.index} is not the index that version.json names; it was changed.")
    frame = from_parquet(data, INDEX, name=str(version.index)).astype(object)
    return [
        dict(zip(INDEX.names, values, strict=True))
        for values in frame.where(frame.notna(), None).itertuples(index=False, name=None)
    ]


def read_index(
    storage: Storage, version: VersionFolder, record: VersionRecord, images: pd.DataFrame
) -> list[Row]:
    """All rows of a version, sorted by path, without files that are made from its tables.

    A version from before tables had parts names the made files too.

    :param images: the version's, DATASET_IMAGES.
    :raises DatasetError: when the index is not the one that version.json names.
    """
    rows = read_stored_index(storage, version, record)
    if not record.tables or record.layout != "packed":
        return rows
    columns = ("source_ref", "etag", "bytes", "split", "file")
    nothing = dict.fromkeys(INDEX.names)
    for source_ref, etag, size, split, file in zip(*(images[one].tolist() for one in columns), strict=True):
        row = {"path": image_path(split, file), "held": SOURCE, "size": size, "etag": etag, "split": split}
        rows.append({**nothing, **row, "source_ref": source_ref, "source_etag": etag})
    return sorted(rows, key=lambda row: str(row["path"]))


def file_row(file: TreeFile, held: str) -> dict[str, object]:
    """The row of a file whose bytes are known."""
    return {
        "path": file.path,
        "held": held,
        "size": len(file.data),
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "split": file.split,
        "source_ref": file.source_ref,
    }


def object_of(version: VersionFolder, row: Row) -> ObjectUri:
    """Where the bytes of a row lie that is not made from the tables."""
    return ObjectUri.parse(row["source_ref"]) if row["held"] == SOURCE else version.uri / row["path"]


def label_files(images: pd.DataFrame, labels: pd.DataFrame, record: VersionRecord) -> Iterator[TreeFile]:
    """The files of the tree that hold labels, made from the tables."""
    maker = TreeMaker(record.classes, record.formats)
    for image, boxes in images_with_boxes(images, labels):
        yield from maker.image_files(image, boxes)
    yield from maker.split_files()


def table_files(images: pd.DataFrame, labels: pd.DataFrame, left_out: pd.DataFrame) -> Iterator[TreeFile]:
    """A version's tables as whole files, for people: they are in each tree and each pulled version."""
    yield TreeFile(path="images.parquet", data=to_parquet(images, DATASET_IMAGES))
    yield TreeFile(path="labels.parquet", data=to_parquet(labels, DATASET_LABELS))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [name for name in LEFT_OUT_IMAGES.names if name != "etag"]
    writer.writerow(columns)
    writer.writerows(zip(*(left_out[name] for name in columns), strict=True))
    yield TreeFile(path="left_out.csv", data=text.getvalue().encode("utf-8", "surrogatepass"))
