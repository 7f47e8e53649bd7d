"""Plan an imported round: its images as they lie in S3 now, its jobs as they were; nothing is labeled."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pandas as pd

from roundtruth.annotations import table, to_parquet
from roundtruth.errors import StorageError
from roundtruth.project import Project
from roundtruth.rounds.candidates import planned_row, with_headers
from roundtruth.rounds.folder import JobInputs, RoundFolder, round_folder
from roundtruth.rounds.imports.choice import choose_labels
from roundtruth.rounds.imports.known_jobs import require_in_no_other_round, require_same_jobs
from roundtruth.rounds.imports.sources import FoundSource, JobSource, find_sources
from roundtruth.rounds.imports.survey import Survey, survey_jobs
from roundtruth.rounds.imports.tables import job_names, write_job_tables
from roundtruth.rounds.planned import (
    PLANNED,
    ImportedFrom,
    PlannedJob,
    PlannedTable,
    RoundPlan,
    encode_plan,
    read_plan,
)
from roundtruth.rounds.turns import Wish, take_turn
from roundtruth.storage import ObjectUri, Storage, StoredObject

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImportedJobs:
    """The plan of an imported round, and what its manifests hold that nobody can use."""

    plan: RoundPlan
    problems: tuple[str, ...]
    skipped: Mapping[str, int]  # labels of other tasks, by task


def import_jobs(
    storage: Storage,
    project: Project,
    round_key: str,
    jobs: Sequence[JobSource],
    *,
    moved: Mapping[str, str] | None = None,
) -> ImportedJobs:
    """Read finished jobs into a round: their tables, and plan.json; the same jobs again change nothing.

    :param moved: old beginning of source-refs -> where these images lie now, for images that were copied.
    :raises RoundError: when the round is another one, a job is in another round, or a place holds no job of
        the project's task; another round or import that is there first counts.
    :raises CategoryError: when a job has a category that the project does not list.
    """
    folder = round_folder(project, round_key)
    sources = find_sources(storage, jobs)
    origin = ImportedFrom(
        sources=tuple(source.imported for source in sources), moved=dict(sorted((moved or {}).items()))
    )
    existing = read_plan(storage, folder)
    require_same_jobs(project, folder, existing, origin)
    require_in_no_other_round(storage, project, folder, sources)
    known = {name: None for job in existing.jobs for name in job.categories} if existing else {}
    survey = survey_jobs(storage, project, sources, origin.moved, planned=tuple(known))
    if existing is not None:
        _write_tables(storage, project, sources, survey, folder.job)
    plan = existing or _plan(storage, project, folder, origin, sources, survey)
    return ImportedJobs(
        plan=plan, problems=tuple(survey.problems), skipped=dict(sorted(survey.skipped.items()))
    )


def _plan(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    origin: ImportedFrom,
    sources: Sequence[FoundSource],
    survey: Survey,
) -> RoundPlan:
    """Write the tables and the plan, unless another round was there first.

    The plan counts what is in the tables, and it alone says whose round this is: until it is there, the
    tables wait where no other import of this round has its own.
    """
    digest = hashlib.sha256(msgspec.json.encode(origin)).hexdigest()[:12]

    def waiting(job: str) -> JobInputs:
        return JobInputs(folder.stage(f"import-{digest}/{job}"))

    jobs = _write_tables(storage, project, sources, survey, waiting)
    made = _made_plan(storage, project, folder, origin, jobs, sorted(survey.entries))

    def wanted() -> Wish | None:
        if storage.head(folder.plan) is not None:
            return None
        # Another import may have taken one of the jobs while this one read them.
        require_in_no_other_round(storage, project, folder, sources)
        return Wish(uri=folder.plan, data=encode_plan(made))

    take_turn(storage, project, wanted)
    plan = read_plan(storage, folder) or made
    require_same_jobs(project, folder, plan, origin)
    for job in jobs:
        for name in ("answers", "objects", "consolidated"):
            storage.copy(getattr(waiting(job.name), name), getattr(folder.job(job.name), name))
    return plan


def _write_tables(
    storage: Storage,
    project: Project,
    sources: Sequence[FoundSource],
    survey: Survey,
    inputs_of: Callable[[str], JobInputs],
) -> tuple[PlannedJob, ...]:
    choice = choose_labels(survey)
    names = job_names(survey, sources)
    made = [
        write_job_tables(
            storage, project, number, names[number], survey, choice, sources, inputs_of(names[number])
        )
        for number in sorted(names, key=lambda number: names[number])
    ]
    for job in made:
        log.info("imported job %s: %s", job.name, job.imported)
    return tuple(made)


def _made_plan(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    origin: ImportedFrom,
    jobs: tuple[PlannedJob, ...],
    source_refs: Sequence[str],
) -> RoundPlan:
    """The plan of these jobs, its table of images written; the table's name holds its digest."""
    images = imported_images(storage, source_refs)
    content = to_parquet(images, PLANNED)
    digest = hashlib.sha256(content).hexdigest()
    planned = PlannedTable(file=f"planned-{digest[:12]}.parquet", sha256=digest)
    storage.write(folder.uri / planned.file, content)
    return RoundPlan(
        project=project.project,
        round=folder.key,
        images=len(images),
        new=len(images),
        carried_over=0,
        unreadable=int((images["unreadable"] != "").sum()),
        jobs=jobs,
        labeling_usd=0.0,
        relabel_usd=0.0,
        planned=planned,
        imported=origin,
    )


def imported_images(storage: Storage, source_refs: Iterable[str]) -> pd.DataFrame:
    """The images as they are now (PLANNED), sorted; one that cannot be found or read says so itself."""
    found = storage.run_many(lambda ref: (ref, _look(storage, ref)), source_refs)
    rows = [_row(ref, seen) for ref, seen in found]
    return with_headers(storage, table(rows, PLANNED))


def _look(storage: Storage, source_ref: str) -> StoredObject | str:
    if not source_ref.startswith("s3://"):
        return "is no s3:// URI; copy the image to S3 and say where to with --moved"
    try:
        seen = storage.head(ObjectUri.parse(source_ref))
    except StorageError as error:
        return str(error)
    return seen or "is not there; where it was copied to, --moved says"


def _row(source_ref: str, seen: StoredObject | str) -> dict[str, object]:
    if isinstance(seen, StoredObject):
        return planned_row(seen, "", carried_over=False)
    return {
        "source_ref": source_ref,
        "etag": "",
        "bytes": 0,
        "unreadable": seen,
        "carried_over": False,
        "part": 0,
    }
