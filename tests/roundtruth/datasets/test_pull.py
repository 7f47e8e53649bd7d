"""Pulling and verifying over real HTTP: either layout, resuming, other versions, tampering."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from roundtruth.annotations import to_parquet
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.pull import PulledVersion, pull_version
from roundtruth.datasets.tables import INDEX
from roundtruth.datasets.verify import verify_folder
from roundtruth.datasets.version_index import read_stored_index
from roundtruth.datasets.versions import encode_version, resolve_version
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round, storage_of

FIRST = {
    "a/one.jpg": [("pen", 10.0, 10.0, 20.0, 30.0), ("pencil", 50.0, 5.0, 40.5, 12.25)],
    "b/one.jpg": [("pen", 0.0, 0.0, 100.0, 80.0)],
    "b/두 번째 #1 100%.png": [("pencil", 90.0, 70.0, 30.0, 30.0)],
    "empty.jpg": [],
}


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def project_of(bucket: str, layout: str = "tree") -> Project:
    return project_in(
        bucket, dataset={"name": "pens", "formats": ["yolo", "voc", "coco", "csv"], "layout": layout}
    )


def release(storage: Storage, project: Project) -> str:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    return publish_version(storage, project, candidate).version


def released(storage: Storage, bucket: str, layout: str = "tree") -> Project:
    """A project whose dataset has v0001, of FIRST."""
    project = project_of(bucket, layout)
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    return project


def pull(storage: Storage, project: Project, target: Path, version: str = "latest") -> PulledVersion:
    return pull_version(storage, project.root_uri, "pens", version, target)


def trained_on(target: Path) -> dict[str, bytes]:
    """What a trainer reads: everything but the files that describe the version."""
    folders = ("images/", "labels/", "voc/", "annotations/", "data.yaml", "annot.csv")
    found = {path.relative_to(target).as_posix(): path for path in target.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name.startswith(folders)}


def test_both_layouts_give_the_same_tree(storage: Storage, bucket: str, tmp_path: Path) -> None:
    trees = []
    for layout in ("tree", "packed"):
        project = project_of(bucket, layout).model_copy(update={"root": f"s3://{bucket}/boxes"})
        put_round(storage, project, "2026-01-05", FIRST)
        release(storage, project)
        pulled = pull(storage, project, tmp_path / layout)
        assert pulled.record.layout == layout
        assert verify_folder(tmp_path / layout).problems == ()
        trees.append(trained_on(tmp_path / layout))
    assert len(trees[0]) == 4 * 3 + 3 + 2
    assert trees[0] == trees[1]


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_pulling_again_reads_no_file_again(
    storage: Storage, bucket: str, tmp_path: Path, layout: str
) -> None:
    project = released(storage, bucket, layout)
    first = pull(storage, project, tmp_path / "pens")
    assert first.kept == 0
    (image,) = (tmp_path / "pens").glob("images/*/empty-*.jpg")
    image.write_bytes(image.read_bytes()[:-1] + b"x")
    next((tmp_path / "pens").glob("labels/*/empty-*.txt")).unlink()
    again = pull(storage, project, tmp_path / "pens")
    assert again.kept == first.files - 2
    assert verify_folder(tmp_path / "pens").problems == ()


def test_a_pull_of_another_version_takes_away_what_is_not_in_it(
    storage: Storage, bucket: str, tmp_path: Path
) -> None:
    project = project_of(bucket)
    refs = put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    put_round(storage, project, "2026-01-12", {"new.jpg": [("pen", 1.0, 1.0, 9.0, 9.0)]})
    release(storage, project)
    target = tmp_path / "pens"
    assert pull(storage, project, target).record.version == "v0002"
    assert len(list(target.glob("images/*/*"))) == len(refs) + 1
    assert pull(storage, project, target, "v0001").kept > 0
    assert len(list(target.glob("images/*/*"))) == len(refs)
    assert verify_folder(target).problems == ()


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_what_an_interrupted_pull_of_another_version_left_is_not_trained_on(
    storage: Storage, bucket: str, tmp_path: Path, layout: str
) -> None:
    project = released(storage, bucket, layout)
    put_round(storage, project, "2026-01-12", {f"new-{n}.jpg": [("pen", 1.0, 1.0, 9.0, 9.0)] for n in "abc"})
    release(storage, project)
    target = tmp_path / "pens"

    def stop_after_images(done: int, total: int) -> None:
        if len(list(target.glob("images/*/new-*"))) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_version(storage, project.root_uri, "pens", "v0002", target, stop_after_images)
    assert len(list(target.glob("images/*/new-*"))) == 3
    (target / "images/train/.new-d.jpg.partial").write_bytes(b"half")
    (target / "notes.txt").write_text("mine")
    pulled = pull(storage, project, target, "v0001")
    assert pulled.foreign >= 4
    assert pull(storage, project, tmp_path / "clean", "v0001").foreign == 0
    assert trained_on(target) == trained_on(tmp_path / "clean")
    assert (target / "notes.txt").read_text() == "mine"
    (target / "notes.txt").unlink()
    assert verify_folder(target).problems == ()


@pytest.mark.parametrize("layout", ["tree", "packed"])
def test_formats_that_a_version_does_not_have_leave_the_folder(
    storage: Storage, bucket: str, tmp_path: Path, layout: str
) -> None:
    every = ["yolo", "voc", "coco", "csv", "manifest"]
    project = project_in(bucket, dataset={"name": "pens", "formats": every, "layout": layout})
    put_round(storage, project, "2026-01-05", FIRST)
    release(storage, project)
    project = project_in(bucket, dataset={"name": "pens", "formats": ["yolo"], "layout": layout})
    release(storage, project)
    target = tmp_path / "pens"
    pull(storage, project, target, "v0001")
    for cache in ("train", "val"):
        (target / "labels" / f"{cache}.cache").write_bytes(b"of v0001")
    assert pull(storage, project, target, "v0002").record.formats == ("yolo",)
    pull(storage, project, tmp_path / "clean", "v0002")
    assert trained_on(target) == trained_on(tmp_path / "clean")
    assert verify_folder(target).problems == ()


def test_an_unfinished_pull_says_so_and_goes_on(storage: Storage, bucket: str, tmp_path: Path) -> None:
    project = released(storage, bucket)

    def stop_after_three(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_version(storage, project.root_uri, "pens", "latest", tmp_path / "pens", stop_after_three)
    with pytest.raises(DatasetError, match="unfinished pull"):
        verify_folder(tmp_path / "pens")
    assert pull(storage, project, tmp_path / "pens").kept >= 3
    assert verify_folder(tmp_path / "pens").problems == ()


def test_what_a_crash_tore_is_read_again(storage: Storage, bucket: str, tmp_path: Path) -> None:
    """Files of a new folder are written in their place: a kill or a full disk may leave a part of some."""
    project = released(storage, bucket)
    target = tmp_path / "pens"

    def stop_at_the_last(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_version(storage, project.root_uri, "pens", "latest", target, stop_at_the_last)
    torn = [next(target.glob(path)) for path in ("images/*/one*.jpg", "labels/*/one*.txt", "annot.csv")]
    for place in torn:
        os.truncate(place, place.stat().st_size // 2)
    pulled = pull(storage, project, target)
    assert pulled.kept == pulled.files - len(torn)
    assert verify_folder(target).problems == ()


def test_another_version_is_pulled_over_torn_files(storage: Storage, bucket: str, tmp_path: Path) -> None:
    """Also where what would name the files of the version before is damaged."""
    project = released(storage, bucket)
    put_round(storage, project, "2026-01-12", {"new.jpg": [("pen", 1.0, 1.0, 9.0, 9.0)]})
    release(storage, project)
    target = tmp_path / "pens"
    pull(storage, project, target, "v0001")
    (target / "version.json").unlink()
    for torn in (next(target.glob("labels/*/one*.txt")), target / "images.parquet"):
        os.truncate(torn, torn.stat().st_size // 2)
    assert pull(storage, project, target, "v0002").record.version == "v0002"
    assert verify_folder(target).problems == ()


def test_a_pull_that_was_killed_at_its_first_file_goes_on(
    storage: Storage, bucket: str, tmp_path: Path
) -> None:
    project = released(storage, bucket)
    target = tmp_path / "pens"
    target.mkdir()
    (target / ".index.parquet.partial").write_bytes(b"PAR1")
    pull(storage, project, target)
    assert verify_folder(target).problems == ()


@pytest.mark.parametrize("name", ["thesis.txt", "download.partial"])
def test_a_folder_that_holds_something_else_is_left_alone(
    storage: Storage, bucket: str, tmp_path: Path, name: str
) -> None:
    project = released(storage, bucket)
    (tmp_path / name).write_text("years of work")
    with pytest.raises(DatasetError, match="is not empty"):
        pull(storage, project, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("version", ["v0009", "latest"])
def test_a_version_that_is_not_there(storage: Storage, bucket: str, tmp_path: Path, version: str) -> None:
    with pytest.raises(DatasetError, match=f"has no version '{version}'; published: none"):
        pull(storage, project_of(bucket), tmp_path / "x", version)


@pytest.mark.parametrize("path", ["labels/*/empty-*.txt", "images/*/empty-*.jpg", "images.parquet"])
def test_a_changed_object_is_never_pulled(storage: Storage, bucket: str, tmp_path: Path, path: str) -> None:
    project = released(storage, bucket)
    pull(storage, project, tmp_path / "good")
    (found,) = (tmp_path / "good").glob(path)
    name = found.relative_to(tmp_path / "good").as_posix()
    uri = dataset_folder(project).version("v0001").uri / name
    storage.write(uri, storage.read(uri)[:-1] + b"x" if storage.read(uri) else b"0 0.5 0.5 1 1\n")
    with pytest.raises(DatasetError, match="was changed"):
        pull(storage, project, tmp_path / "bad")
    assert not (tmp_path / "bad" / "version.json").exists()


def test_a_hostile_index_writes_nothing(storage: Storage, bucket: str, tmp_path: Path) -> None:
    project = released(storage, bucket)
    folder = dataset_folder(project)
    record = resolve_version(storage, folder)
    version = folder.version("v0001")
    rows = pd.DataFrame(read_stored_index(storage, version, record))
    index = to_parquet(rows.assign(path=["../" + path for path in rows["path"]]), INDEX)
    storage.write(version.index, index)
    digest = hashlib.sha256(index).hexdigest()
    storage.write(version.record, encode_version(msgspec.structs.replace(record, index_sha256=digest)))
    with pytest.raises(DatasetError, match="not to be trusted"):
        pull(storage, project, tmp_path / "a" / "b")
    assert list(tmp_path.rglob("*")) == []


def test_odd_keys_become_safe_names(storage: Storage, bucket: str, tmp_path: Path) -> None:
    project = project_of(bucket)
    keys = [
        "sp ace/#1%.jpg",
        "한글/한글.jpg",
        "😀.jpg",
        "zero\u200bwidth.jpg",
        "k" * 900 + ".jpg",
        "+&=?.jpg",
    ]
    put_round(storage, project, "2026-01-05", {key: [("pen", 1.0, 1.0, 9.0, 9.0)] for key in keys})
    release(storage, project)
    pull(storage, project, tmp_path / "pens")
    assert len(list((tmp_path / "pens").glob("images/*/*"))) == len(keys)
    assert verify_folder(tmp_path / "pens").problems == ()
    assert ObjectUri.parse(project.root).bucket == bucket


@pytest.mark.parametrize("folder", ["images", "labels"])
def test_a_file_that_is_gone_is_named(storage: Storage, bucket: str, tmp_path: Path, folder: str) -> None:
    project = project_of(bucket)
    put_round(storage, project, "2026-01-05", FIRST)
    version = dataset_folder(project).version(release(storage, project))
    gone = next(storage.list_objects(version.uri / folder)).uri
    storage.delete(gone)
    with pytest.raises(DatasetError, match=rf"{re.escape(str(gone))} of pens v0001 is gone"):
        pull(storage, project, tmp_path / "v1")
