"""Where the output of finished labeling jobs lies: their folders, or output manifests alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from roundtruth.errors import RoundError, StorageError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.label_categories import decode_label_categories
from roundtruth.rounds.planned import ImportedSource
from roundtruth.storage import ObjectUri, Storage

OUTPUT = "manifests/output/output.manifest"
# Stopped jobs too: "Any results obtained before … are placed in the output bucket" (StopLabelingJob).
ENDED = ("Completed", "Stopped", "Failed")


class JobSource(msgspec.Struct, frozen=True, kw_only=True):
    """A finished job as people name it."""

    uri: str  # its output folder, or a manifest
    label_categories: str | None = None  # its label category config, where the folder does not hold one
    answers: bool = True  # false: Ground Truth's own boxes stand, though workers' answers may be there
    job_arn: str = ""  # where it is known: a job's files do not say it


@dataclass(frozen=True, kw_only=True)
class FoundSource:
    """A finished job's files; ``is_output`` is false where only an input manifest lies beside the answers."""

    uri: ObjectUri
    name: str  # what its folder or file is called: a job's folder has the job's name
    manifest: ObjectUri
    is_output: bool
    manifest_sha256: str
    folder: JobFolder
    answered: frozenset[int]  # 0-based rows of the manifest
    asked: tuple[str, ...] | None  # all categories of the job in order of their ids, where a file lists them
    label_categories: str | None
    takes_answers: bool = True
    job_arn: str = ""

    @property
    def imported(self) -> ImportedSource:
        """What a plan remembers of it."""
        return ImportedSource(
            uri=str(self.uri),
            manifest_sha256=self.manifest_sha256,
            label_categories=self.label_categories,
            answers=self.takes_answers,
            job_arn=self.job_arn,
        )


def described_job(description: Mapping[str, Any]) -> JobSource:
    """Where a job's output lies, from the answer of DescribeLabelingJob.

    :raises RoundError: when the job is not over, or ended without any output.
    """
    name, status = description["LabelingJobName"], description["LabelingJobStatus"]
    if status not in ENDED:
        raise RoundError(f"Labeling job {name!r} is {status}; import it when it is over.")
    manifest = description.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri")
    if not manifest:
        raise RoundError(f"Labeling job {name!r} is {status} and has no output; there is nothing to import.")
    return JobSource(
        uri=manifest,
        label_categories=description.get("LabelCategoryConfigS3Uri"),
        job_arn=description.get("LabelingJobArn", ""),
    )


def find_sources(storage: Storage, given: Iterable[JobSource]) -> tuple[FoundSource, ...]:
    """Look at each source; sorted by URI, one that is named twice comes once.

    :raises RoundError: when a place holds no output of a labeling job.
    """
    found = {source.uri: source for source in (_find(storage, one) for one in given)}
    if not found:
        raise RoundError("No job is named; give the output folders or output manifests of finished jobs.")
    return tuple(found[uri] for uri in sorted(found))


def _find(storage: Storage, given: JobSource) -> FoundSource:
    text = given.uri.rstrip("/")
    # The manifest in a job's folder stands for the folder; copies of a folder may keep it at their top.
    uri = ObjectUri.parse(text.removesuffix(f"/{OUTPUT}").removesuffix("/output.manifest"))
    manifest, is_output, content = _manifest(storage, uri)
    # A manifest alone has no answers beside it.
    folder = JobFolder(storage, uri)
    answered = folder.answered_rows() if given.answers and manifest != uri else frozenset()
    if not is_output and not answered:
        raise RoundError(
            f"{uri} holds neither {OUTPUT} nor worker responses; give the folder <S3OutputPath>/<job name> "
            "of a finished job, or its output.manifest."
        )
    return FoundSource(
        uri=uri,
        name=uri.name.rpartition(".")[0] if manifest == uri and "." in uri.name else uri.name,
        manifest=manifest,
        is_output=is_output,
        manifest_sha256=hashlib.sha256(content).hexdigest(),
        folder=folder,
        answered=answered,
        asked=_asked(storage, folder, given, alone=manifest == uri),
        label_categories=given.label_categories,
        takes_answers=given.answers,
        job_arn=given.job_arn,
    )


def _manifest(storage: Storage, uri: ObjectUri) -> tuple[ObjectUri, bool, bytes]:
    """The manifest of a place, whether it is an output manifest, and its bytes."""
    for place, is_output in (
        (uri / OUTPUT, True),
        (uri, True),
        (uri / "output.manifest", True),
        (uri / "input.manifest", False),
    ):
        try:
            content = storage.read_if_there(place) if place.key else None
        except StorageError:
            if place.is_local or place != uri:
                raise
            content = None  # a folder's own name need not be a key that S3 can read
        if content is not None:
            return place, is_output, content.data
    raise RoundError(
        f"{uri} holds no {OUTPUT}; give the folder <S3OutputPath>/<job name> of a finished job, or its "
        "output.manifest."
    )


def _asked(storage: Storage, folder: JobFolder, given: JobSource, *, alone: bool) -> tuple[str, ...] | None:
    own = None if alone else folder.label_categories()
    if own is not None or given.label_categories is None:
        return own
    uri = ObjectUri.parse(given.label_categories)
    return decode_label_categories(storage.read(uri), file=str(uri))
