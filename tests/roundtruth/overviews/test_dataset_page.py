"""The time line of a dataset's versions: what it says is what version.json and latest.json say."""

from __future__ import annotations

import pytest

from roundtruth.datasets.folder import DatasetFolder, dataset_folder, version_name
from roundtruth.datasets.rollback import roll_back
from roundtruth.datasets.versions import encode_version, read_version
from roundtruth.errors import LatestMovedError
from roundtruth.overviews.dataset_page import VERSIONS_A_PAGE, read_dataset_page
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.storage import ObjectUri
from tests.roundtruth.datasets.memory_storage import MOMENT, MemoryStorage
from tests.roundtruth.datasets.three_versions import with_three_versions


class CountedStorage(MemoryStorage):
    """Counts what pages ask S3 for."""

    requests = 0

    def read_if_there(self, uri: ObjectUri):
        self.requests += 1
        return super().read_if_there(uri)

    def head(self, uri: ObjectUri):
        self.requests += 1
        return super().head(uri)


def test_the_time_line_is_what_the_records_say() -> None:
    storage, project = with_three_versions()
    folder = dataset_folder(project)
    page = read_dataset_page(EtagCache(storage), folder)
    assert [entry.record.version for entry in page.entries] == ["v0003", "v0002", "v0001"]
    assert [entry.state for entry in page.entries] == ["current", "", ""]
    assert [entry.images_more for entry in page.entries] == [0, 0, 41]  # one came and one went in v0002
    assert [entry.boxes_more for entry in page.entries] == [-1, 0, 42]
    assert [entry.new_rounds for entry in page.entries] == [("2026-01-19",), ("2026-01-12",), ("2026-01-05",)]
    for entry in page.entries:
        assert entry.record == read_version(storage, folder.version(entry.record.version))
        assert entry.published.at == MOMENT
    assert page.current is not None
    assert page.current.record.version == "v0003"
    assert (page.names, page.pages, page.moves) == (("v0003", "v0002", "v0001"), 1, ())


def test_who_moved_latest_is_shown_and_what_is_withdrawn() -> None:
    storage, project = with_three_versions()
    folder, cache = dataset_folder(project), EtagCache(storage)
    move = {"at": "2026-02-01T10:00:00+00:00", "reason": "r"}
    for version, by in (("v0001", "anna"), ("v0002", "uwe")):
        roll_back(storage, project.root_uri, "pens", version, by=by, **move)
    page = read_dataset_page(cache, folder)
    assert [entry.state for entry in page.entries] == ["withdrawn", "current", ""]
    assert [(move.by, move.old, move.new) for move in page.moves] == [
        ("uwe", "v0001", "v0002"),
        ("anna", "v0003", "v0001"),
    ]


def test_a_move_by_one_who_has_not_seen_the_last_one_is_refused() -> None:
    storage, project = with_three_versions()
    move = {"at": "2026-02-01T10:00:00+00:00", "by": "anna", "reason": "r"}
    roll_back(storage, project.root_uri, "pens", "v0001", seen="v0003", **move)
    before = storage.objects[str(dataset_folder(project).latest)]
    with pytest.raises(LatestMovedError, match="points to v0001, not to v0003 any more"):
        roll_back(storage, project.root_uri, "pens", "v0002", seen="v0003", **move)
    assert storage.objects[str(dataset_folder(project).latest)] == before


def test_hundreds_of_versions_are_paged_and_read_once() -> None:
    storage, project = with_three_versions()
    folder = dataset_folder(project)
    record = read_version(storage, folder.version("v0003"))
    assert record is not None
    many = CountedStorage()
    many.objects = dict(storage.objects)
    for number in range(4, 301):
        old, new = version_name(number - 1), version_name(number)
        later = record.__class__(
            **{name: getattr(record, name) for name in record.__struct_fields__}
            | {"version": new, "parent": old, "images": record.images + number}
        )
        many.objects[str(folder.version(new).record)] = encode_version(later)
    # A number that was claimed and never published, and somebody's own folder.
    many.objects[f"{folder.version('v0301').uri}/claim.json"] = b"{}"
    many.objects[f"{folder.versions}/notes/hello.txt"] = b"hello"
    cache = EtagCache(many)
    first = read_dataset_page(cache, folder)
    assert (len(first.names), first.pages) == (301, -(-301 // VERSIONS_A_PAGE))
    assert [entry.record.version for entry in first.entries][:2] == ["v0300", "v0299"]
    assert len(first.entries) == VERSIONS_A_PAGE - 1
    assert many.requests <= 2 * (VERSIONS_A_PAGE + 3), "two for each version shown, and the pointer"
    many.requests = 0
    assert read_dataset_page(cache, folder) == first
    assert many.requests <= 3, "versions never change"
    last = read_dataset_page(cache, folder, 10_000)
    assert last.page == last.pages
    assert last.entries[-1].record.version == "v0001"


def test_a_dataset_without_versions() -> None:
    page = read_dataset_page(EtagCache(MemoryStorage()), DatasetFolder(ObjectUri("b", "datasets/pens")))
    assert (page.entries, page.current, page.pages) == ((), None, 1)
