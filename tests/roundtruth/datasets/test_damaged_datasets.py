"""Datasets with one thing wrong: verify names the file and the rule, in S3 and on disk.

A forged version has digests that agree with what is wrong in it, as one that faulty code published would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest

from roundtruth.annotations import from_parquet, to_parquet
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.folder import VersionFolder
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.pull import pull_version
from roundtruth.datasets.tables import INDEX
from roundtruth.datasets.verify import verify_folder, verify_version
from roundtruth.datasets.version_tables import read_version_tables
from roundtruth.datasets.versions import encode_version, read_version
from roundtruth.datasets.yolo_rules import label_path
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg, project_in, put_round, storage_of

BOXES = {"a.jpg": [("pen", 10.0, 10.0, 20.0, 30.0)], "b.jpg": [], "c.jpg": []}


Released = Callable[[str], tuple[Project, VersionFolder]]


@pytest.fixture(scope="module")
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


@pytest.fixture(scope="module")
def released(sandbox: Any, storage: Storage) -> Released:
    """Gives a whole version of a layout: published once, put back in order each time."""
    made: dict[str, tuple[Project, VersionFolder, dict[str, bytes]]] = {}

    def release(layout: str) -> tuple[Project, VersionFolder]:
        s3, bucket = sandbox._s3, f"damaged-{layout}"
        if layout not in made:
            s3.create_bucket(bucket)
            project = project_in(bucket, dataset={"name": "pens", "layout": layout, "formats": ["yolo"]})
            put_round(storage, project, "2026-01-05", BOXES)
            candidate = assemble_candidate(storage, project)
            assert candidate is not None
            version = VersionFolder(publish_version(storage, project, candidate).uri)
            objects = {key: s3.read(bucket, key) for key in s3.keys(bucket, "")}
            made[layout] = (project, version, objects)
        project, version, objects = made[layout]
        for key in set(s3.keys(bucket, "")) - objects.keys():
            storage.delete(ObjectUri(bucket, key))
        for key, data in objects.items():
            if s3.read(bucket, key) != data:
                s3.write(bucket, key, data)
        return project, version

    return release


def index_of(storage: Storage, version: VersionFolder) -> pd.DataFrame:
    return from_parquet(storage.read(version.index), INDEX, name="index")


def file_of(storage: Storage, version: VersionFolder, folder: str, name: str) -> str:
    """The path of an image or its label file, such as labels/train/a-….txt."""
    root = ObjectUri(version.uri.bucket, version.uri.key.partition("/datasets/")[0])
    images = read_version_tables(storage, root, "pens", version.name).images
    (row,) = images[images["source_ref"].str.endswith(f"/{name}.jpg")].to_dict("records")
    path = f"images/{row['split']}/{row['file']}"
    return path if folder == "images" else label_path(path)


def forge(storage: Storage, version: VersionFolder, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Replace the index by a changed one, and let version.json vouch for it."""
    index = to_parquet(change(index_of(storage, version)).sort_values("path"), INDEX)
    storage.write(version.index, index)
    record = read_version(storage, version)
    assert record is not None
    digest = hashlib.sha256(index).hexdigest()
    storage.write(version.record, encode_version(msgspec.structs.replace(record, index_sha256=digest)))


def forge_file(storage: Storage, version: VersionFolder, path: str, data: bytes) -> None:
    """Replace a file of a version, and let its index vouch for it."""
    storage.write(version.uri / path, data)

    def change(index: pd.DataFrame) -> pd.DataFrame:
        row = index["path"] == path
        if not row.any():
            like = index[index["path"].str.startswith("labels/")].iloc[[0]].assign(path=path)
            index = pd.concat([index, like], ignore_index=True)
            row = index["path"] == path
        index.loc[row, "sha256"] = hashlib.sha256(data).hexdigest()
        index.loc[row, "size"] = len(data)
        return index

    forge(storage, version, change)


def found_in_both(storage: Storage, project: Project, folder: Path) -> list[str]:
    """What verify says of the version in S3, and once it was pulled: the same."""
    in_s3 = [str(one) for one in verify_version(storage, project.root_uri, "pens", "v0001").problems]
    pull_version(storage, project.root_uri, "pens", "v0001", folder)
    assert [str(one) for one in verify_folder(folder).problems] == in_s3
    return in_s3


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        pytest.param(b"1 0.5 0.5 0.2\n", "row 1 has 4 columns; a box has five", id="columns missing"),
        pytest.param(b"1 0.5 0.5 0.2 0.2 0.9\n", "row 1 has 6 columns; a box has five", id="a column more"),
        pytest.param(b"1 0.5 x 0.2 0.2\n", "row 1 has a column that is no number", id="no number"),
        pytest.param(b"1 0.5 1.1 0.2 0.2\n", "row 1 has a coordinate outside 0–1", id="over 1"),
        pytest.param(b"1 -0.1 0.5 0.2 0.2\n", "row 1 has a coordinate outside 0–1", id="below 0"),
        pytest.param(b"1 0.5 0.5 0 0.2\n", "row 1 has a box without an area", id="no area"),
        pytest.param(
            b"2 0.5 0.5 0.2 0.2\n", "row 1 has class 2; there are 2 classes, from 0", id="class not below nc"
        ),
        pytest.param(b"0 0.5 0.5 0.2 0.2\n" * 2, "row 2 repeats row 1", id="duplicate row"),
        pytest.param(b"\xff\xfe", "is not UTF-8 text", id="no text"),
    ],
)
def test_a_row_that_trainers_refuse(
    storage: Storage, released: Released, tmp_path: Path, label: bytes, problem: str
) -> None:
    project, version = released("tree")
    path = file_of(storage, version, "labels", "a")
    forge_file(storage, version, path, label)
    (found,) = found_in_both(storage, project, tmp_path / "pens")
    assert found.startswith(f"{path} {problem}")


