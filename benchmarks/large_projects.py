"""A bucket with years of rounds, a large round and versions, put into the sandbox's S3 from within."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from roundtruth.overviews.round_summaries import update_summaries
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from tests.labeling_ui.rounds_in_s3 import write_recorded
from tests.memory_store import memory_storage
from tests.project_samples import project_content

BUCKET = "bench-ui"
PENS: dict[str, Any] = project_content(root=f"s3://{BUCKET}/pens", budget_usd=5000)
RECENT = "2026-11-16"  # the large round
# What else a recorded round's folder holds (jobs' inputs and results, tables between steps, Data Docs,
# figures): a listing walks over them.
OTHER_OBJECTS = 60


def round_keys(rounds: int) -> list[str]:
    """The keys of the rounds, one a day, the oldest first; the newest is the large one."""
    last = date.fromisoformat(RECENT)
    return [(last - timedelta(days=back)).isoformat() for back in range(rounds - 1, -1, -1)]


def fill(s3: Any, rounds: int, images: int) -> int:
    """Put everything into S3; returns how many objects there are."""
    project = Project.model_validate(PENS)
    storage = memory_storage()
    for number, key in enumerate(round_keys(rounds)[:-1]):
        counts = {"labeled": 80 + number % 17, "disputed": number % 5}
        write_recorded(storage, project, key, counts=counts, agreement=0.7 + number % 29 / 100)
        folder = project.root_uri / "rounds" / key
        for other in range(OTHER_OBJECTS):
            storage.write(folder / f"data_docs/expectations/{other}.html", b"x")
    put_large(storage, project, images)
    update_summaries(storage, project)
    return copy_into(s3, storage)


def put_large(storage: Storage, project: Project, images: int) -> None:
    """The large round, and versions of a dataset of as many images."""
    from tests.labeling_ui.large_round import put_large_round
    from tests.labeling_ui.large_versions import put_versions

    put_large_round(storage, project, RECENT, images=images)
    put_versions(storage, project, images=images)


def copy_into(s3: Any, storage: Storage) -> int:
    """Every object of the bucket, handed to the sandbox's S3 in its own process: HTTP would take minutes."""
    count = 0
    for found in storage.list_objects(ObjectUri(BUCKET, "")):
        s3.write(BUCKET, found.uri.key, storage.read(found.uri))
        count += 1
    return count
