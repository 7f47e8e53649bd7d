"""Splits over several versions, over real HTTP: images that return, groups, pins, near duplicates."""

from __future__ import annotations

import io
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import read_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.rollback import roll_back
from roundtruth.datasets.version_tables import read_version_tables
from roundtruth.datasets.versions import newest_version
from roundtruth.project import Project
from roundtruth.quality.image_facts import inspect_images
from roundtruth.rounds.folder import round_folder
from roundtruth.stages.dataset_release import assemble
from roundtruth.stages.image_inspection import FACTS
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg, project_in, put_round, storage_of

PEN = ("pen", 10.0, 10.0, 20.0, 30.0)


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def project_of(bucket: str, **dataset: Any) -> Project:
    return project_in(bucket, dataset={"name": "pens", "layout": "packed", **dataset})


def release(storage: Storage, project: Project) -> dict[str, str]:
    """Publish; source_ref -> split."""
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    publish_version(storage, project, candidate)
    return dict(zip(candidate.images["source_ref"], candidate.images["split"], strict=True))


def test_an_image_that_left_comes_back_to_its_split(storage: Storage, bucket: str) -> None:
    project = project_of(bucket)
    keys = [f"{number}.jpg" for number in range(10)]
    refs = put_round(storage, project, "2026-01-05", {key: [PEN] for key in keys})
    first = release(storage, project)
    gone = [ref for ref, split in first.items() if split != "train"]
    kept = {ref: storage.read(ObjectUri.parse(ref)) for ref in gone}
    for ref in gone:
        storage.delete(ObjectUri.parse(ref))
    put_round(storage, project, "2026-01-12", {f"new{number}.jpg": [PEN] for number in range(4)})
    second = release(storage, project)
    assert not set(gone) & set(second)
    for ref, data in kept.items():
        storage.write(ObjectUri.parse(ref), data)
    third = release(storage, project)
    assert {ref: third[ref] for ref in refs.values()} == first


def test_groups_and_pins_hold_in_every_version(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, group_by={"folder": 1}, pinned={"test": ["images/golden/*"]})
    clips = {f"clip{clip}/{frame}.jpg": [PEN] for clip in range(6) for frame in range(3)}
    more = {f"clip{clip}/9.jpg": [PEN] for clip in range(6)} | {"golden/2.jpg": [], "clip7/1.jpg": []}
    for number, key in enumerate([*clips, "golden/1.jpg", *more]):  # the same bytes would join their groups
        storage.write(project.images_uri / key, jpeg(100, 80, color=(9, 7 * number, 1)))
    put_round(storage, project, "2026-01-05", clips | {"golden/1.jpg": [PEN]})
    first = release(storage, project)
    put_round(storage, project, "2026-01-12", more)
    second = release(storage, project)
    assert {ref: second[ref] for ref in first} == first
    of_folder: dict[str, set[str]] = {}
    for ref, split in second.items():
        of_folder.setdefault(ref.split("/")[-2], set()).add(split)
    assert of_folder["golden"] == {"test"}
    assert all(len(splits) == 1 for splits in of_folder.values())
    record = newest_version(storage, dataset_folder(project))
    assert record is not None
    assert record.torn_groups == 0


