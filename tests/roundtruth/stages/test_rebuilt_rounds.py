"""A recorded round made again: from Ground Truth's output alone, asking nobody, or by a new attempt."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, from_parquet, to_parquet
from roundtruth.datasets.recorded_labels import read_labels, read_rounds
from roundtruth.errors import QualityError, RoundError
from roundtruth.project import Project
from roundtruth.quality.verdict import Verdict
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.record import read_record, read_recorded
from roundtruth.stages import dataset_release, labeling_round
from roundtruth.stages.skill_history import skills_before
from roundtruth.storage import Storage
from tests.project_samples import make_project
from tests.round_runs import finish_without_checks, label, run_until_merged
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]


def project_of(bucket: str, **changes: Any) -> Project:
    """A project in the test's own bucket; its name makes job names that no other test has."""
    return make_project(project=f"p{bucket[-10:]}", root=f"s3://{bucket}", **changes)


@pytest.fixture
def project(bucket: str) -> Project:
    return project_of(bucket, labeling__workers_per_object=2, consensus={"relabel_passes": 0})


@pytest.fixture
def recorded(storage: Storage, sagemaker_client: Any, s3_client: Any, bucket: str, project: Project) -> bytes:
    """Round r1, recorded; its round.json."""
    put_images(s3_client, bucket, 3)
    run_until_merged(storage, sagemaker_client, project, "r1")
    finish_without_checks(storage, project, "r1")
    return storage.read(round_folder(project, "r1").record)


def made_again(storage: Storage, project: Project) -> bytes:
    jobs = labeling_round.plan_jobs(storage, project, "r1")
    assert jobs
    assert all(job["finished"] for job in jobs)
    for job in jobs:
        labeling_round.collect(storage, project, "r1", job["job_name"])
    assert labeling_round.measure(storage, project, "r1", relabel_pass=0) == []
    labeling_round.merge(storage, project, "r1")
    finish_without_checks(storage, project, "r1")
    return storage.read(round_folder(project, "r1").record)


def written(storage: Storage, project: Project) -> set[str]:
    """The keys of a round's files, without the copies that each record has of its own."""
    keys = {found.uri.key for found in storage.list_objects(round_folder(project, "r1").uri)}
    return {key for key in keys if "/recorded/" not in key}


def test_a_recorded_round_waits_for_no_image(storage: Storage, project: Project, recorded: bytes) -> None:
    assert labeling_round.open_round(storage, project, "r1")["minimum"] == 0
    assert labeling_round.open_round(storage, project, "r2")["minimum"] == 1


def test_it_is_made_again_from_the_output_alone(
    storage: Storage, s3_client: Any, bucket: str, project: Project, recorded: bytes
) -> None:
    folder = round_folder(project, "r1")
    for found in list(storage.list_objects(folder.uri)):
        if found.uri.name.endswith(".parquet") and "planned-" not in found.uri.name:
            storage.delete(found.uri)
    for found in list(storage.list_objects(project.images_uri)):
        storage.delete(found.uri)
    assert made_again(storage, project) == recorded


@pytest.mark.parametrize(
    "changes",
    [
        {"consensus": {"relabel_passes": 2, "max_doubt": 0.0}},
        {"labeling__instructions": {"title": "Other words"}},
        {"labeling__workers_per_object": 5},
    ],
    ids=["more passes", "another page", "more workers"],
)
def test_a_project_file_that_changed_asks_nobody_again(
    storage: Storage, bucket: str, recorded: bytes, changes: dict[str, Any]
) -> None:
    project = project_of(bucket, **changes)
    before = written(storage, project)
    made_again(storage, project)
    assert written(storage, project) == before, "no relabel plan, no input of a job"


def test_labeling_over_again_is_another_attempt_that_is_paid(
    storage: Storage, sagemaker_client: Any, project: Project, recorded: bytes
) -> None:
    first = labeling_round.plan_jobs(storage, project, "r1")
    jobs = labeling_round.plan_jobs(storage, project, "r1", relabel_run="run-1")
    assert first
    assert jobs
    assert [job["job_name"] for job in jobs] == [f"{job['job_name']}-a2" for job in first]
    assert not jobs[0]["finished"]
    assert labeling_round.plan_jobs(storage, project, "r1", relabel_run="run-1") == jobs
    label(storage, sagemaker_client, project, "r1", jobs, "run-1")
    labeling_round.measure(storage, project, "r1", relabel_pass=0, relabel_run="run-1")
    labeling_round.merge(storage, project, "r1", relabel_run="run-1")
    spent = before.spent_usd if (before := read_record(storage, round_folder(project, "r1"))) else 0
    finish_without_checks(storage, project, "r1", "run-1")
    record = read_record(storage, round_folder(project, "r1"))
    assert record is not None
    assert [job.name for job in record.jobs] == [job["job_name"] for job in jobs]
    assert (record.attempt, record.spent_usd) == (2, pytest.approx(2 * spent))


@pytest.fixture
def two_passes(storage: Storage, sagemaker_client: Any, s3_client: Any, bucket: str) -> Project:
    """A project with a relabel pass, whose round r1 is merged; its images were disputed."""
    project = project_of(
        bucket, labeling__workers_per_object=2, consensus={"relabel_passes": 1, "max_doubt": 0.0}
    )
    put_images(s3_client, bucket, 2)
    run_until_merged(storage, sagemaker_client, project, "r1")
    return project


