"""Versions of before tables had parts (tests/data/version_before_parts.zip) still read, and grow on."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.diff import diff_versions
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.verify import verify_folder, verify_version
from roundtruth.datasets.version_tables import read_version_tables
from roundtruth.project import Project
from tests.roundtruth.datasets.memory_storage import MemoryStorage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round

OLD = Path(__file__).parents[2] / "data" / "version_before_parts.zip"
ROOT = "s3://before-parts"


@pytest.fixture
def storage() -> MemoryStorage:
    """A bucket with v0001 and v0002, packed, as roundtruth left them before version.json named parts."""
    found = MemoryStorage()
    with zipfile.ZipFile(OLD) as archive:
        found.objects = {f"{ROOT}/{name}": archive.read(name) for name in archive.namelist()}
    return found


@pytest.fixture
def project() -> Project:
    return project_in(
        "before-parts", dataset={"name": "pens", "formats": ["yolo", "csv"], "layout": "packed"}
    )


def test_old_versions_read_pull_verify_and_compare(
    storage: MemoryStorage, project: Project, tmp_path: Path
) -> None:
    old, new = (read_version_tables(storage, project.root_uri, "pens", one) for one in ("v0001", "v0002"))
    assert (len(old.images), len(old.labels)) == (old.record.images, old.record.boxes) == (3, 3)
    difference = diff_versions(old, new)
    assert [ref.rpartition("/")[2] for ref in difference.removed] == ["gone.jpg"]
    assert [ref.rpartition("/")[2] for ref in difference.added] == ["사진 #1.jpg"]
    assert verify_version(storage, project.root_uri, "pens", "v0002").problems == ()
    pulled = pull_version(storage, project.root_uri, "pens", "v0002", tmp_path / "pens")
    assert (pulled.files, pulled.kept) == (pulled.record.files, 0)
    assert verify_folder(tmp_path / "pens").problems == ()


def test_the_next_version_after_an_old_one(storage: MemoryStorage, project: Project) -> None:
    assert assemble_candidate(storage, project) is None, "the same labels publish nothing"
    before = read_version_tables(storage, project.root_uri, "pens", "v0002").images
    put_round(storage, project, "2026-01-19", {"b.jpg": [("pen", 1.0, 1.0, 9.0, 9.0)], "c.jpg": []})
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    published = publish_version(storage, project, candidate)
    assert (published.record.version, published.record.parent) == ("v0003", "v0002")
    assert {name: len(parts) for name, parts in published.record.tables.items()} == {
        "images": 1,
        "labels": 1,
        "splits": 1,
        "left_out": 1,
    }
    after = read_version_tables(storage, project.root_uri, "pens", "v0003").images.set_index("source_ref")
    assert (after.loc[before["source_ref"], "split"].to_numpy() == before["split"].to_numpy()).all()
    assert verify_version(storage, project.root_uri, "pens", "v0003").problems == ()