def test_the_same_bytes_in_two_folders_are_in_one_split(storage: Storage, bucket: str) -> None:
    project = project_of(bucket)
    for number in range(40):
        data = jpeg(100, 80, color=(number // 2 * 9, 40, 90))
        storage.write(project.root_uri / f"images/{number % 2}/{number // 2}.jpg", data)
    keys = [f"{number % 2}/{number // 2}.jpg" for number in range(40)]
    put_round(storage, project, "2026-01-05", {key: [] for key in keys})
    splits = release(storage, project)
    for ref, split in splits.items():
        assert splits[ref.replace("/images/0/", "/images/1/")] == split
    assert set(splits.values()) == {"train", "val", "test"}


def photo(number: int, quality: int) -> bytes:
    blocks = np.random.default_rng(number).integers(0, 255, (5, 6), dtype=np.uint8)
    picture = Image.fromarray(blocks).resize((100, 80), Image.Resampling.BICUBIC)
    content = io.BytesIO()
    picture.convert("RGB").save(content, "JPEG", quality=quality)
    return content.getvalue()


def put_photos(storage: Storage, project: Project, round_key: str, photos: dict[str, bytes]) -> None:
    for name, data in photos.items():
        storage.write(project.root_uri / f"images/{name}", data)
    put_round(storage, project, round_key, {name: [PEN] for name in photos})


class CountingStorage(Storage):
    """Knows which images were read."""

    reads: ClassVar[list[str]] = []

    def read_if_there(self, uri: ObjectUri) -> Any:
        if "/images/" in uri.key and "/versions/" not in uri.key:
            self.reads.append(uri.name)
        return super().read_if_there(uri)


@pytest.fixture
def counting(sandbox: Any) -> Any:
    CountingStorage.reads.clear()
    return storage_of(sandbox.endpoint_url, CountingStorage)


def test_near_duplicates_follow_each_other_and_are_read_once(counting: Any, bucket: str) -> None:
    project = project_of(bucket, group_by={"near_duplicates": True})
    put_photos(counting, project, "2026-01-05", {f"{one}.jpg": photo(one, 90) for one in range(12)})
    assemble_candidate(counting, project)  # publishing reads some of them once more, for the contact sheet
    assert sorted(counting.reads) == sorted(f"{number}.jpg" for number in range(12))
    first = release(counting, project)
    counting.reads.clear()
    again = {f"again-{number}.jpg": photo(number, 60) for number in range(0, 12, 2)}
    put_photos(counting, project, "2026-01-12", again)
    assemble_candidate(counting, project)
    assert sorted(counting.reads) == sorted(again)
    second = release(counting, project)
    for ref, split in first.items():
        copy = ref.replace("/images/", "/images/again-")
        assert second[ref] == second.get(copy, split) == split
    layers = read_version_tables(counting, project.root_uri, "pens", "v0002").layers
    assert layers is not None
    memory = layers.splits.frame
    assert memory["phash"].notna().all()
    assert memory["looks_like"].notna().sum() == 2 * len(again)


def test_images_that_their_round_inspected_are_not_read_again(counting: Any, bucket: str) -> None:
    project = project_of(bucket, group_by={"near_duplicates": True})
    put_photos(counting, project, "2026-01-05", {f"{one}.jpg": photo(one, 90) for one in range(6)})
    images = pd.DataFrame(
        [{"source_ref": str(one.uri), "etag": one.etag} for one in counting.list_objects(project.images_uri)]
    )
    inspect_images(counting, images, round_folder(project, "2026-01-05").stage(FACTS))
    counting.reads.clear()
    uri = assemble(counting, project)
    assert counting.reads == []
    assert uri is not None
    assert read_candidate(counting, ObjectUri.parse(uri)).splits["phash"].str.len().eq(16).all()


def test_a_near_duplicate_of_an_image_that_left_goes_to_its_split(storage: Storage, bucket: str) -> None:
    project = project_of(bucket, group_by={"near_duplicates": True})
    put_photos(storage, project, "2026-01-05", {f"{one}.jpg": photo(one, 90) for one in range(10)})
    first = release(storage, project)
    for ref in first:
        storage.delete(ObjectUri.parse(ref))
    put_photos(storage, project, "2026-01-12", {f"again-{one}.jpg": photo(one, 60) for one in range(10)})
    second = release(storage, project)
    assert second == {ref.replace("/images/", "/images/again-"): split for ref, split in first.items()}


# --- a split is for ever


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"layout": "tree"}, id="other layout"),
        pytest.param({"splits": {"train": 0.1, "val": 0.8, "test": 0.1}}, id="other ratios"),
        pytest.param({"group_by": {"folder": 1}}, id="other groups"),
        pytest.param({"formats": ["yolo", "coco"]}, id="other formats"),
    ],
)
def test_an_image_keeps_its_split_when_the_project_changes(
    storage: Storage, bucket: str, change: dict[str, Any]
) -> None:
    project = project_of(bucket)
    keys = [f"cam{number % 3}/{number}.jpg" for number in range(12)]
    put_round(storage, project, "2026-01-05", {key: [PEN] for key in keys})
    first = release(storage, project)
    put_round(storage, project, "2026-01-12", {"cam9/new.jpg": [PEN]})
    assert first.items() <= release(storage, project_of(bucket, **change)).items()


