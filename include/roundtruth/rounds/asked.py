"""Which categories each image of an imported round was looked at for: its jobs may have asked for others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa

from roundtruth.rounds.collect import OBJECTS, read_job_table
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.record import RoundRecord
from roundtruth.storage import Storage

_IMAGES = pa.schema([OBJECTS.field("source_ref")])


def asked_of_images(
    storage: Storage, folder: RoundFolder, record: RoundRecord
) -> Mapping[str, frozenset[str]] | None:
    """source_ref -> categories of the jobs that hold the image; None where all images were asked the same.

    The jobs of a labeling round divide its images and the project's categories evenly; finished jobs that
    were imported together did as they pleased.
    """
    first = [job for job in record.jobs if not job.relabel_pass]
    if not record.imported or len({frozenset(job.categories) for job in first}) < 2:
        return None
    asked: dict[str, set[str]] = defaultdict(set)
    for job in first:
        for source_ref in read_job_table(storage, folder.job(job.name).objects, _IMAGES)["source_ref"]:
            asked[str(source_ref)].update(job.categories)
    return {source_ref: frozenset(categories) for source_ref, categories in asked.items()}
