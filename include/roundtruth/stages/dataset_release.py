"""The steps of a dataset release: assemble what all rounds brought, check it, publish it."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from roundtruth.annotations import from_parquet
from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.candidate import read_candidate, write_candidate
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.publish import publish_version
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS
from roundtruth.project import Project
from roundtruth.stages.image_inspection import facts_of_rounds
from roundtruth.storage import ObjectUri, Storage

log = logging.getLogger(__name__)


def assemble(storage: Storage, project: Project) -> str | None:
    """Put the next version together; returns the URI of the candidate's folder, None when nothing changed.

    :raises DatasetError: when a round's files are not what its round.json says.
    :raises CategoryError: when a label has a category that the project does not list.
    """
    candidate = assemble_candidate(storage, project)
    if candidate is None:
        return None
    log.info(
        "candidate of %s: %d images, %d boxes, %d images left out, box repairs %s",
        candidate.dataset,
        len(candidate.images),
        len(candidate.labels),
        len(candidate.left_out),
        candidate.repairs,
    )
    return str(write_candidate(storage, project, candidate))


def check(storage: Storage, project: Project, candidate_uri: str) -> dict[str, Any]:
    """Check a candidate; its verdict and Data Docs are written beside it.

    :returns: ``passed``, the names of failed checks as ``warnings``, and where the verdict lies.
    :raises QualityError: when a critical check failed.
    """
    from roundtruth.quality.dataset_gate import check_dataset  # Great Expectations takes seconds to import

    folder = ObjectUri.parse(candidate_uri)
    candidate = read_candidate(storage, folder)
    last = read_last_version(storage, project, candidate.parent)
    verdict = check_dataset(
        candidate.images,
        candidate.labels,
        candidate.classes,
        project.quality,
        splits=[name for name, share in project.dataset.splits.model_dump().items() if share > 0],
        facts=facts_of_rounds(storage, project, set(candidate.images["round"]))
        if project.quality.near_duplicates
        else None,
        last=last,
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


def read_last_version(
    storage: Storage, project: Project, version: str | None
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Images and boxes (DATASET_IMAGES, DATASET_LABELS) of a published version; None before the first."""
    if version is None:
        return None
    folder = dataset_folder(project).version(version)
    return (
        from_parquet(storage.read(folder.images), DATASET_IMAGES, name=str(folder.images)),
        from_parquet(storage.read(folder.labels), DATASET_LABELS, name=str(folder.labels)),
    )


def publish(storage: Storage, project: Project, candidate_uri: str) -> dict[str, Any]:
    """Publish a candidate, or finish what an earlier try left unfinished.

    :raises DatasetError: when another version was published since the candidate was assembled.
    """
    candidate = read_candidate(storage, ObjectUri.parse(candidate_uri))
    published = publish_version(storage, project, candidate)
    log.info("%s %s", "published" if published.created else "already published", published.uri)
    return {
        "version": published.version,
        "uri": str(published.uri),
        "images": len(candidate.images),
        "boxes": len(candidate.labels),
        "classes": list(candidate.classes),
        "rounds": list(candidate.rounds),
    }
