"""Imports beside each other and beside planning rounds: one is first, over real HTTP, without a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from roundtruth.errors import RoundError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.imports.plan import import_jobs
from roundtruth.rounds.imports.sources import JobSource
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.planned import read_plan, read_planned_images, require_plan
from roundtruth.storage import ObjectUri, Storage
from tests.finished_jobs import label, put_job
from tests.memory_store import put_blank
from tests.project_samples import make_project
from tests.roundtruth.datasets.recorded_rounds import storage_of

PEN, PENCIL = ("pen", 10, 20, 40, 50), ("pencil", 150, 30, 60, 20)
DECIDES = ("plan.json", "turn.json")  # the first of them that a planner or an import writes


class BeforeItsDecision(Storage):
    """Does something once, before the first write that decides which images or jobs a round holds.

    Or before a file of another name, in ``moments``.
    """

    before: Callable[[], object] | None = None
    moments: tuple[str, ...] = DECIDES

    def write(self, uri: ObjectUri, data: bytes, *, content_type: str | None = None) -> None:
        self._now(uri)
        super().write(uri, data, content_type=content_type)

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        self._now(uri)
        return super().write_if_absent(uri, data)

    def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
        self._now(uri)
        return super().write_if_unchanged(uri, data, etag)

    def _now(self, uri: ObjectUri) -> None:
        if uri.name in self.moments and self.before is not None:
            before, self.before = self.before, None
            before()


@pytest.fixture
def project(bucket: str) -> Project:
    return make_project(root=f"s3://{bucket}/boxes")


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


@pytest.fixture
def delayed(sandbox: Any) -> Callable[..., Storage]:
    """Storage of a process that something happens to right before it decides, or writes some file."""

    def make(before: Callable[[], object], moments: tuple[str, ...] = DECIDES) -> Storage:
        made = storage_of(sandbox.endpoint_url, BeforeItsDecision)
        assert isinstance(made, BeforeItsDecision)
        made.before, made.moments = before, moments
        return made

    return make


def put_pens(storage: Storage, project: Project, folder: str, *names: str, box: Any = PEN) -> str:
    """A finished job over images of the project."""
    rows = [
        {"source-ref": put_blank(storage, f"{project.images_uri}{name}.png")} | label("boxes", "base", [box])
        for name in names
    ]
    return put_job(storage, f"{project.root}/old/{folder}/base", rows)


def imported(storage: Storage, project: Project, key: str, folder: str) -> str:
    """Import a job; returns the round, or nothing where it was refused."""
    try:
        import_jobs(storage, project, key, [JobSource(uri=folder)])
    except RoundError:
        return ""
    return key


def test_one_job_at_once_under_two_keys_is_in_one_round(
    storage: Storage, project: Project, delayed: Any
) -> None:
    folder = put_pens(storage, project, "a", "1", "2")
    meeting = threading.Barrier(2)

    def run(key: str) -> str:
        return imported(delayed(lambda: meeting.wait(60)), project, key, folder)

    with ThreadPoolExecutor(2) as pool:
        done = [key for key in pool.map(run, ["2024-03-01", "2024-03-08"]) if key]
    assert len(done) == 1
    plans = [read_plan(storage, round_folder(project, key)) for key in ("2024-03-01", "2024-03-08")]
    assert sum(plan is not None for plan in plans) == 1
    assert imported(storage, project, done[0], folder), "the same jobs again change nothing"


@pytest.mark.parametrize("moments", [DECIDES, ("answers.parquet",)], ids=["late", "before its tables"])
def test_two_imports_under_one_key_do_not_mix(
    storage: Storage, project: Project, delayed: Any, moments: tuple[str, ...]
) -> None:
    """Both jobs are called the same, as jobs of two accounts are: their tables lie under one name."""
    one = put_pens(storage, project, "a", "1", "2")
    other = put_pens(storage, project, "b", "3", box=PENCIL)
    key = "2024-03-01"
    late = delayed(lambda: imported(storage, project, key, one), moments)
    with pytest.raises(RoundError, match=r"was imported from .*/old/a/base, not from .*/old/b/base"):
        import_jobs(late, project, key, [JobSource(uri=other)])
    folder = round_folder(project, key)
    job = folder.job(require_plan(storage, folder).jobs[0].name)
    tables = {name: storage.read(getattr(job, name)) for name in ("answers", "objects", "consolidated")}
    # What lies there is what the import gives by itself.
    import_jobs(storage, project, key, [JobSource(uri=one)])
    assert tables == {name: storage.read(getattr(job, name)) for name in tables}


def test_a_round_that_is_planned_beside_an_import_leaves_its_images_out(
    storage: Storage, project: Project, delayed: Any
) -> None:
    folder = put_pens(storage, project, "a", "1", "2")
    put_blank(storage, f"{project.images_uri}3.png")
    late = delayed(lambda: imported(storage, project, "2024-03-01", folder))
    plan = plan_round(late, project, "r1")
    assert plan is not None
    images = read_planned_images(storage, round_folder(project, "r1"), plan)["source_ref"]
    assert [ref.rpartition("/")[2] for ref in images] == ["3.png"]


def test_a_round_whose_images_an_import_has_taken_meanwhile_is_skipped(
    storage: Storage, project: Project, delayed: Any
) -> None:
    folder = put_pens(storage, project, "a", "1", "2")
    late = delayed(lambda: imported(storage, project, "2024-03-01", folder))
    assert plan_round(late, project, "r1") is None
    assert read_plan(storage, round_folder(project, "r1")) is None


def test_a_round_and_an_import_under_one_key_are_one_of_them(
    storage: Storage, project: Project, delayed: Any
) -> None:
    folder = put_pens(storage, project, "a", "1", "2")
    late = delayed(lambda: plan_round(storage, project, "r1"))
    with pytest.raises(RoundError, match="is a labeling round; import under another key"):
        import_jobs(late, project, "r1", [JobSource(uri=folder)])
    plan = require_plan(storage, round_folder(project, "r1"))
    assert plan.imported is None
    tables = list(storage.list_objects(round_folder(project, "r1").uri / "jobs"))
    assert tables == [], "nothing of the import is among the round's own"
    again = delayed(lambda: imported(storage, project, "r2", folder))
    put_blank(storage, f"{project.images_uri}3.png")
    assert plan_round(again, project, "r2") is None, "an imported round is done"


def test_two_rounds_planned_at_once_share_no_image(storage: Storage, project: Project, delayed: Any) -> None:
    """As Airflow would not run them: in two Dags, or on a machine that was given up for dead."""
    for name in "123":
        put_blank(storage, f"{project.images_uri}{name}.png")
    late = delayed(lambda: plan_round(storage, project, "r1"))
    assert plan_round(late, project, "r2") is None
    put_blank(storage, f"{project.images_uri}4.png")
    following = plan_round(storage, project, "r2")
    assert following is not None
    assert following.images == 1


def test_an_output_of_the_project_s_own_rounds_is_no_job_to_import(
    storage: Storage, project: Project
) -> None:
    """Of relabel passes and of later attempts too."""
    from roundtruth.ground_truth.job_request import output_folder
    from roundtruth.rounds.folder import JobInputs
    from roundtruth.rounds.job_attempts import JobAttempts, write_attempts

    put_blank(storage, f"{project.images_uri}1.png")
    plan = plan_round(storage, project, "r1")
    assert plan is not None
    name, inputs = plan.jobs[0].name, round_folder(project, "r1").job(plan.jobs[0].name)
    assert isinstance(inputs, JobInputs)
    write_attempts(storage, inputs, name, JobAttempts(names=(name, f"{name}-a2")))
    row = {"source-ref": f"{project.images_uri}1.png"} | label("boxes", name, [PEN])
    output = put_job(storage, str(output_folder(project) / f"{name}-a2"), [row])
    with pytest.raises(RoundError, match=f"{name}-a2 is in round 'r1' of project"):
        import_jobs(storage, project, "2024-03-01", [JobSource(uri=output)])
