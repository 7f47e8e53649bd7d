from __future__ import annotations

from typing import Any

from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import RoundPlan
from roundtruth.rounds.relabel import job_images, plan_relabel, read_relabel_plan, round_jobs
from roundtruth.storage import Storage
from tests.project_samples import make_project
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]


def planned(storage: Storage, project: Project, key: str) -> RoundPlan:
    plan = plan_round(storage, project, key)
    assert plan is not None
    return plan


def test_relabel_pass(storage: Storage, s3_client: Any, bucket: str) -> None:
    uris = put_images(s3_client, bucket, 5)
    project = make_project(
        root=f"s3://{bucket}", labeling__max_objects_per_job=2, consensus={"relabel_workers": 4}
    )
    plan, folder = planned(storage, project, "r1"), round_folder(project, "r1")
    disputed = [uris[4], uris[0], uris[1]]
    again = plan_relabel(storage, project, folder, plan, relabel_pass=1, disputed=disputed)
    assert again.images == tuple(sorted(disputed))
    assert [(job.name, job.part, job.images, job.workers, job.relabel_pass) for job in again.jobs] == [
        ("pens-r1-1-r1", 0, 2, 4, 1),
        ("pens-r1-3-r1", 2, 1, 4, 1),
    ]
    assert [job_images(storage, folder, plan, job) for job in again.jobs] == [[uris[0], uris[1]], [uris[4]]]
    # What was written down stays, whatever is disputed by now.
    assert plan_relabel(storage, project, folder, plan, relabel_pass=1, disputed=[]) == again
    assert read_relabel_plan(storage, folder, 2) is None
    assert round_jobs(storage, folder, plan) == (*plan.jobs, *again.jobs)
    assert round_jobs(storage, folder, plan, passes=0) == plan.jobs


def test_relabel_pass_without_disputes_is_written_down(storage: Storage, s3_client: Any, bucket: str) -> None:
    put_images(s3_client, bucket, 1)
    project = make_project(root=f"s3://{bucket}")
    plan, folder = planned(storage, project, "r1"), round_folder(project, "r1")
    made = plan_relabel(storage, project, folder, plan, relabel_pass=1, disputed=[])
    assert (made.jobs, made.images) == ((), ())
    assert read_relabel_plan(storage, folder, 1) == made
