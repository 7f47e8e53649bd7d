"""Versions as pages read them: what is published and nothing else, read once."""

from __future__ import annotations

import pytest

from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.versions import read_version
from roundtruth.errors import DatasetError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.published_versions import (
    read_published,
    read_version_rows,
    require_published,
    version_names,
)
from tests.roundtruth.datasets.memory_storage import MOMENT
from tests.roundtruth.datasets.three_versions import with_three_versions


@pytest.fixture
def versions():
    storage, project = with_three_versions()
    return storage, EtagCache(storage), dataset_folder(project)


def test_a_record_and_when_it_was_written(versions):
    storage, cache, folder = versions
    found = require_published(cache, folder, "v0002")
    assert found.record == read_version(storage, folder.version("v0002"))
    assert found.at == MOMENT


def test_records_and_rows_are_read_once_since_they_never_change(versions, monkeypatch):
    storage, cache, folder = versions
    record = require_published(cache, folder, "v0003").record
    rows = read_version_rows(cache, folder, record)
    assert (rows.images.num_rows, rows.labels.num_rows) == (record.images, record.boxes)
    for name in ("read_if_there", "head"):
        monkeypatch.setattr(storage, name, lambda *_: pytest.fail("asked again"))
    assert require_published(cache, folder, "v0003").record is record
    assert read_version_rows(cache, folder, record) is rows


def test_a_number_that_was_claimed_and_never_published_is_none(versions):
    storage, cache, folder = versions
    storage.write(folder.version("v0004").uri / "index.parquet", b"half a version")
    storage.write(folder.versions / "my-notes" / "a.txt", b"somebody's own")
    assert version_names(cache, folder) == ("v0004", "v0003", "v0002", "v0001")
    assert read_published(cache, folder, "v0004") is None
    with pytest.raises(DatasetError, match="'pens' has no version 'v0004'"):
        require_published(cache, folder, "v0004")


@pytest.mark.parametrize("name", ["latest", "../v0001", "v1", ""], ids=str)
def test_what_names_no_version_is_an_error(versions, name):
    _, cache, folder = versions
    with pytest.raises(DatasetError):
        read_published(cache, folder, name)


def test_a_broken_record_is_named(versions):
    storage, cache, folder = versions
    uri = folder.version("v0002").record
    storage.write(uri, b"{")
    with pytest.raises(DatasetError, match=r"version\.json is not a version record"):
        read_published(cache, folder, "v0002")
