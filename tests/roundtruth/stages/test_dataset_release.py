"""A release's check over two versions on the sandbox: what is new is compared with the last version."""

from __future__ import annotations

from typing import Any

import pytest

from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.versions import list_versions
from roundtruth.errors import StaleCandidateError
from roundtruth.project import Project
from roundtruth.quality.verdict import Verdict
from roundtruth.rounds.folder import round_folder
from roundtruth.stages.dataset_release import assemble, check, data_docs_uri, publish
from roundtruth.stages.image_inspection import FACTS
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage
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


PACKED = {"dataset": {"name": "pens", "formats": ["yolo"], "layout": "packed"}}


def assembled(storage: Storage, project: Project) -> str:
    candidate = assemble(storage, project)
    assert candidate is not None
    return candidate


def test_a_failed_release_whose_rounds_a_later_one_published_has_nothing_left_to_do() -> None:
    """Who clears its publish_version is asked for no more than that."""
    storage, project = memory_storage(), project_in("bucket", **PACKED)
    put_round(storage, project, "r1", boxes(0, 3))
    failed = assembled(storage, project)
    put_round(storage, project, "r2", boxes(3, 3))
    later = publish(storage, project, assembled(storage, project))
    assert (later["version"], later["rounds"], later["superseded"]) == ("v0001", ["r1", "r2"], False)
    put_round(storage, project, "r3", boxes(6, 3))  # waits for a release of its own
    assert publish(storage, project, failed) == later | {"superseded": True}
    assert [one.version for one in list_versions(storage, dataset_folder(project))] == ["v0001"]


def test_nothing_is_left_either_where_a_round_was_recorded_again() -> None:
    storage, project = memory_storage(), project_in("bucket", **PACKED)
    put_round(storage, project, "r1", boxes(0, 3))
    failed = assembled(storage, project)
    put_round(storage, project, "r1", boxes(0, 4))
    later = publish(storage, project, assembled(storage, project))
    assert publish(storage, project, failed) == later | {"superseded": True}


def test_a_release_that_would_bring_more_than_the_newest_version_is_assembled_again() -> None:
    storage, project = memory_storage(), project_in("bucket", **PACKED)
    put_round(storage, project, "r1", boxes(0, 3))
    first = assembled(storage, project)
    put_round(storage, project, "r2", boxes(3, 3))
    overtaken = assembled(storage, project)
    publish(storage, project, first)
    with pytest.raises(StaleCandidateError, match="clear assemble_version"):
        publish(storage, project, overtaken)
    assert publish(storage, project, assembled(storage, project))["rounds"] == ["r1", "r2"]
