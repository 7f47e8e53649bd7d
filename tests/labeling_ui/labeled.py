"""A project that was really labeled, for tests of pages: sample photos, the sandbox's workers, all steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from roundtruth.project import Project
from roundtruth.sandbox.samples import generate_samples
from roundtruth.sandbox.truth import encode_truth, truth_uri
from roundtruth.stages import image_inspection, labeling_round
from roundtruth.stages.round_thumbnails import make_thumbnails
from roundtruth.storage import ObjectUri, Storage
from tests.round_runs import finish_without_checks, run_until_merged

SEED = 7
ROUNDS = ("2026-11-16", "2026-11-23")


def upload_photos(storage: Storage, project: Project, count: int, start: int = 0) -> None:
    """Generated photos of pens and pencils with their truth, which the simulated workers draw from."""
    for name, content, truth in generate_samples(count, SEED, start):
        uri = project.images_uri / name
        storage.write(ObjectUri.parse(truth_uri(str(uri))), encode_truth(truth))
        storage.write(uri, content)


def label_rounds(
    storage: Storage,
    sagemaker: Any,
    project: Project,
    *,
    counts: Sequence[int] = (10, 4),
    checked: bool = True,
) -> None:
    """Label and record a round for each count of new photos, with their thumbnails.

    :param checked: with the quality checks, which load Great Expectations (seconds); else as if all passed.
    """
    start = 0
    for key, count in zip(ROUNDS, counts, strict=False):
        upload_photos(storage, project, count, start)
        start += count
        run_until_merged(storage, sagemaker, project, key)
        if checked:
            image_inspection.inspect(storage, project, key)
            labeling_round.check(storage, project, key)
            labeling_round.record(storage, project, key)
        else:
            finish_without_checks(storage, project, key)
        make_thumbnails(storage, project, key)
