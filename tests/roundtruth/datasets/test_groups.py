from __future__ import annotations

from typing import Any

import pytest

from roundtruth.datasets.groups import group_images, pinned_images
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from tests.roundtruth.datasets.recorded_rounds import project_in

ROOT = "s3://bucket/boxes"
KEYS = ["cam1/a/1.jpg", "cam1/a/2.jpg", "cam1/b/3.jpg", "cam2/4.jpg", "5.jpg", "6.jpg"]


def project_of(**dataset: Any) -> Project:
    return project_in("bucket", dataset={"name": "pens", **dataset})


def groups_of(project: Project, keys: list[str] = KEYS, **more: Any) -> list[list[str]]:
    prefix = f"{ROOT}/images/"
    groups = group_images(project, {f"{prefix}{key}": f"etag of {key}" for key in keys}, **more)
    together: dict[str, list[str]] = {}
    for ref, group in groups.items():
        together.setdefault(group, []).append(ref.removeprefix(prefix))
    return sorted(together.values())


@pytest.mark.parametrize(
    ("group_by", "expected"),
    [
        pytest.param(None, [[key] for key in sorted(KEYS)], id="none"),
        pytest.param({"folder": 1}, [["5.jpg"], ["6.jpg"], KEYS[:3], ["cam2/4.jpg"]], id="first folder"),
        pytest.param(
            {"folder": 2},
            [["5.jpg"], ["6.jpg"], KEYS[:2], ["cam1/b/3.jpg"], ["cam2/4.jpg"]],
            id="two folders",
        ),
        pytest.param(
            {"pattern": r"/(cam\d)/"}, [["5.jpg"], ["6.jpg"], KEYS[:3], ["cam2/4.jpg"]], id="pattern"
        ),
    ],
)
def test_groups_by_key(group_by: Any, expected: list[list[str]]) -> None:
    assert groups_of(project_of(group_by=group_by)) == expected


@pytest.mark.parametrize("folders", [1, 2])
def test_imported_images_of_another_place_are_together_with_those_of_their_own_folder(folders: int) -> None:
    keys = [f"{folder}/{number}.jpg" for folder in ("cam1", "cam2", "cam1/night") for number in range(3)]
    old = [f"s3://old-bucket/{key}" for key in keys] + ["s3://old-bucket/7.jpg", "s3://old-bucket/8.jpg"]
    elsewhere = [f"s3://bucket/{key}" for key in keys[:3]]  # the project's bucket, not its image folder
    own = [f"{ROOT}/images/cam1/{number}.jpg" for number in range(3)]
    refs = [*old, *elsewhere, *own]
    groups = group_images(project_of(group_by={"folder": folders}), {ref: ref for ref in refs})
    together: dict[str, list[str]] = {}
    for ref in refs:
        together.setdefault(groups[ref], []).append(ref)
    assert list(together.values()) == [old[:3], old[3:6], old[6:9], [old[9]], [old[10]], elsewhere, own]


def test_the_same_bytes_are_one_group_and_join_the_groups_they_are_in() -> None:
    etags = {f"{ROOT}/images/{key}": "same" if key in {"5.jpg", KEYS[0]} else key for key in KEYS}
    groups = group_images(project_of(group_by={"folder": 1}), etags)
    assert len({groups[f"{ROOT}/images/{key}"] for key in [*KEYS[:3], "5.jpg"]}) == 1
    assert len(set(groups.values())) == 3


def test_near_duplicates_join_with_the_folders_they_are_in() -> None:
    alike = {f"{ROOT}/images/{key}": f"{ROOT}/images/5.jpg" for key in ("5.jpg", "6.jpg", KEYS[0])}
    by = {"folder": 1, "near_duplicates": True}
    assert groups_of(project_of(group_by=by), alike=alike) == [["5.jpg", "6.jpg", *KEYS[:3]], ["cam2/4.jpg"]]
    assert ["5.jpg"] in groups_of(project_of(group_by={"folder": 1}), alike=alike)


def test_pins_are_patterns_below_the_root() -> None:
    project = project_of(pinned={"val": ["images/cam1/*", "s3://other/*"], "test": ["images/?.jpg"]})
    refs = [*(f"{ROOT}/images/{key}" for key in KEYS), "s3://other/x.jpg"]
    assert pinned_images(project, refs) == dict.fromkeys(refs[:3], "val") | dict.fromkeys(
        refs[4:6], "test"
    ) | {"s3://other/x.jpg": "val"}
    with pytest.raises(DatasetError, match=r"pinned to 2 splits, by 'images/\?\.jpg' \(test\) and '\*5"):
        pinned_images(project_of(pinned={"val": ["*5.jpg"], "test": ["images/?.jpg"]}), refs)