def test_an_image_keeps_its_split_when_it_is_relabeled_or_replaced(storage: Storage, bucket: str) -> None:
    project = project_of(bucket)
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [PEN] for number in range(10)})
    first = release(storage, project)
    relabeled: dict[str, Any] = {f"{one}.jpg": [("pencil", 1.0, 2.0, 30.0, 40.0)] for one in range(5)}
    put_round(storage, project, "2026-01-12", relabeled | {"0.jpg": []})
    assert release(storage, project) == first
    storage.write(project.root_uri / "images/7.jpg", jpeg(100, 80, color=(250, 250, 0)))
    put_round(storage, project, "2026-01-19", {"7.jpg": [PEN]})
    assert release(storage, project) == first


def test_an_image_keeps_its_split_after_a_rollback(storage: Storage, bucket: str) -> None:
    project = project_of(bucket)
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [PEN] for number in range(10)})
    first = release(storage, project)
    put_round(storage, project, "2026-01-12", {f"{number}.jpg": [PEN] for number in range(10, 20)})
    second = release(storage, project)
    at = "2026-01-13T09:00:00Z"
    roll_back(storage, project.root_uri, "pens", "v0001", at=at, by="ada", reason="boxes are wrong")
    put_round(storage, project, "2026-01-19", {f"{number}.jpg": [PEN] for number in range(20, 25)})
    third = release(storage, project)
    assert first.items() <= second.items() <= third.items()


# --- a class that is missing from a split


def test_a_class_missing_from_a_split_is_reported_in_the_card(storage: Storage, bucket: str) -> None:
    """The gate warns of it too: category_in_every_split in tests/roundtruth/quality/test_dataset_gate.py."""
    project = project_of(bucket, pinned={"train": ["images/pencil*"]})
    pencil = {"pencil.jpg": [("pencil", 1.0, 1.0, 9.0, 9.0)]}
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [PEN] for number in range(10)} | pencil)
    release(storage, project)
    card = storage.read(dataset_folder(project).version("v0001").uri / "README.md").decode()
    assert "- Split val has no box of pencil." in card
    assert "- Split test has no box of pencil." in card


def test_an_image_that_was_replaced_by_another_s_bytes_goes_where_those_are(
    storage: Storage, bucket: str
) -> None:
    project = project_of(bucket)
    keys = [f"{number}.jpg" for number in range(10)]
    refs = put_round(storage, project, "2026-01-05", {key: [PEN] for key in keys})
    first = release(storage, project)
    train = [key for key in keys if first[refs[key]] == "train"]
    (val, *_) = (key for key in keys if first[refs[key]] == "val")
    storage.copy(project.images_uri / val, project.images_uri / train[0])
    storage.write(project.images_uri / train[1], jpeg(100, 80, color=(1, 2, 3)))  # bytes that nobody knows
    put_round(storage, project, "2026-01-12", {key: [PEN] for key in (train[0], train[1], "new.jpg")})
    second = release(storage, project)
    assert second[refs[train[0]]] == second[refs[val]] == "val"
    others = set(refs.values()) - {refs[train[0]]}
    assert {ref: second[ref] for ref in others} == {ref: first[ref] for ref in others}
    candidate = assemble_candidate(storage, project)
    assert candidate is None  # nothing moves any more
