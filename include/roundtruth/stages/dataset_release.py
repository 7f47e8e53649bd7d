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
from roundtruth.datasets.versions import read_version
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
    by = project.dataset.group_by
    facts = None
    if by is not None and by.near_duplicates:
        facts = facts_of_rounds(storage, project, storage.list_folders(rounds_folder(project)))
    candidate = assemble_candidate(storage, project, facts)
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

    :raises DatasetError: when another version was published since the candidate was assembled.
    """
    candidate = read_candidate(storage, ObjectUri.parse(candidate_uri))
    published = publish_version(storage, project, candidate)
    update_summaries(storage, project)
    log.info("%s %s", "published" if published.created else "already published", published.uri)
    return {
        "version": published.version,
        "uri": str(published.uri),
        "images": len(candidate.images),
        "boxes": len(candidate.labels),
        "classes": list(candidate.classes),
        "rounds": list(candidate.rounds),
    }
