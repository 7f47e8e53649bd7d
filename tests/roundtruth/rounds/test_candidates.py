"""Which images a round takes, over several rounds: partitions, what was left out, what comes again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from roundtruth.annotations import IMAGES, table, to_parquet
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import RoundPlan, read_planned_images
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project

FOLDER = "s3://some-bucket/boxes/images"


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


def put(storage: Storage, *names: str) -> None:
    for name in names:
        put_blank(storage, f"{FOLDER}/{name}.png")


def planned(storage: Storage, project: Project, key: str) -> RoundPlan:
    plan = plan_round(storage, project, key)
    assert plan is not None
    return plan


def names(storage: Storage, project: Project, key: str) -> list[str]:
    """The images that a round takes, in their order."""
    plan = planned(storage, project, key)
    refs = read_planned_images(storage, round_folder(project, key), plan)["source_ref"]
    return [str(ref).removeprefix(f"{FOLDER}/").removesuffix(".png") for ref in refs]


def finish(storage: Storage, project: Project, key: str, *, failed: tuple[str, ...] = ()) -> None:
    """Record a round as if it were over: all labeled, but for those that failed."""
    folder = round_folder(project, key)
    frame = read_planned_images(storage, folder, planned(storage, project, key))
    rows: list[dict[str, object]] = [
        {
            "source_ref": ref,
            "etag": etag,
            "status": "failed" if ref.removeprefix(f"{FOLDER}/") in failed else "labeled",
        }
        for ref, etag in zip(frame["source_ref"], frame["etag"], strict=True)
    ]
    storage.write(folder.images, to_parquet(table(rows, IMAGES), IMAGES))
    storage.write(folder.record, b"{}")


def days_of(storage: Storage, name: str) -> list[str]:
    """Keys of the daily rounds: the one in whose window the image arrived, and the next two."""
    found = storage.head(ObjectUri.parse(f"{FOLDER}/{name}.png"))
    assert found is not None
    first = found.last_modified.date() + timedelta(days=1)  # its window ends at the midnight behind it
    return [(first + timedelta(days=day)).isoformat() for day in range(3)]


# --- max_images


def test_what_max_images_cuts_off_comes_before_new_images_in_the_next_round(storage: Storage) -> None:
    project = make_project(images__partition="prefix", selection__max_images=2)
    put(storage, "r1/a", "r1/b", "r1/c", "r1/d")
    assert names(storage, project, "r1") == ["r1/a", "r1/b"]
    assert planned(storage, project, "r1").left_out == 2
    finish(storage, project, "r1", failed=("r1/b.png",))
    put(storage, "r2/e")
    # Failed ones first, then those that wait longest; the newest waits in its turn.
    assert names(storage, project, "r2") == ["r1/b", "r1/c"]
    plan = planned(storage, project, "r2")
    assert (plan.new, plan.carried_over, plan.left_out) == (1, 1, 2)
    finish(storage, project, "r2")
    assert {ref.removeprefix(f"{FOLDER}/") for ref, _ in read_history(storage, project).waiting} == {
        "r1/d.png",
        "r2/e.png",
    }
    put(storage, "r3/f")
    assert names(storage, project, "r3") == ["r1/d", "r2/e"]
    put(storage, "r4/g")
    assert names(storage, project, "r4") == ["r3/f", "r4/g"]
    # A round that is planned already keeps its images.
    assert names(storage, project, "r2") == ["r1/b", "r1/c"]


def test_what_waits_in_a_window_is_taken_by_the_next_one(storage: Storage) -> None:
    project = make_project(images__partition="last-modified", schedule="@daily", selection__max_images=2)
    put(storage, "a", "b", "c")
    first, second, third = days_of(storage, "c")
    assert names(storage, project, first) == ["a", "b"]
    assert names(storage, project, second) == ["c"]
    assert plan_round(storage, project, third) is None


def test_an_image_that_waits_and_is_replaced_is_a_new_one(storage: Storage) -> None:
    project = make_project(images__partition="prefix", selection__max_images=1)
    put(storage, "r1/a", "r1/b")
    assert names(storage, project, "r1") == ["r1/a"]
    put_blank(storage, f"{FOLDER}/r1/b.png", 640, 480)
    # Its folder's round is planned: the new bytes are an image that no partition of a later round holds.
    put(storage, "r2/c")
    assert names(storage, project, "r2") == ["r2/c"]


def test_without_a_partition_nothing_needs_to_be_remembered(storage: Storage) -> None:
    project = make_project(selection__max_images=2)
    put(storage, "a", "b", "c")
    assert names(storage, project, "r1") == ["a", "b"]
    assert planned(storage, project, "r1").left_out_images is None
    put(storage, "0")
    assert names(storage, project, "r2") == ["c", "0"]


# --- random


def letters(count: int) -> list[str]:
    return [f"{number:02}" for number in range(count)]


def test_an_image_is_drawn_once(storage: Storage) -> None:
    """Without a partition the ones that lost stay unlabeled, or in time everything would be labeled."""
    half = {"selection__mode": "random", "selection__fraction": 0.5}
    project = make_project(**half)
    put(storage, *letters(20))
    first = names(storage, project, "r1")
    assert 0 < len(first) < 20
    assert planned(storage, project, "r1").left_out == 20 - len(first)
    assert plan_round(storage, project, "r2") is None
    put(storage, *(f"new-{number}" for number in letters(20)))
    second = names(storage, project, "r2")
    assert second
    assert all(name.startswith("new-") for name in second)
    assert planned(storage, project, "r2").left_out == 20 - len(second)


@pytest.mark.parametrize(
    "changes",
    [
        {"selection__mode": "random", "selection__fraction": 0.9},
        {"selection__mode": "random", "selection__fraction": 0.5, "selection__seed": 7},
        {},
    ],
    ids=["larger share", "other seed", "all"],
)
def test_another_selection_takes_what_a_draw_left_out(storage: Storage, changes: dict[str, object]) -> None:
    project = make_project(selection__mode="random", selection__fraction=0.5)
    put(storage, *letters(20))
    first = set(names(storage, project, "r1"))
    second = set(names(storage, make_project(**changes), "r2"))
    assert second
    assert second <= set(letters(20)) - first
    if not changes:
        assert first | second == set(letters(20))


def test_who_won_the_draw_and_was_cut_off_is_not_drawn_again(storage: Storage) -> None:
    selection = {"selection__mode": "random", "selection__fraction": 0.5}
    put(storage, *letters(20))
    winners = names(storage, make_project(**selection), "r1")
    storage = memory_storage()
    put(storage, *letters(20))
    project = make_project(**selection, selection__max_images=3)
    assert names(storage, project, "r1") == winners[:3]
    assert names(storage, project, "r2") == winners[3:6]
    assert planned(storage, project, "r2").left_out == len(winners) - 6


def test_images_that_lost_are_told_to_the_sensor(storage: Storage) -> None:
    """Or a round would start for them, plan nothing and be skipped, every time."""
    from roundtruth.stages.labeling_round import open_round

    project = make_project(selection__mode="random", selection__fraction=0.5)
    put(storage, *letters(20))
    names(storage, project, "r1")
    opened = open_round(storage, project, "r2")
    known = storage.read(ObjectUri.parse(str(opened["known_images_uri"]))).decode().splitlines()
    assert [line.partition("\t")[2].rpartition("/")[2] for line in known] == [
        f"{name}.png" for name in letters(20)
    ]


# --- query


def test_what_a_query_passes_over_is_counted_and_not_carried(storage: Storage) -> None:
    where = {"selection__mode": "query", "selection__where": "source_ref NOT LIKE '%night%'"}
    project = make_project(images__partition="prefix", **where)
    put(storage, "r1/day", "r1/night", "r2/dawn")
    assert names(storage, project, "r1") == ["r1/day"]
    assert planned(storage, project, "r1").left_out == 1
    assert names(storage, project, "r2") == ["r2/dawn"]


def test_a_condition_that_changes_finds_them_where_nothing_is_partitioned(storage: Storage) -> None:
    put(storage, "day", "night")
    by_day = make_project(selection__mode="query", selection__where="source_ref LIKE '%day%'")
    assert names(storage, by_day, "r1") == ["day"]
    assert plan_round(storage, by_day, "r2") is None
    by_night = make_project(selection__mode="query", selection__where="source_ref LIKE '%night%'")
    assert names(storage, by_night, "r2") == ["night"]


# --- partitions


def test_a_window_takes_what_arrived_in_it_and_what_earlier_rounds_failed_on(storage: Storage) -> None:
    project = make_project(images__partition="last-modified", schedule="@daily")
    put(storage, "a", "b")
    first, second, third = days_of(storage, "b")
    assert names(storage, project, first) == ["a", "b"]
    finish(storage, project, first, failed=("a.png",))
    # Nothing new arrived in the second window: the failed image waits for a round that starts.
    assert plan_round(storage, project, second) is None
    put_blank(storage, f"{FOLDER}/b.png", 640, 480)
    # Replaced within the first window, whose round is over: a round by hand takes it, and the failed one.
    assert names(storage, project, f"{third}-extra") == ["a", "b"]
    extra = planned(storage, project, f"{third}-extra")
    assert (extra.new, extra.carried_over) == (1, 1)


def test_a_folder_a_round(storage: Storage) -> None:
    project = make_project(images__partition="prefix")
    put(storage, "r1/a", "r2/b", "r2/deep/c", "loose")
    assert names(storage, project, "r2") == ["r2/b", "r2/deep/c"]
    assert names(storage, project, "r1") == ["r1/a"]
    # An image that comes late into the folder of a planned round is in none.
    put(storage, "r1/late")
    assert names(storage, project, "r1") == ["r1/a"]