def test_answers_of_a_relabel_pass_stay_when_the_project_file_has_none_any_more(
    storage: Storage, bucket: str, two_passes: Project
) -> None:
    finish_without_checks(storage, two_passes, "r1")
    folder = round_folder(two_passes, "r1")
    before = read_record(storage, folder)
    assert before is not None
    assert [job.relabel_pass for job in before.jobs] == [0, 1]
    for found in list(storage.list_objects(folder.uri / "jobs")):
        if found.uri.name.endswith(".parquet"):
            storage.delete(found.uri)
    made_again(
        storage,
        project_of(bucket, labeling__workers_per_object=2, consensus={"relabel_passes": 0, "max_doubt": 0.0}),
    )
    after = read_record(storage, folder)
    assert after is not None
    assert (after.answers, after.jobs, after.spent_usd) == (before.answers, before.jobs, before.spent_usd)
    assert after.files["answers.parquet"] == before.files["answers.parquet"]


def test_another_run_at_an_earlier_pass_takes_no_answer_from_the_merge(
    storage: Storage, two_passes: Project
) -> None:
    folder = round_folder(two_passes, "r1")
    tables = [folder.stage("merged-labels.parquet"), folder.stage("merged-images.parquet"), folder.answers]
    before = [storage.read(uri) for uri in tables]
    labeling_round.measure(storage, two_passes, "r1", relabel_pass=0)
    assert storage.read(folder.answers) != before[-1]
    labeling_round.merge(storage, two_passes, "r1")
    assert [storage.read(uri) for uri in tables] == before


def test_a_relabel_pass_under_way_is_not_given_up(storage: Storage, bucket: str, two_passes: Project) -> None:
    folder = round_folder(two_passes, "r1")
    for found in list(storage.list_objects(folder.uri / "jobs")):
        if "-r1/" in found.uri.key and found.uri.name.endswith(".parquet"):
            storage.delete(found.uri)  # as before the relabel job is over
    changed = project_of(bucket, labeling__workers_per_object=2, consensus={"relabel_passes": 0})
    with pytest.raises(RoundError, match=r"put consensus.relabel_passes back to 1 until"):
        labeling_round.measure(storage, changed, "r1", relabel_pass=0)


def test_a_round_that_was_never_recorded_is_not_labeled_over_again(
    storage: Storage, s3_client: Any, bucket: str, project: Project
) -> None:
    put_images(s3_client, bucket, 2)
    first = labeling_round.plan_jobs(storage, project, "r1")
    assert labeling_round.plan_jobs(storage, project, "r1", relabel_run="run-1") == first


def test_a_rebuilt_round_that_fails_its_checks_keeps_what_round_json_vouches_for(
    storage: Storage, project: Project, recorded: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Verdict, what: str) -> None:
        raise QualityError(what)

    folder = round_folder(project, "r1")
    before = [storage.read(uri) for uri in (folder.labels, folder.images, folder.annot_csv)]
    storage.write(folder.stage("merged-labels.parquet"), storage.read(folder.labels))
    monkeypatch.setattr(Verdict, "require_passed", fails)
    with pytest.raises(QualityError):
        labeling_round.check(storage, project, "r1")
    assert [storage.read(uri) for uri in (folder.labels, folder.images, folder.annot_csv)] == before


@pytest.mark.parametrize("recorded_by_earlier_code", [False, True], ids=["kept", "kept by the rebuild"])
@pytest.mark.parametrize("ending", ["checks failed", "killed before record"])
def test_a_rebuild_that_is_not_recorded_leaves_its_readers_what_was(
    storage: Storage,
    project: Project,
    recorded: bytes,
    monkeypatch: pytest.MonkeyPatch,
    ending: str,
    recorded_by_earlier_code: bool,
) -> None:
    folder = round_folder(project, "r1")
    record = read_record(storage, folder)
    assert record is not None
    before = {name: storage.read(folder.uri / name) for name in record.files}
    if recorded_by_earlier_code:
        for found in list(storage.list_objects(folder.uri / "recorded")):
            if found.uri.name not in {"round.json", "answers.parquet"}:
                storage.delete(found.uri)

    def read_by_others() -> tuple[Any, ...]:
        labels = read_labels(storage, project, read_rounds(storage, project), ["r1"])
        candidate = dataset_release.assemble(storage, project)
        assert candidate is not None
        next_round = round_folder(project, "r2")
        storage.delete(next_round.stage("skills-before.json"))
        return (
            *(one.to_csv() for one in (labels.images, labels.labels)),
            candidate,
            read_history(storage, project),
            skills_before(storage, project, next_round),
        )

    first = read_by_others()
    # Another output than before: one worker's answers are gone.
    inputs = folder.job(record.jobs[0].name)
    answers: pd.DataFrame = from_parquet(storage.read(inputs.answers), ANSWERS, name="answers")
    fewer = answers[answers["worker"] != answers["worker"].iloc[0]]
    storage.write(inputs.answers, to_parquet(fewer, ANSWERS))
    labeling_round.measure(storage, project, "r1", relabel_pass=0)
    labeling_round.merge(storage, project, "r1")
    if ending == "checks failed":
        monkeypatch.setattr(Verdict, "require_passed", _fails)
        with pytest.raises(QualityError):
            labeling_round.check(storage, project, "r1")
    else:
        for uri in (folder.labels, folder.images, folder.annot_csv, folder.quality):
            storage.write(uri, b"of the rebuild")
    changed = [name for name in before if storage.read(folder.uri / name) != before[name]]
    assert {"answers.parquet", "consensus.json", "skills.json"} <= set(changed)
    assert {name: read_recorded(storage, folder, name) for name in before} == before
    assert read_by_others() == first
    assert storage.read(folder.record) == recorded


def _fails(self: Verdict, what: str) -> None:
    raise QualityError(what)
