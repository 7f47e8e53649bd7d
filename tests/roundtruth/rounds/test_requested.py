"""Rounds that are asked for by hand: which images, how many, and what keeps an image out."""

from __future__ import annotations

import pytest

from roundtruth.annotations import IMAGES, table, to_parquet
from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import RoundPlan, read_planned_images
from roundtruth.rounds.requested import RoundRequest
from roundtruth.rounds.sent_back import SentBack, waiting_again, write_sent_back
from roundtruth.storage import Storage
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project

FOLDER = "s3://some-bucket/boxes/images/"
NAMES = ("aisle 1/a.png", "aisle 1/b.png", "aisle 2/a.png", "aisle 2/wide.png")


@pytest.fixture
def storage() -> Storage:
    made = memory_storage()
    for name in NAMES:
        put_blank(made, f"{FOLDER}{name}", width=1920 if "wide" in name else 320)
    return made


def taken(storage: Storage, project: Project, key: str, request: RoundRequest) -> list[str] | None:
    plan = plan_round(storage, project, key, request)
    return names(storage, project, plan) if plan else None


def names(storage: Storage, project: Project, plan: RoundPlan) -> list[str]:
    frame = read_planned_images(storage, round_folder(project, plan.round), plan)
    return sorted(str(ref).removeprefix(FOLDER) for ref in frame["source_ref"])


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (RoundRequest(), list(NAMES)),
        (RoundRequest(prefix="aisle 2/"), list(NAMES[2:])),
        (RoundRequest(keys=(NAMES[1], f"{FOLDER}{NAMES[2]}")), [NAMES[1], NAMES[2]]),
        (RoundRequest(where="width > 1000"), [NAMES[3]]),
        (RoundRequest(prefix="aisle 1/", where="source_ref LIKE '%a.png'"), [NAMES[0]]),
        (RoundRequest(max_images=3, why="a test"), list(NAMES[:3])),
        (RoundRequest(prefix="aisle 3/"), None),
    ],
    ids=["all", "prefix", "keys", "where", "prefix and where", "at most", "nothing"],
)
def test_a_round_takes_what_is_asked_for(
    storage: Storage, request_: RoundRequest, expected: list[str] | None
) -> None:
    project = make_project()
    assert taken(storage, project, "r1", request_) == expected
    assert taken(storage, project, "r1", request_) == expected  # and the same when the task runs again


def test_neither_window_nor_selection_keeps_a_named_image_out(storage: Storage) -> None:
    project = make_project(
        images={"partition": "prefix", "minimum": 50}, selection={"mode": "random", "fraction": 0.0}
    )
    assert taken(storage, project, "r1", RoundRequest()) is None
    assert taken(storage, project, "r1", RoundRequest(prefix="aisle 1/")) == list(NAMES[:2])


def test_what_was_asked_for_is_written_down(storage: Storage) -> None:
    asked = RoundRequest(keys=NAMES[:1], why="Blurred in the last round")
    plan = plan_round(storage, make_project(), "r1", asked)
    assert plan is not None
    assert plan.requested == asked
    assert plan_round(storage, make_project(), "r1") == plan


def test_a_planned_round_is_not_planned_over_with_other_images(storage: Storage) -> None:
    project = make_project()
    plan_round(storage, project, "r1", RoundRequest(prefix="aisle 1/"))
    with pytest.raises(RoundError, match="planned already, with other images"):
        plan_round(storage, project, "r1", RoundRequest(prefix="aisle 2/"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("aisle 1/c.png", NAMES[0]), r"1 images that are asked for are not there, such as .*aisle 1/c.png"),
        (("s3://other/x.png",), "does not lie under"),
    ],
    ids=["not there", "elsewhere"],
)
def test_an_image_that_cannot_be_taken_is_named(storage: Storage, keys: tuple[str, ...], words: str) -> None:
    with pytest.raises(RoundError, match=words):
        plan_round(storage, make_project(), "r1", RoundRequest(keys=keys))


def test_an_image_is_labeled_once_also_when_it_is_asked_for(storage: Storage) -> None:
    project = make_project()
    assert taken(storage, project, "r1", RoundRequest(prefix="aisle 1/")) == list(NAMES[:2])
    assert taken(storage, project, "r2", RoundRequest(keys=NAMES[1:3])) == [NAMES[2]]


# --- images that were sent back


def record(storage: Storage, project: Project, key: str, status: str = "labeled") -> list[tuple[str, str]]:
    """Record a planned round as if this became of every image; returns their identities."""
    folder, plan = round_folder(project, key), plan_round(storage, project, key)
    assert plan is not None
    frame = read_planned_images(storage, folder, plan)
    identities = [(str(ref), str(etag)) for ref, etag in zip(frame["source_ref"], frame["etag"], strict=True)]
    rows: list[dict[str, object]] = [
        {"source_ref": ref, "etag": etag, "status": status} for ref, etag in identities
    ]
    storage.write(folder.images, to_parquet(table(rows, IMAGES), IMAGES))
    storage.write(folder.record, b"{}")
    return identities


def test_images_that_were_sent_back_come_first_in_the_next_round(storage: Storage) -> None:
    project = make_project(selection={"max_images": 2})
    first = record(storage, project, "r1")
    write_sent_back(storage, project, SentBack(candidate="c1", rounds=("r1",), images=(first[1],)))
    assert read_history(storage, project).carried_over == {first[1]}
    plan = plan_round(storage, project, "r2")
    assert plan is not None
    assert (plan.carried_over, plan.new) == (1, 1)
    assert first[1][0].removeprefix(FOLDER) in names(storage, project, plan)
    # taken once: the round after finds nothing of it
    assert read_history(storage, project).carried_over == frozenset()


@pytest.mark.parametrize("status", ["disputed", "failed", "quarantined", "unlabeled"])
def test_an_image_that_was_sent_back_and_got_no_label_since_waits_on(storage: Storage, status: str) -> None:
    project = make_project(selection={"max_images": 2})
    first = record(storage, project, "r1")
    write_sent_back(storage, project, SentBack(candidate="c1", rounds=("r1",), images=(first[1],)))
    second = record(storage, project, "r2", status)
    assert first[1] in second
    assert read_history(storage, project).carried_over == set(second)


def test_the_first_answer_about_a_candidate_stays(storage: Storage) -> None:
    project, sent = make_project(), SentBack(candidate="c1", rounds=("r1",), images=(("a", "1"),))
    uri = write_sent_back(storage, project, sent)
    content = storage.read(uri)
    write_sent_back(storage, project, SentBack(candidate="c1", rounds=("r1",), images=()))
    assert storage.read(uri) == content


def test_only_rounds_and_attempts_after_the_answer_take_an_image_again() -> None:
    images = (("a", "1"), ("b", "1"), ("c", "1"))
    sent = [SentBack(candidate="c", rounds=("r1", "r2"), images=images, attempts={"r2": 2})]
    holders = {
        ("a", "1"): [("r2", 2)],
        ("b", "1"): [("r1", 1), ("r3", 1)],
        ("c", "1"): [("r1", 1), ("r2", 3)],
    }
    assert waiting_again(sent, holders) == {("a", "1")}
