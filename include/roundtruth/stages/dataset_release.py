"""The steps of a dataset release: assemble what all rounds brought, check it, publish it."""

from __future__ import annotations

import logging
from typing import Any

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import Candidate, candidate_reader, read_candidate, write_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.parts import PartReader
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.version_tables import VersionTables, read_tables
from roundtruth.datasets.versions import VersionRecord, newest_version, read_version
from roundtruth.errors import StaleCandidateError
from roundtruth.overviews.round_summaries import update_summaries
from roundtruth.project import Project
from roundtruth.rounds.folder import rounds_folder
from roundtruth.stages.image_inspection import facts_of_rounds
from roundtruth.storage import ObjectUri, Storage

log = logging.getLogger(__name__)


def assemble(storage: Storage, project: Project) -> str | None:
    """Put the next version together; returns the URI of the candidate's folder.

    None when nothing changed, or when a person discarded this candidate or sent images of it back.

    :raises DatasetError: when a round's files are not what its round.json says.
    :raises CategoryError: when a label has a category that the project does not list.
    """
    candidate = _assembled(storage, project)
    if candidate is None:
        update_summaries(storage, project)  # a release that died before its last write left this to do
        return None
    log.info(
        "candidate of %s: %d images, %d boxes, %d images left out, box repairs %s",
        candidate.dataset,
        len(candidate.images),
        len(candidate.labels),
        len(candidate.left_out),
        candidate.repairs,
    )
    folder = write_candidate(storage, project, candidate)
    if storage.head(dataset_folder(project).decision(folder.name)) is not None:
        log.info("a person has decided not to publish %s", folder)
        return None
    return str(folder)


def check(storage: Storage, project: Project, candidate_uri: str) -> dict[str, Any]:
    """Check a candidate; its verdict and Data Docs are written beside it.

    :returns: ``passed``, the names of failed checks as ``warnings``, and where the verdict lies.
    :raises QualityError: when a critical check failed.
    """
    from roundtruth.quality.dataset_gate import check_dataset  # Great Expectations takes seconds to import

    folder = ObjectUri.parse(candidate_uri)
    reader = candidate_reader(storage, folder)  # most parts are those of the last version, too
    candidate = read_candidate(storage, folder, reader)
    last = read_parent(storage, project, candidate, reader)
    verdict = check_dataset(
        candidate.images,
        candidate.labels,
        candidate.classes,
        project.quality,
        splits=[name for name, share in project.dataset.splits.model_dump().items() if share > 0],
        facts=facts_of_rounds(storage, project, set(candidate.images["round"]))
        if project.quality.near_duplicates
        else None,
        last=(last.images, last.labels) if last else None,
        docs_uri=folder / "data_docs",
        storage=storage,
    )
    storage.write(folder / "quality.json", verdict.to_json())
    verdict.require_passed(f"Dataset {candidate.dataset!r} of project {project.project!r}")
    return {
        "passed": verdict.passed,
        "warnings": [failed.check for failed in verdict.warnings],
        "quality_uri": str(folder / "quality.json"),
        "data_docs_uri": data_docs_uri(candidate_uri),
    }


def data_docs_uri(candidate_uri: str) -> str:
    """Where the Data Docs of a candidate open; there after its check, passed or not."""
    return str(ObjectUri.parse(candidate_uri) / "data_docs/index.html")


def read_parent(
    storage: Storage, project: Project, candidate: Candidate, reader: PartReader | None = None
) -> VersionTables | None:
    """The version that a candidate follows; None before the first."""
    folder = dataset_folder(project)
    record = read_version(storage, folder.version(candidate.parent)) if candidate.parent else None
    return read_tables(storage, folder, record, reader) if record else None


def publish(storage: Storage, project: Project, candidate_uri: str) -> dict[str, Any]:
    """Publish a candidate, or finish what an earlier try left unfinished.

    A release that failed here while the one after it published its rounds too has nothing left to publish.

    :returns: ``version``, ``uri``, ``images``, ``boxes``, ``classes`` and ``rounds`` of the version that
        holds the candidate, and whether that one has ``superseded`` it.
    :raises StaleCandidateError: when another version was published since the candidate was assembled, and
        does not hold all of it.
    """
    candidate = read_candidate(storage, ObjectUri.parse(candidate_uri))
    try:
        published = publish_version(storage, project, candidate)
    except StaleCandidateError:
        newest = newest_version(storage, dataset_folder(project))
        if newest is None or not _holds(storage, project, newest, candidate):
            raise
        log.info("%s holds all that this candidate would have brought", newest.version)
        return _told(project, newest) | {"superseded": True}
    update_summaries(storage, project)
    log.info("%s %s", "published" if published.created else "already published", published.uri)
    return _told(project, published.record) | {"superseded": False}


def _assembled(storage: Storage, project: Project) -> Candidate | None:
    by = project.dataset.group_by
    facts = None
    if by is not None and by.near_duplicates:
        facts = facts_of_rounds(storage, project, storage.list_folders(rounds_folder(project)))
    return assemble_candidate(storage, project, facts)


def _holds(storage: Storage, project: Project, newest: VersionRecord, candidate: Candidate) -> bool:
    """Whether a version that was published since was made from the candidate's rounds and settings too."""
    same_settings = newest.settings_digest == candidate.settings_digest
    if same_settings and candidate.round_digests.items() <= newest.round_digests.items():
        return True
    return _assembled(storage, project) is None


def _told(project: Project, record: VersionRecord) -> dict[str, Any]:
    return {
        "version": record.version,
        "uri": str(dataset_folder(project).version(record.version).uri),
        "images": record.images,
        "boxes": record.boxes,
        "classes": list(record.classes),
        "rounds": list(record.rounds),
    }
