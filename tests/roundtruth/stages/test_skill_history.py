"""What a round knows of its workers reaches the next round, once, and never itself."""

from __future__ import annotations

from typing import Any

import pytest

from roundtruth.consensus.worker_skills import WorkerSkills, decode_skills
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.stages import labeling_round
from roundtruth.stages.skill_history import skills_before
from roundtruth.storage import Storage
from tests.project_samples import make_project
from tests.round_runs import finish_without_checks, run_until_merged
from tests.sandbox_job import put_images
from tests.store import open_store


@pytest.fixture
def rounds(sandbox: Any, bucket: str, s3_client: Any, sagemaker_client: Any) -> Any:
    """Runs and records rounds of a project in the test's bucket, on new images each."""
    storage = open_store(sandbox.endpoint_url)
    # A name of its own: labeling jobs are known by it in the whole sandbox.
    project = make_project(
        project=f"s-{bucket[-12:]}",
        root=f"s3://{bucket}",
        images__partition="prefix",
        consensus__method="fused",
    )

    def run(key: str) -> RoundFolder:
        put_images(s3_client, bucket, 6, prefix=f"images/{key}/")
        run_until_merged(storage, sagemaker_client, project, key)
        finish_without_checks(storage, project, key)
        return round_folder(project, key)

    return storage, project, run


def read(storage: Storage, folder: RoundFolder) -> WorkerSkills:
    return decode_skills(storage.read(folder.skills), name="skills.json")


def test_the_next_round_starts_from_what_the_last_one_knew(rounds: Any) -> None:
    storage, project, run = rounds
    first = run("r1")
    assert skills_before(storage, project, first) == WorkerSkills()
    second = run("r2")
    assert skills_before(storage, project, second) == read(storage, first) != WorkerSkills()
    assert read(storage, second) != read(storage, first)


def test_measuring_again_does_not_count_answers_twice(rounds: Any) -> None:
    storage, project, run = rounds
    run("r1")
    later = run("r3")
    known = read(storage, later)
    run("r2")  # backfilled: recorded after r3, and before it by its key
    labeling_round.measure(storage, project, "r3", relabel_pass=project.consensus.relabel_passes)
    assert read(storage, later) == known
