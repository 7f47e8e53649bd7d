"""Plan an imported round: its images as they lie in S3 now, its jobs as they were; nothing is labeled."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from roundtruth.annotations import table, to_parquet
from roundtruth.errors import RoundError, StorageError
from roundtruth.ground_truth.job_request import output_folder
from roundtruth.project import Project
from roundtruth.rounds.candidates import planned_row, with_headers
from roundtruth.rounds.folder import RoundFolder, round_folder, rounds_in_order
from roundtruth.rounds.imports.choice import choose_labels
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
        the project's task.
    :raises CategoryError: when a job has a category that the project does not list.
    """
    folder = round_folder(project, round_key)
    sources = find_sources(storage, jobs)
    origin = ImportedFrom(
        sources=tuple(source.imported for source in sources), moved=dict(sorted((moved or {}).items()))
    )
    existing = read_plan(storage, folder)
    _check_same(project, folder, existing, origin)
    _check_nowhere_else(storage, project, folder, sources)
    survey = survey_jobs(storage, project, sources, origin.moved)
    planned_jobs = _write_tables(storage, project, folder, sources, survey)
    plan = existing or _write_plan(storage, project, folder, origin, planned_jobs, sorted(survey.entries))
    _check_same(project, folder, plan, origin)
    return ImportedJobs(
        plan=plan, problems=tuple(survey.problems), skipped=dict(sorted(survey.skipped.items()))
    )


def _check_same(
    project: Project, folder: RoundFolder, existing: RoundPlan | None, origin: ImportedFrom
) -> None:
    if existing is None or (existing.imported and _content(existing.imported) == _content(origin)):
        return
    here = f"Round {folder.key!r} of project {project.project!r}"
    if existing.imported is None:
        raise RoundError(
            f"{here} is a labeling round; import under another key, such as {folder.key}-import."
        )
    known = {source.uri: source for source in existing.imported.sources}
    given = {source.uri: source for source in origin.sources}
    changed = sorted(uri for uri in known.keys() & given.keys() if known[uri] != given[uri])
    if known.keys() == given.keys() and changed:
        raise RoundError(
            f"{here} was imported from {changed[0]} with another manifest, other label categories or the "
            "other kind of labels; import it under another key."
        )
    raise RoundError(
        f"{here} was imported from {', '.join(sorted(known))}"
        f"{_moves(existing.imported.moved)}, not from {', '.join(sorted(given))}{_moves(origin.moved)}; "
        "import other jobs under another key."
    )


def _content(origin: ImportedFrom) -> tuple[object, ...]:
    """What was imported, wherever it lay: another machine has the same folder at another path."""
    sources = {(one.manifest_sha256, one.label_categories, one.answers) for one in origin.sources}
    return sources, origin.moved


def _moves(moved: Mapping[str, str]) -> str:
    return "".join(f" (images moved from {old} to {new})" for old, new in sorted(moved.items()))


def _check_nowhere_else(
    storage: Storage, project: Project, folder: RoundFolder, sources: Sequence[FoundSource]
) -> None:
    """A job that stands in two rounds would teach the rounds after them its workers' skills twice."""
    given = {source.manifest_sha256: source.uri for source in sources}
    places = {str(source.uri) for source in sources}
    for other in rounds_in_order(storage, project):
        if other.key == folder.key:
            continue
        plan = read_plan(storage, other)
        if plan is None:
            continue
        imported = plan.imported.sources if plan.imported else ()
        twice = {str(given[one.manifest_sha256]) for one in imported if one.manifest_sha256 in given}
        twice |= places & {str(output_folder(project) / job.name) for job in plan.jobs}
        if twice:
            raise RoundError(
                f"{min(twice)} is in round {other.key!r} of project {project.project!r} already; "
                "leave it out."
            )


def _write_tables(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    sources: Sequence[FoundSource],
    survey: Survey,
) -> tuple[PlannedJob, ...]:
    choice = choose_labels(survey)
    names = job_names(survey, sources)
    made = [
        write_job_tables(
            storage, project, number, names[number], survey, choice, sources, folder.job(names[number])
        )
        for number in sorted(names, key=lambda number: names[number])
    ]
    for job in made:
        log.info("imported job %s: %s", job.name, job.imported)
    return tuple(made)


def _write_plan(
    storage: Storage,
    project: Project,
    folder: RoundFolder,
    origin: ImportedFrom,
    jobs: tuple[PlannedJob, ...],
    source_refs: Sequence[str],
) -> RoundPlan:
    images = imported_images(storage, source_refs)
    content = to_parquet(images, PLANNED)
    digest = hashlib.sha256(content).hexdigest()
    made = RoundPlan(
        project=project.project,
        round=folder.key,
        images=len(images),
        new=len(images),
        carried_over=0,
        unreadable=int((images["unreadable"] != "").sum()),
        jobs=jobs,
        labeling_usd=0.0,
        relabel_usd=0.0,
        planned=PlannedTable(file=f"planned-{digest[:12]}.parquet", sha256=digest),
        imported=origin,
    )
    storage.write(folder.uri / made.planned.file, content)
    if storage.write_if_absent(folder.plan, encode_plan(made)):
        return made
    return read_plan(storage, folder) or made


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
