"""Write a version into a folder in other formats than it was published with; nothing in S3 is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from roundtruth.datasets.candidate import images_with_boxes
from roundtruth.datasets.local_tree import local_path, write_whole
from roundtruth.datasets.tree import TreeFile, TreeMaker
from roundtruth.datasets.version_index import Row, object_of, read_index
from roundtruth.datasets.version_tables import VersionTables, read_version_tables
from roundtruth.datasets.version_writer import Progress
from roundtruth.datasets.versions import VersionRecord
from roundtruth.errors import DatasetError
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    record: VersionRecord
    files: int
    images: int  # of them


def export_version(
    storage: Storage,
    root: ObjectUri,
    name: str,
    version: str,
    target: Path,
    formats: Sequence[str],
    *,
    images: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the labels of a version in some formats, with its images if asked for.

    :param target: a new or empty folder.
    :raises DatasetError: when there is no such version, the folder holds something, or an image was replaced.
    """
    tables = read_version_tables(storage, root, name, version)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise DatasetError(f"{target} is not an empty folder; name a new one to export to.")
    index = read_index(storage, tables.folder, tables.record, tables.images) if images else ()
    rows = [row for row in index if not row["sha256"]]
    files = 0
    for file in chain(_label_files(tables, formats), _images(storage, tables, rows)):
        write_whole(local_path(target, file.path), file.data)
        files += 1
        if progress is not None:
            progress(files, max(files, tables.record.files))
    return Exported(record=tables.record, files=files, images=len(rows))


def _label_files(tables: VersionTables, formats: Sequence[str]) -> Iterator[TreeFile]:
    maker = TreeMaker(tables.record.classes, formats)
    for image, boxes in images_with_boxes(tables.images, tables.labels):
        yield from maker.image_files(image, boxes)
    yield from maker.split_files()
    yield from maker.data_yaml()


def _images(storage: Storage, tables: VersionTables, rows: Iterable[Row]) -> Iterator[TreeFile]:
    def fetch(row: Row) -> TreeFile:
        uri = object_of(tables.folder, row)
        content = storage.read_if_there(uri)
        if content is None or (content.etag, len(content.data)) != (row["etag"], row["size"]):
            raise DatasetError(f"{uri} is gone or was changed: {tables.name} holds another image.")
        return TreeFile(path=row["path"], data=content.data)

    yield from storage.run_many(fetch, rows)
