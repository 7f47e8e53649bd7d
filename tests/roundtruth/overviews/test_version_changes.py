"""Changed images with their boxes before and after: what the page draws is what both versions hold."""

from __future__ import annotations

import json

import msgspec
import pytest

from roundtruth.datasets.boxes import PixelBox, upright_box
from roundtruth.datasets.diff import VersionDiff
from roundtruth.datasets.folder import dataset_folder
from roundtruth.errors import DatasetError
from roundtruth.overviews import version_changes
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.version_changes import KINDS, read_changes
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round
from tests.roundtruth.datasets.three_versions import pen, published, with_three_versions


def test_the_diff_with_the_parent_is_changes_json() -> None:
    storage, project = with_three_versions()
    folder = dataset_folder(project)
    for old, new in (("v0001", "v0002"), ("v0002", "v0003")):
        written = storage.objects[str(folder.version(new).uri / "changes.json")]
        found = read_changes(EtagCache(storage), folder, old, new)
        assert found.diff == msgspec.json.decode(written, type=VersionDiff)
        assert found.counts == {kind: len(json.loads(written)[kind]) for kind in KINDS}


def test_boxes_before_and_after_side_by_side() -> None:
    storage, project = with_three_versions()
    folder = dataset_folder(project)
    found = read_changes(EtagCache(storage), folder, "v0001", "v0002", kind="relabeled")
    third, fourth = found.images
    assert [one.source_ref.rpartition("/")[2] for one in found.images] == ["03.jpg", "04.jpg"]
    assert third.before is not None
    assert third.after is not None
    assert [(box.left, box.change) for box in third.before.boxes] == [(3.0, "moved")]
    assert [(box.left, box.change) for box in third.after.boxes] == [(9.0, "moved"), (30.0, "appeared")]
    assert fourth.before is not None
    assert fourth.after is not None
    assert [box.change for box in fourth.before.boxes] == ["vanished"]
    assert fourth.after.boxes == ()
    assert [change.change for change in third.changes] == ["moved", "appeared"]


@pytest.mark.parametrize(
    ("kind", "names", "before", "after"),
    [
        pytest.param("added", ["new.jpg"], False, True, id="added"),
        pytest.param("removed", ["05.jpg"], True, False, id="removed"),
        pytest.param("", ["03.jpg", "04.jpg"], True, True, id="the first kind there is"),
        pytest.param("<script>", ["03.jpg", "04.jpg"], True, True, id="no kind at all"),
    ],
)
def test_kinds(kind: str, names: list[str], before: bool, after: bool) -> None:
    storage, project = with_three_versions()
    found = read_changes(EtagCache(storage), dataset_folder(project), "v0001", "v0002", kind=kind)
    assert [one.source_ref.rpartition("/")[2] for one in found.images] == names
    for one in found.images:
        assert (one.before is not None, one.after is not None) == (before, after)


def test_places_name_the_images_they_are_asked_for_by() -> None:
    from roundtruth.overviews.published_versions import read_version_rows

    storage, project = with_three_versions()
    folder, cache = dataset_folder(project), EtagCache(storage)
    found = read_changes(cache, folder, "v0003", "v0001", kind="added")
    [image] = found.images
    assert image.after is not None
    rows = read_version_rows(cache, folder, found.new.record)
    assert rows.images.to_pylist()[image.after.place]["source_ref"] == image.source_ref


def test_boxes_are_turned_as_browsers_turn_the_image() -> None:
    storage = MemoryStorage()
    project = project_in("a-bucket", dataset={"name": "pens", "formats": ["yolo"], "layout": "packed"})
    for key, left in (("2026-01-05", 10.0), ("2026-01-12", 12.0)):
        put_round(storage, project, key, {"a.jpg": [pen(left)]}, size=(100, 80), orientation=6)
        published(storage, project)
    [image] = read_changes(EtagCache(storage), dataset_folder(project), "v0001", "v0002").images
    assert image.before is not None
    assert (image.before.width, image.before.height) == (80, 100)
    [box] = image.before.boxes
    turned = upright_box(PixelBox(1, 10.0, 10.0, 20.0, 30.0), 100, 80, 6)
    assert (box.left, box.top, box.width, box.height, box.change) == (*turned[1:], "moved")


def test_changed_images_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_changes, "IMAGES_A_PAGE", 1)
    storage, project = with_three_versions()
    folder, cache = dataset_folder(project), EtagCache(storage)
    pages = [read_changes(cache, folder, "v0001", "v0002", page=number) for number in (1, 2, 99)]
    assert [(one.page, one.pages, len(one.images)) for one in pages] == [(1, 2, 1), (2, 2, 1), (2, 2, 1)]
    assert pages[0].images != pages[1].images == pages[2].images


@pytest.mark.parametrize("version", ["v0009", "latest", "v1", "../../v0001", ""])
def test_no_such_version(version: str) -> None:
    storage, project = with_three_versions()
    with pytest.raises(DatasetError):
        read_changes(EtagCache(storage), dataset_folder(project), "v0001", version)
