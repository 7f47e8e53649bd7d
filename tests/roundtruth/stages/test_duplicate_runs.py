"""Two runs of one round at once: the one that is behind makes tables again while the other records them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from roundtruth.annotations import ANSWERS, LABELS, from_parquet, to_parquet
from roundtruth.errors import RoundChangedError
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.planned import PlannedJob, require_plan
from roundtruth.rounds.record import read_recorded
from roundtruth.rounds.relabel import RelabelPlan
from roundtruth.stages import labeling_round, round_record
from roundtruth.stages.fused_answers import fuse_answers
from roundtruth.stages.large_tables import count_rows
from roundtruth.storage import ObjectUri, Storage
from tests.large_round import KEY, large_project, put_large_round
from tests.memory_store import memory_storage


@pytest.fixture(scope="module")
def project() -> Project:
    return large_project()


@pytest.fixture(scope="module")
def checked(project: Project) -> dict[ObjectUri, bytes]:
    """All objects of a round of two jobs and a relabel job over one image of the first, checked just now."""
    storage = memory_storage()
    put_relabel_job(storage, project, put_large_round(storage, project, 2, 10).jobs[0])
    labeling_round.measure(storage, project, KEY, relabel_pass=project.consensus.relabel_passes)
    labeling_round.merge(storage, project, KEY)
    labeling_round.check(storage, project, KEY)
    found = storage.list_objects(project.root_uri)
    return {one.uri: storage.read(one.uri) for one in found}


@pytest.fixture(scope="module")
def undisturbed(project: Project, checked: dict[ObjectUri, bytes]) -> bytes:
    """round.json of the same round where one run is alone."""
    return record(filled(checked), project)[1]


@pytest.fixture
def storage(checked: dict[ObjectUri, bytes]) -> Storage:
    return filled(checked)


def filled(content: dict[ObjectUri, bytes]) -> Storage:
    storage = memory_storage()
    for uri, data in content.items():
        storage.write(uri, data)
    return storage


def put_relabel_job(storage: Storage, project: Project, first: PlannedJob) -> None:
    folder = round_folder(project, KEY)
    job = msgspec.structs.replace(first, name=f"pens-{KEY}-1-r1", images=1, workers=3, relabel_pass=1)
    tables = {"objects": OBJECTS, "answers": ANSWERS, "consolidated": LABELS}
    for name, schema in tables.items():
        uri: ObjectUri = getattr(folder.job(first.name), name)
        rows = from_parquet(storage.read(uri), schema, name=name)
        rows = rows[rows["source_ref"] == rows["source_ref"].min()]
        # Other people, who look at it again.
        changes = {"answers": {"job": job.name, "worker": rows.get("worker", "") + "-b"}}
        changes["consolidated"] = {"job": job.name}
        target: ObjectUri = getattr(folder.job(job.name), name)
        storage.write(target, to_parquet(rows.assign(**changes.get(name, {})), schema))
    images = (f"s3://some-bucket/boxes/images/00/{0:06d}.jpg",)
    relabel_plan = RelabelPlan(relabel_pass=1, jobs=(job,), images=images)
    storage.write(folder.relabel_plan(1), msgspec.json.encode(relabel_plan))


def fuse_as_the_run_behind(storage: Storage, project: Project) -> None:
    """What a run does that is at the first measure_consensus: it fuses the round's first jobs alone."""
    folder = round_folder(project, KEY)
    plan = require_plan(storage, folder)
    fuse_answers(storage, project, folder, plan, plan.jobs)


def record(storage: Storage, project: Project) -> tuple[dict[str, Any], bytes]:
    recorded = labeling_round.record(storage, project, KEY)
    return recorded, storage.read(round_folder(project, KEY).record)


def at_first_copy(storage: Storage, action: Callable[[], None]) -> Callable[..., Any]:
    """``storage.copy`` that first lets the other run act, once."""
    copy, waiting = storage.copy, [action]

    def copy_later(*arguments: Any, **options: Any) -> Any:
        if waiting:
            waiting.pop()()
        return copy(*arguments, **options)

    return copy_later


@pytest.mark.parametrize("moment", ["before", "half written", "while it is recorded"])
def test_tables_that_another_run_made_again_are_made_once_more(
    storage: Storage,
    project: Project,
    undisturbed: bytes,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    folder = round_folder(project, KEY)
    all_answers = count_rows(storage, folder.answers)
    if moment == "before":
        fuse_as_the_run_behind(storage, project)
        assert count_rows(storage, folder.answers) < all_answers
    elif moment == "half written":
        first, *_ = require_plan(storage, folder).jobs
        storage.write(folder.answers, storage.read(folder.job(first.name).answers))
    else:
        other = at_first_copy(storage, lambda: fuse_as_the_run_behind(storage, project))
        monkeypatch.setattr(storage, "copy", other)
    recorded, content = record(storage, project)
    assert content == undisturbed, "no answer is missing, and the record is what one run alone writes"
    answers = read_recorded(storage, folder, "answers.parquet")
    assert len(from_parquet(answers, ANSWERS, name="answers")) == all_answers
    assert sum(recorded["counts"].values()) == 20

    # the run behind comes to its end: it finds all recorded
    labeling_round.measure(storage, project, KEY, relabel_pass=0)
    labeling_round.measure(storage, project, KEY, relabel_pass=project.consensus.relabel_passes)
    labeling_round.merge(storage, project, KEY)
    assert record(storage, project) == (recorded, content)


def test_people_are_judged_by_the_answers_of_all_jobs(storage: Storage, project: Project) -> None:
    folder = round_folder(project, KEY)
    verdict = storage.read(folder.quality)
    fuse_as_the_run_behind(storage, project)
    labeling_round.check(storage, project, KEY)
    assert storage.read(folder.quality) == verdict


def test_a_run_that_is_disturbed_again_and_again_leaves_it_to_airflow_s_retries(
    storage: Storage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = round_record.make_record

    def disturbed(*arguments: Any) -> Any:
        record = made(*arguments)
        fuse_as_the_run_behind(storage, project)
        return record

    monkeypatch.setattr(round_record, "make_record", disturbed)
    monkeypatch.setattr(round_record, "TRIES", 1)
    with pytest.raises(RoundChangedError, match=r"Another run of round .* has written"):
        labeling_round.record(storage, project, KEY)
    assert storage.head(round_folder(project, KEY).record) is None
