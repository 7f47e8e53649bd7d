"""A release's check over two versions on the sandbox: what is new is compared with the last version."""

from __future__ import annotations

from typing import Any

from roundtruth.quality.verdict import Verdict
from roundtruth.rounds.folder import round_folder
from roundtruth.stages.dataset_release import assemble, check, data_docs_uri, publish
from roundtruth.stages.image_inspection import FACTS
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round
from tests.store import storage

__all__ = ["storage"]


def boxes(start: int, count: int) -> dict[str, list[Any]]:
    return {
        f"{number}.jpg": [("pen", 10, 10, 20, 20), ("pencil", 40, 10, 20, 20)]
        for number in range(start, start + count)
    }


def released(storage: Storage, project: Any) -> Verdict:
    candidate = assemble(storage, project)
    assert candidate is not None
    checked = check(storage, project, candidate)
    assert checked["data_docs_uri"] == data_docs_uri(candidate)
    assert storage.head(ObjectUri.parse(checked["data_docs_uri"])) is not None
    publish(storage, project, candidate)
    return Verdict.from_json(storage.read(ObjectUri.parse(checked["quality_uri"])))


def test_what_is_new_is_compared_with_the_last_version(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    put_round(storage, project, "r1", boxes(0, 6))
    first = released(storage, project)
    assert "dataset_drift" not in first.checked_rows
    put_round(storage, project, "r2", boxes(6, 4))
    second = released(storage, project)
    assert second.checked_rows["dataset_drift"] == 3
    assert second.checked_rows["dataset_look_alikes"] == 10
    assert second.passed
    assert storage.head(round_folder(project, "r1").stage(FACTS)) is None, "older rounds were not inspected"


def test_a_project_may_leave_images_unread(storage: Storage, bucket: str) -> None:
    project = project_in(bucket, quality={"near_duplicates": False})
    put_round(storage, project, "r1", boxes(0, 4))
    assert "dataset_look_alikes" not in released(storage, project).checked_rows
