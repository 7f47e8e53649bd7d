"""Verifying names each thing that is wrong, in S3 and on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.local_tree import CHECKED_IMAGES
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.verify import verify_folder, verify_version
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round, storage_of

BOXES = {"a.jpg": [("pen", 10.0, 10.0, 20.0, 30.0)], "b.jpg": [], "c.jpg": []}


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def released(storage: Storage, bucket: str, layout: str = "tree") -> Project:
    project = project_in(bucket, dataset={"name": "pens", "layout": layout})
    put_round(storage, project, "2026-01-05", BOXES)
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)
    return project


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def add_stray(path: Path) -> None:
    (path.parent / "stray.txt").write_bytes(b"")


@pytest.mark.parametrize(
    ("pattern", "damage", "problem"),
    [
        pytest.param("labels/*/a-*.txt", cut, "is not what was published", id="label cut off"),
        pytest.param("labels/*/b-*.txt", Path.unlink, "is missing", id="label gone"),
        pytest.param("images/*/a-*.jpg", cut, "is another image", id="image cut off"),
        pytest.param("images/*/a-*.jpg", Path.unlink, "is missing", id="image gone"),
        pytest.param("labels/*/a-*.txt", add_stray, "is not in the index", id="stray label"),
        pytest.param("index.parquet", cut, "is not the index", id="index"),
        pytest.param("images.parquet", cut, "is not what was published", id="table"),
    ],
)
def test_damage_on_disk_is_named(
    storage: Storage, bucket: str, tmp_path: Path, pattern: str, damage: Callable[[Path], None], problem: str
) -> None:
    project = released(storage, bucket)
    pull_version(storage, project.root_uri, "pens", "latest", tmp_path / "pens")
    assert verify_folder(tmp_path / "pens").problems == ()
    (path,) = (tmp_path / "pens").glob(pattern)
    damage(path)
    found = [str(one) for one in verify_folder(tmp_path / "pens").problems]
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_damage_in_s3_is_named(storage: Storage, bucket: str, layout: str) -> None:
    project = released(storage, bucket, layout)
    version = dataset_folder(project).version("v0001")

    def found() -> list[str]:
        return [str(one) for one in verify_version(storage, project.root_uri, "pens", "latest").problems]

    assert found() == []
    storage.write(version.uri / "labels/train/stray.txt", b"")
    storage.delete(version.uri / "README.md")
    if layout == "packed":
        storage.write(ObjectUri.parse(f"{project.root}/images/a.jpg"), b"another image")
    problems = found()
    assert any("stray.txt is not in the index" in problem for problem in problems)
    assert any("README.md is missing" in problem for problem in problems)
    assert any("is another image than was published" in problem for problem in problems) == (
        layout == "packed"
    )


def test_images_that_were_copied_by_other_means_are_checked_by_their_etag(
    storage: Storage, bucket: str, tmp_path: Path
) -> None:
    project = released(storage, bucket)
    pull_version(storage, project.root_uri, "pens", "latest", tmp_path / "pens")
    (tmp_path / "pens" / CHECKED_IMAGES).unlink()
    checked = verify_folder(tmp_path / "pens")
    assert (checked.problems, checked.unchecked) == ((), 0)
    (image,) = (tmp_path / "pens").glob("images/*/a-*.jpg")
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    assert verify_folder(tmp_path / "pens").unchecked == 1


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is no dataset"):
        verify_folder(tmp_path)