def test_an_image_whose_label_file_is_not_where_trainers_look(
    storage: Storage, released: Released, tmp_path: Path
) -> None:
    project, version = released("tree")
    path = file_of(storage, version, "labels", "a")
    split = path.split("/")[1]
    moved = path.replace(f"labels/{split}/", f"labels/{split}/more/")
    storage.write(version.uri / moved, storage.read(version.uri / path))
    storage.delete(version.uri / path)
    forge(storage, version, lambda index: index.assign(path=index["path"].replace(path, moved)))
    image, label = found_in_both(storage, project, tmp_path / "pens")
    assert image.endswith(f"has no label file {path}; it would be trained on as a negative")
    assert label == f"{moved} has no image; it would never be read"


def published(storage: Storage, bucket: str, **facts: Any) -> Project:
    """A version of three images about which a round says these things."""
    project = project_in(bucket, dataset={"name": "pens", "formats": ["yolo"]})
    put_round(storage, project, "2026-01-05", BOXES, **facts)
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)
    return project


def test_an_image_that_is_too_small_for_trainers(storage: Storage, bucket: str, tmp_path: Path) -> None:
    project = published(storage, bucket, size=(9, 80))
    found = [str(one) for one in verify_version(storage, project.root_uri, "pens", "v0001").problems]
    pull_version(storage, project.root_uri, "pens", "v0001", tmp_path / "pens")
    assert [str(one) for one in verify_folder(tmp_path / "pens").problems] == found
    assert len(found) == 3
    assert all(one.endswith("is 9×80 pixels; sides under 10 are refused") for one in found)


def test_an_image_whose_labels_were_made_for_another_exif_size(
    storage: Storage, bucket: str, tmp_path: Path
) -> None:
    """The wrong orientation in the tables: every label is on its side, and no digest tells."""
    for name in BOXES:
        storage.write(project_in(bucket).images_uri / name, jpeg(100, 80))
    project = published(storage, bucket, orientation=6)
    pull_version(storage, project.root_uri, "pens", "v0001", tmp_path / "pens")
    found = [str(one) for one in verify_folder(tmp_path / "pens").problems]
    assert len(found) == 3
    assert all(
        one.endswith(
            "is 100×80 pixels after its EXIF orientation 1; its labels were made for 80×100 and orientation 6"
        )
        for one in found
    )


Damage = Callable[[Storage, Project, VersionFolder], str]


def label_gone(storage: Storage, project: Project, version: VersionFolder) -> str:
    path = file_of(storage, version, "labels", "a")
    storage.delete(version.uri / path)
    return f"{path} is missing"


def label_changed(storage: Storage, project: Project, version: VersionFolder) -> str:
    path = file_of(storage, version, "labels", "b")
    storage.write(version.uri / path, b"0 0.5 0.5 0.2 0.2\n")
    return f"{path} is not what was published: 18 bytes, 0 in the index"


def copy_gone(storage: Storage, project: Project, version: VersionFolder) -> str:
    path = file_of(storage, version, "images", "a")
    storage.delete(version.uri / path)
    return f"{path} is missing"


def copy_replaced(storage: Storage, project: Project, version: VersionFolder) -> str:
    path = file_of(storage, version, "images", "a")
    storage.write(version.uri / path, jpeg(100, 80, color=(1, 2, 3)))
    return f"{path} is another image than was published ({version.uri / path})"


def source_replaced(storage: Storage, project: Project, version: VersionFolder) -> str:
    source = project.root_uri / "images/a.jpg"
    storage.write(source, jpeg(100, 80, color=(1, 2, 3)))
    return f"{file_of(storage, version, 'images', 'a')} is another image than was published ({source})"


def source_gone(storage: Storage, project: Project, version: VersionFolder) -> str:
    storage.delete(project.root_uri / "images/a.jpg")
    return f"{file_of(storage, version, 'images', 'a')} is missing"


def stray(storage: Storage, project: Project, version: VersionFolder) -> str:
    storage.write(version.uri / "labels/train/stray.txt", b"")
    return "labels/train/stray.txt is not in the index: it does not belong to the version"


