"""A round labeled over again: who opens an attempt, who joins it, and what its jobs are called."""

from __future__ import annotations

import pytest

from roundtruth.errors import RoundError
from roundtruth.rounds.attempts import (
    attempt_name,
    current_attempt,
    earlier_attempts,
    join_attempt,
    wanted_attempt,
)
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import plans_of_earlier_attempts, require_plan
from roundtruth.rounds.relabel import plan_relabel, round_jobs
from roundtruth.storage import Storage
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project

PROJECT = make_project()
RECORDED = ("pens-r1-1",)


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


@pytest.fixture
def folder() -> RoundFolder:
    return round_folder(PROJECT, "r1")


def opened(storage: Storage, folder: RoundFolder, run: str, recorded: tuple[str, ...] = RECORDED) -> int:
    wish = wanted_attempt(storage, folder, run=run, recorded_names=recorded)
    assert wish is None or storage.write_if_absent(wish.uri, wish.data)
    return join_attempt(storage, folder, run).attempt


def test_a_recorded_round_gets_a_new_attempt_a_run(storage: Storage, folder: RoundFolder) -> None:
    assert current_attempt(storage, folder).attempt == 1
    assert opened(storage, folder, "run-1") == 2
    assert opened(storage, folder, "run-2", ("pens-r1-1-a2",)) == 3
    assert [one.attempt for one in earlier_attempts(storage, folder, 3)] == [1, 2]


def test_a_run_that_runs_again_goes_on_with_its_own(storage: Storage, folder: RoundFolder) -> None:
    assert opened(storage, folder, "run-1") == 2
    assert opened(storage, folder, "run-1", ("pens-r1-1-a2",)) == 2


def test_an_attempt_under_way_is_joined(storage: Storage, folder: RoundFolder) -> None:
    assert opened(storage, folder, "run-1") == 2
    assert opened(storage, folder, "run-2", ()) == 2


def test_a_round_that_was_never_recorded_has_nothing_to_do_over(
    storage: Storage, folder: RoundFolder
) -> None:
    assert opened(storage, folder, "run-1", ()) == 1
    assert current_attempt(storage, folder).attempt == 1


def test_numbers_that_failed_jobs_took_are_passed_over(storage: Storage, folder: RoundFolder) -> None:
    assert opened(storage, folder, "run-1", ("pens-r1-1-a3", "pens-r1-2")) == 4
    assert opened(storage, folder, "run-2", ("pens-r1-1-a4", "pens-r1-2-a4")) == 5


def test_the_plan_has_the_jobs_of_the_newest_attempt(storage: Storage, folder: RoundFolder) -> None:
    put_blank(storage, "s3://some-bucket/boxes/images/a.png")
    first = plan_round(storage, PROJECT, "r1")
    assert first is not None
    plan_relabel(
        storage, PROJECT, folder, first, relabel_pass=1, disputed=["s3://some-bucket/boxes/images/a.png"]
    )
    opened(storage, folder, "run-1")
    again = require_plan(storage, folder)
    assert [job.name for job in round_jobs(storage, folder, again)] == ["pens-r1-1-a2"]
    (job,) = plan_relabel(
        storage, PROJECT, folder, again, relabel_pass=1, disputed=["s3://some-bucket/boxes/images/a.png"]
    ).jobs
    assert job.name == "pens-r1-1-r1-a2"
    (earlier,) = plans_of_earlier_attempts(storage, folder, 2)
    assert [job.name for job in round_jobs(storage, folder, earlier)] == [
        "pens-r1-1",
        "pens-r1-1-r1",
    ]


def test_a_name_that_grows_too_long_says_what_to_do() -> None:
    assert attempt_name("x" * 63, 1) == "x" * 63
    with pytest.raises(RoundError, match="at most 63 are allowed"):
        attempt_name("x" * 61, 2)
