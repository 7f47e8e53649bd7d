"""Splits over several versions, over real HTTP: images that return, groups, pins, near duplicates."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from roundtruth.annotations import from_parquet
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.split_memory import SPLIT_MEMORY, read_memory
from roundtruth.datasets.versions import newest_version
from roundtruth.project import Project
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


def test_versions_without_a_memory_are_made_up_for(storage: Storage, bucket: str) -> None:
    project = project_of(bucket)
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [PEN] for number in range(5)})
    release(storage, project)
    folder = dataset_folder(project)
    newest = newest_version(storage, folder)
    with_it = read_memory(storage, folder, newest)
    storage.delete(folder.version("v0001").splits)
    without = read_memory(storage, folder, newest)
    columns = ["source_ref", "etag", "split"]
    assert with_it[columns].equals(without[columns])
    assert len(without) == 5


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


def test_near_duplicates_follow_each_other_and_are_read_once(sandbox: Any, bucket: str) -> None:
    reads: list[str] = []

    class CountingStorage(Storage):
        def read_if_there(self, uri: ObjectUri) -> Any:
            if "/images/" in uri.key and "/versions/" not in uri.key:
                reads.append(uri.name)
            return super().read_if_there(uri)

    storage = storage_of(sandbox.endpoint_url, CountingStorage)
    project = project_of(bucket, group_by={"near_duplicates": True})

    def put(name: str, number: int, quality: int) -> None:
        blocks = np.random.default_rng(number).integers(0, 255, (5, 6), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((100, 80), Image.Resampling.BICUBIC)
        content = io.BytesIO()
        picture.convert("RGB").save(content, "JPEG", quality=quality)
        storage.write(project.root_uri / f"images/{name}", content.getvalue())

    for number in range(12):
        put(f"{number}.jpg", number, 90)
    put_round(storage, project, "2026-01-05", {f"{number}.jpg": [PEN] for number in range(12)})
    assemble_candidate(storage, project)  # publishing reads some of them once more, for the contact sheet
    assert sorted(reads) == sorted(f"{number}.jpg" for number in range(12))
    first = release(storage, project)
    reads.clear()
    for number in range(0, 12, 2):
        put(f"again-{number}.jpg", number, 60)
    put_round(storage, project, "2026-01-12", {f"again-{number}.jpg": [PEN] for number in range(0, 12, 2)})
    assemble_candidate(storage, project)
    assert sorted(reads) == sorted(f"again-{number}.jpg" for number in range(0, 12, 2))
    second = release(storage, project)
    for ref, split in first.items():
        again = ref.replace("/images/", "/images/again-")
        assert second[ref] == second.get(again, split) == split
    uri = dataset_folder(project).version("v0002").splits
    assert from_parquet(storage.read(uri), SPLIT_MEMORY, name="splits")["fingerprint"].notna().all()