def stray_in_the_place_of_a_made_file(storage: Storage, project: Project, version: VersionFolder) -> str:
    """`aws s3 sync` would bring it to whoever trains, in place of the label that the version has."""
    path = file_of(storage, version, "labels", "a")
    storage.write(version.uri / path, b"0 0.5 0.5 0.2 0.2\n")
    return (
        f"{path} is not in the index as a file of this folder: "
        "the version has it from its tables or its source"
    )


def table_changed(storage: Storage, project: Project, version: VersionFolder) -> str:
    data = storage.read(version.labels)
    storage.write(version.labels, data + b" ")
    return f"labels.parquet is not what was published: {len(data) + 1} bytes, {len(data)} in the index"


def part_changed(storage: Storage, project: Project, version: VersionFolder) -> str:
    """A packed version's tables lie in parts that versions share."""
    objects = storage.list_objects(project.root_uri / "datasets/pens")
    part = next(one.uri for one in objects if one.uri.name.endswith(".parquet") and "/parts/" in one.uri.key)
    storage.write(part, storage.read(part) + b" ")
    return f"parts {part} was changed: it is not what was published."


def index_changed(storage: Storage, project: Project, version: VersionFolder) -> str:
    storage.write(version.index, storage.read(version.index) + b" ")
    return f"index.parquet {version.index} is not the index that version.json names; it was changed."


def description_gone(storage: Storage, project: Project, version: VersionFolder) -> str:
    storage.delete(version.uri / "README.md")
    return "README.md is missing"


@pytest.mark.parametrize(
    ("layout", "damage"),
    [
        ("tree", label_gone),
        ("tree", label_changed),
        ("tree", copy_gone),
        ("tree", copy_replaced),
        ("tree", stray),
        ("tree", table_changed),
        ("tree", index_changed),
        ("tree", description_gone),
        ("packed", source_replaced),
        ("packed", source_gone),
        ("packed", stray),
        ("packed", stray_in_the_place_of_a_made_file),
        ("packed", part_changed),
        ("packed", index_changed),
        ("packed", description_gone),
    ],
)
def test_damage_in_s3_is_the_one_thing_that_is_named(
    storage: Storage, released: Released, layout: str, damage: Damage
) -> None:
    project, version = released(layout)
    assert verify_version(storage, project.root_uri, "pens", "v0001").problems == ()
    named = damage(storage, project, version)
    found = [str(one) for one in verify_version(storage, project.root_uri, "pens", "v0001").problems]
    assert found == [named]


def test_the_cache_that_training_leaves_is_no_stray(
    storage: Storage, released: Released, tmp_path: Path
) -> None:
    project, _ = released("tree")
    pull_version(storage, project.root_uri, "pens", "v0001", tmp_path / "pens")
    (tmp_path / "pens/labels/train.cache").write_bytes(b"Ultralytics")
    assert verify_folder(tmp_path / "pens").problems == ()


DATA_YAML = b"train: train/images\nval: train/images\nnc: 1\nnames: [pen]\n"


def other_dataset(folder: Path) -> Path:
    """A YOLO tree that somebody else made, in the other common layout."""
    for name, data in {
        "data.yaml": DATA_YAML,
        "train/images/a.jpg": jpeg(100, 80),
        "train/images/b.jpg": jpeg(100, 80, orientation=6),
        "train/labels/a.txt": b"0 0.5 0.5 0.2 0.2\n",
        "train/labels/b.txt": b"",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("path", "data", "problem"),
    [
        pytest.param("train/labels/a.txt", b"1 0.5 0.5 0.2 0.2\n", "row 1 has class 1", id="class"),
        pytest.param("train/labels/a.txt", None, "has no label file train/labels/a.txt", id="label gone"),
        pytest.param("train/labels/c.txt", b"", "has no image; it would never be read", id="label alone"),
        pytest.param("train/images/a.jpg", jpeg(100, 9), "is 100×9 pixels", id="small image"),
        pytest.param("train/images/a.jpg", b"hello", "is not a JPEG or PNG image", id="no image"),
        pytest.param("train/images/a.jpg", jpeg(100, 80)[:90], "is truncated or damaged", id="cut off"),
        pytest.param(
            "data.yaml",
            b"train: train/images\nval: train/images\nnc: 2\nnames: [pen]\n",
            "says nc: 2",
            id="nc",
        ),
        pytest.param("data.yaml", b"train: train/images\nnames: [pen]\n", "names no val images", id="no val"),
    ],
)
def test_a_yolo_tree_of_somebody_else(tmp_path: Path, path: str, data: bytes | None, problem: str) -> None:
    folder = other_dataset(tmp_path)
    assert verify_folder(folder).problems == ()
    if data is None:
        (folder / path).unlink()
    else:
        (folder / path).write_bytes(data)
    (found,) = (str(one) for one in verify_folder(folder).problems)
    assert problem in found
