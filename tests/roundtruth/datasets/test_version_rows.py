"""Versions read as Arrow tables are what pandas reads, and pandas stays out of the process."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from roundtruth.datasets.diff import diff_versions
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.heat_maps import box_maps
from roundtruth.datasets.version_rows import SHOWN_IMAGES, SHOWN_LABELS, read_rows
from roundtruth.datasets.version_tables import read_tables
from roundtruth.datasets.versions import list_versions
from roundtruth.project import Project
from roundtruth.storage import ObjectUri
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import project_in
from tests.roundtruth.datasets.three_versions import with_three_versions

ROOT = Path(__file__).parents[3]
OLD = ROOT / "tests" / "data" / "version_before_parts.zip"


def before_parts() -> tuple[MemoryStorage, Project]:
    storage = MemoryStorage()
    with zipfile.ZipFile(OLD) as archive:
        storage.objects = {f"s3://before-parts/{name}": archive.read(name) for name in archive.namelist()}
    return storage, project_in(
        "before-parts", dataset={"name": "pens", "formats": ["yolo", "csv"], "layout": "packed"}
    )


@pytest.mark.parametrize("made", [with_three_versions, before_parts])
def test_the_same_as_pandas_reads(made) -> None:
    storage, project = made()
    folder = dataset_folder(project)
    records = list_versions(storage, folder)
    assert len(records) >= 2
    for record in records:
        rows, tables = read_rows(storage, folder, record), read_tables(storage, folder, record)
        assert rows.images.to_pylist() == tables.images[SHOWN_IMAGES.names].to_dict("records")
        labels = tables.labels[SHOWN_LABELS.names]
        assert rows.labels.to_pandas().astype(float).equals(labels.astype(float).reset_index(drop=True))
        maps = box_maps(rows.images, rows.labels), box_maps(tables.images, tables.labels)
        assert np.array_equal(maps[0], maps[1])


@pytest.mark.parametrize("made", [with_three_versions, before_parts])
def test_any_two_versions_differ_as_pandas_says(made) -> None:
    storage, project = made()
    folder = dataset_folder(project)
    records = list_versions(storage, folder)
    rows = [read_rows(storage, folder, record) for record in records]
    tables = [read_tables(storage, folder, record) for record in records]
    for old in range(len(records)):
        for new in range(len(records)):
            assert diff_versions(rows[old], rows[new]) == diff_versions(tables[old], tables[new])


def test_a_part_that_was_changed_is_named() -> None:
    from roundtruth.errors import DatasetError

    storage, project = with_three_versions()
    folder = dataset_folder(project)
    record = list_versions(storage, folder)[-1]
    uri = folder.part("images", record.tables["images"][0].sha256)
    storage.objects[str(uri)] += b"x"
    with pytest.raises(DatasetError, match="was changed"):
        read_rows(storage, folder, record)
    storage.delete(ObjectUri.parse(str(uri)))
    with pytest.raises(DatasetError, match="is missing"):
        read_rows(storage, folder, record)


def test_pandas_stays_out(tmp_path: Path) -> None:
    """A process that reads every page of a dataset, from files on disk."""
    storage, _ = with_three_versions()
    for uri, data in storage.objects.items():
        path = tmp_path / uri.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    script = """
import sys
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.overviews.dataset_page import read_dataset_page
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.version_changes import read_changes
from roundtruth.overviews.version_page import read_version_page
from roundtruth.storage import ObjectUri, Storage
folder = DatasetFolder(ObjectUri.parse(sys.argv[1]))
cache = EtagCache(Storage())
assert len(read_dataset_page(cache, folder).entries) == 3
assert read_version_page(cache, folder, "v0003").record.images == 41
assert read_changes(cache, folder, "v0001", "v0003").counts["added"] == 1
print(sorted({"pandas", "great_expectations", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a-bucket" / "boxes" / "datasets" / "pens")],
        env={"PYTHONPATH": str(ROOT / "include")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
