"""One version's page: what it holds is what its record and its tables say."""

from __future__ import annotations

import pytest

from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.rollback import roll_back
from roundtruth.errors import DatasetError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.version_page import pull_command, read_version_page
from tests.roundtruth.datasets.three_versions import with_three_versions


def test_a_version_page_shows_the_record_and_its_card() -> None:
    storage, project = with_three_versions()
    folder = dataset_folder(project)
    page = read_version_page(EtagCache(storage), folder, "v0001")
    assert sum(page.classes["pencil"]) == 1
    assert sum(page.classes["pen"]) == 41
    assert sum(map(sum, page.splits.values())) == page.record.images == sum(page.boxes_an_image.values())
    assert page.places.sum() == page.sizes.sum() == page.record.boxes == sum(page.box_areas.values())
    assert page.card.startswith("# pens v0001\n")
    command = "roundtruth dataset pull pens@v0001 --root s3://a-bucket/boxes --out pens"
    assert pull_command(page.record, str(project.root_uri)) == command
    for version in ("v0009", "latest", "../v0001"):
        with pytest.raises(DatasetError):
            read_version_page(EtagCache(storage), folder, version)


def test_it_says_whether_latest_means_it() -> None:
    storage, project = with_three_versions()
    move = {"at": "2026-02-01T10:00:00+00:00", "reason": "r", "by": "anna"}
    roll_back(storage, project.root_uri, "pens", "v0001", **move)
    pages = {
        name: read_version_page(EtagCache(storage), dataset_folder(project), name)
        for name in ("v0001", "v0002", "v0003")
    }
    assert {name: page.state for name, page in pages.items()} == {
        "v0001": "current",
        "v0002": "withdrawn",
        "v0003": "withdrawn",
    }
    assert {page.current for page in pages.values()} == {"v0001"}


def test_a_card_that_is_gone_leaves_the_rest() -> None:
    storage, project = with_three_versions()
    folder = dataset_folder(project)
    storage.delete(folder.version("v0001").uri / "README.md")
    page = read_version_page(EtagCache(storage), folder, "v0001")
    assert (page.card, page.record.version) == ("", "v0001")
