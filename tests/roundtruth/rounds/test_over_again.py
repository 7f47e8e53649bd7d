"""A recorded round labeled over again: by which run, within the budget, never twice for one wish."""

from __future__ import annotations

import msgspec
import pytest

from roundtruth.annotations import IMAGES, table, to_parquet
from roundtruth.errors import RoundError
from roundtruth.rounds.attempts import attempt_of_run, current_attempt
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.over_again import plan_of_run
from roundtruth.rounds.planned import RoundPlan, read_planned_images
from roundtruth.rounds.record import RecordedJob, RoundRecord
from roundtruth.rounds.relabel import plan_relabel, round_jobs
from roundtruth.stages.labeling_round import plan_jobs
from roundtruth.storage import Storage
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project

PROJECT = make_project()
IMAGE = "s3://some-bucket/boxes/images/a.png"


@pytest.fixture
def storage() -> Storage:
    made = memory_storage()
    put_blank(made, IMAGE)
    return made


@pytest.fixture
def folder(storage: Storage) -> RoundFolder:
    """Round r1, planned and recorded; its image is disputed."""
    folder = round_folder(PROJECT, "r1")
    assert jobs(storage) == ["pens-r1-1"]
    record(storage, folder)
    return folder


def jobs(storage: Storage, run: str | None = None) -> list[str]:
    """The names of the jobs that a run plans."""
    return [job["job_name"] for job in plan_jobs(storage, PROJECT, "r1", relabel_run=run) or ()]


def unfinished(storage: Storage, run: str | None = None) -> list[str]:
    planned = plan_jobs(storage, PROJECT, "r1", relabel_run=run) or ()
    return [job["job_name"] for job in planned if not job["finished"]]


def record(storage: Storage, folder: RoundFolder, run: str | None = None, status: str = "disputed") -> None:
    plan = plan_of_run(storage, folder, run)
    assert plan is not None
    rows: list[dict[str, object]] = [
        {"source_ref": ref, "etag": etag, "status": status}
        for ref, etag in read_planned_images(storage, folder, plan)[["source_ref", "etag"]].itertuples(
            index=False
        )
    ]
    storage.write(folder.images, to_parquet(table(rows, IMAGES), IMAGES))
    storage.write(folder.record, msgspec.json.encode(as_recorded(plan)))


def as_recorded(plan: RoundPlan) -> RoundRecord:
    return RoundRecord(
        project="pens",
        round="r1",
        roundtruth="0",
        images=plan.images,
        counts={},
        boxes=0,
        answers=0,
        spent_usd=0.0,
        attempt=plan.attempt,
        files={},
        jobs=tuple(
            RecordedJob(
                name=job.name,
                arn="",
                label_attribute="pens",
                categories=job.categories,
                output_uri="",
                relabel_pass=0,
                images=job.images,
                workers=job.workers,
            )
            for job in plan.jobs
        ),
    )


def test_a_run_that_asked_for_nothing_pays_nothing_while_an_attempt_is_under_way(
    storage: Storage, folder: RoundFolder
) -> None:
    assert unfinished(storage, "over-again") == ["pens-r1-1-a2"]
    # That run failed; the round is made again, or any other run of it is cleared.
    assert (jobs(storage), unfinished(storage)) == (["pens-r1-1"], [])
    assert unfinished(storage, "over-again") == ["pens-r1-1-a2"], "cleared, it goes on with its own"


def test_a_clear_of_an_older_run_works_on_what_is_recorded(storage: Storage, folder: RoundFolder) -> None:
    for run, name in [("A", "pens-r1-1-a2"), ("C", "pens-r1-1-a3")]:
        assert jobs(storage, run) == [name]
        record(storage, folder, run)
    for run in ("A", "C", None):
        assert (jobs(storage, run), unfinished(storage, run)) == (["pens-r1-1-a3"], [])
    assert current_attempt(storage, folder).attempt == 3


def test_a_run_that_joined_wants_no_attempt_of_its_own_later(storage: Storage, folder: RoundFolder) -> None:
    assert jobs(storage, "A") == jobs(storage, "B") == ["pens-r1-1-a2"]
    record(storage, folder, "A")
    assert (jobs(storage, "B"), unfinished(storage, "B")) == (["pens-r1-1-a2"], [])


def test_a_run_that_labeled_a_new_round_is_not_paid_again_when_it_is_cleared(storage: Storage) -> None:
    folder = round_folder(PROJECT, "r1")
    assert jobs(storage, "first") == ["pens-r1-1"]
    joined = attempt_of_run(storage, folder, "first")
    assert joined is not None
    assert joined.attempt == 1
    record(storage, folder, "first")
    assert (jobs(storage, "first"), unfinished(storage, "first")) == (["pens-r1-1"], [])


def test_labeling_over_again_keeps_to_the_budget(storage: Storage, folder: RoundFolder) -> None:
    poor = make_project(budget_usd=0.01)
    with pytest.raises(RoundError, match=r"may cost 0\.\d+ USD .* over budget_usd 0.01"):
        plan_jobs(storage, poor, "r1", relabel_run="A")
    assert current_attempt(storage, folder).attempt == 1
    rebuilt = plan_jobs(storage, poor, "r1")
    assert rebuilt
    assert rebuilt[0]["finished"], "what is paid is made again under any budget"


def test_no_round_takes_an_image_that_is_being_labeled_over_again(
    storage: Storage, folder: RoundFolder
) -> None:
    assert {ref for ref, _ in read_history(storage, PROJECT).carried_over} == {IMAGE}
    jobs(storage, "A")
    assert not read_history(storage, PROJECT).carried_over
    assert {ref for ref, _ in read_history(storage, PROJECT).settled} == {IMAGE}
    record(storage, folder, "A")
    assert {ref for ref, _ in read_history(storage, PROJECT).carried_over} == {IMAGE}


def test_all_relabel_passes_that_were_planned_are_jobs_of_the_round(
    storage: Storage, folder: RoundFolder
) -> None:
    plan = plan_of_run(storage, folder, None)
    assert plan is not None
    for number in (1, 2):
        plan_relabel(storage, PROJECT, folder, plan, relabel_pass=number, disputed=[IMAGE])
    assert [job.name for job in round_jobs(storage, folder, plan)] == [
        "pens-r1-1",
        "pens-r1-1-r1",
        "pens-r1-1-r2",
    ]
