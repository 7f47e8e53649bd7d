"""One after the other without a lock: what depends on all rounds is written as if nobody else wrote."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from roundtruth.errors import StorageError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder, rounds_folder
from roundtruth.rounds.turns import OVERTAKEN, Wish, take_turn
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage
from tests.project_samples import make_project
from tests.roundtruth.datasets.recorded_rounds import storage_of

PROJECT = make_project()


def plan_of(project: Project, key: str) -> ObjectUri:
    return round_folder(project, key).plan


def planned(storage: Storage, project: Project) -> list[str]:
    """The rounds that have a plan."""
    keys = storage.list_folders(rounds_folder(project))
    return [key for key in keys if storage.head(plan_of(project, key)) is not None]


def wish(storage: Storage, project: Project, key: str) -> Wish:
    """A plan that says which other rounds were planned before it."""
    return Wish(uri=plan_of(project, key), data=json.dumps(planned(storage, project)).encode())


@pytest.mark.parametrize("planners", [2, 6])
def test_planners_at_once_come_one_after_the_other(sandbox: Any, bucket: str, planners: int) -> None:
    project = make_project(root=f"s3://{bucket}/boxes")
    start = threading.Barrier(planners)

    def plan(number: int) -> bool:
        storage = storage_of(sandbox.endpoint_url)
        start.wait(30)
        return take_turn(storage, project, lambda: wish(storage, project, f"r{number}"))

    with ThreadPoolExecutor(planners) as pool:
        assert all(pool.map(plan, range(planners)))
    storage = storage_of(sandbox.endpoint_url)
    seen = [json.loads(storage.read(plan_of(project, f"r{number}"))) for number in range(planners)]
    # Each has seen all that came before it: they stand in one row.
    assert sorted(map(len, seen)) == list(range(planners))
    turn = json.loads(storage.read(rounds_folder(project) / "turn.json"))
    assert turn["number"] == planners


def test_the_same_file_is_written_once(sandbox: Any, bucket: str) -> None:
    project = make_project(root=f"s3://{bucket}/boxes")
    start = threading.Barrier(4)

    def plan(number: int) -> bool:
        storage = storage_of(sandbox.endpoint_url)
        start.wait(30)
        return take_turn(storage, project, lambda: Wish(uri=plan_of(project, "r1"), data=b"%d" % number))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(plan, range(4))) == 1


class DyingStorage(Storage):
    """Dies when it writes a plan."""

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        if uri.name == "plan.json":
            raise KeyboardInterrupt
        return super().write_if_absent(uri, data)


def test_who_is_killed_after_the_turn_has_planned_all_the_same(sandbox: Any, bucket: str) -> None:
    project = make_project(root=f"s3://{bucket}/boxes")
    dying, storage = storage_of(sandbox.endpoint_url, DyingStorage), storage_of(sandbox.endpoint_url)
    with pytest.raises(KeyboardInterrupt):
        take_turn(dying, project, lambda: wish(dying, project, "r1"))
    assert planned(storage, project) == []
    assert take_turn(storage, project, lambda: wish(storage, project, "r2"))
    assert json.loads(storage.read(plan_of(project, "r2"))) == ["r1"]
    # and the one that was killed finds its own
    assert not take_turn(storage, project, lambda: wish(storage, project, "r1"))


def test_a_round_that_was_deleted_does_not_come_back() -> None:
    storage = memory_storage()
    assert take_turn(storage, PROJECT, lambda: wish(storage, PROJECT, "r1"))
    for found in list(storage.list_objects(round_folder(PROJECT, "r1").uri)):
        storage.delete(found.uri)
    assert take_turn(storage, PROJECT, lambda: wish(storage, PROJECT, "r2"))
    assert planned(storage, PROJECT) == ["r2"]


def test_nothing_to_write_takes_no_turn() -> None:
    storage = memory_storage()
    assert not take_turn(storage, PROJECT, lambda: None)
    assert storage.read_if_there(rounds_folder(PROJECT) / "turn.json") is None


def test_who_is_overtaken_again_and_again_says_so() -> None:
    storage = memory_storage()
    looks: list[int] = []

    def slow() -> Wish:
        key = f"fast-{len(looks)}"
        looks.append(len(looks))
        assert take_turn(storage, PROJECT, lambda: wish(storage, PROJECT, key))
        return wish(storage, PROJECT, "slow")

    with pytest.raises(StorageError, match=r"turn\.json was replaced by others 20 times in a row"):
        take_turn(storage, PROJECT, slow)
    assert len(looks) == OVERTAKEN
    assert "slow" not in planned(storage, PROJECT)
