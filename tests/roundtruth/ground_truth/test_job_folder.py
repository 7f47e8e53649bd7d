from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roundtruth.errors import StorageError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.label_categories import encode_label_categories
from roundtruth.storage import ObjectUri, Storage
from tests.real_data import REAL, needs_real
from tests.store import storage

__all__ = ["storage"]


def response(*workers: str) -> bytes:
    content = {"boundingBox": {"boundingBoxes": []}}
    return json.dumps(
        {"answers": [{"workerId": worker, "answerContent": content} for worker in workers]}
    ).encode()


FILES = {
    "annotations/worker-response/iteration-1/10/2026-01-02_10:00:00.json": response("late row"),
    "annotations/worker-response/iteration-1/2/2026-01-02_10:00:00.json": response("a", "b"),
    "annotations/worker-response/iteration-10/2/2026-01-01_10:00:00.json": response("d"),
    "annotations/worker-response/iteration-2/2/2026-01-03_10-00-00.json": response("c"),
    "annotations/worker-response/iteration-1/3/2026-01-02_10:00:00.json": b"{broken",
    "annotations/worker-response/iteration-1/4/notes.txt": b"no response",
    "annotations/worker-response/iteration-x/5/a.json": b"no response",
    "annotations/intermediate/1/annotations.manifest": b"",
    "annotation-tool/data.json": encode_label_categories(["a", "b "]),
    "manifests/output/output.manifest": b'{"source-ref":"s3://b/1"}\n',
}


def check_folder(storage: Storage, folder: ObjectUri) -> None:
    storage.write_many((folder / name, content) for name, content in FILES.items())
    job = JobFolder(storage, folder)
    assert job.label_categories() == ("a", "b ")
    found = [(row, [answer.worker_id for answer in answers]) for row, answers in job.answers()]
    assert found == [(2, ["a", "b", "c", "d"]), (3, []), (10, ["late row"])]
    assert len(job.problems) == 1
    assert "iteration-1/3/2026-01-02_10:00:00.json is not a worker response" in job.problems[0]
    assert [str(record) for record in job.records()] == [
        f"{folder}/manifests/output/output.manifest:1 (s3://b/1): has no label attribute with its metadata"
    ]


def test_folder_in_s3(storage: Storage, bucket: str) -> None:
    check_folder(storage, ObjectUri(bucket, "out/job 1"))


def test_folder_on_disk(tmp_path: Path) -> None:
    check_folder(Storage(), ObjectUri.parse(str(tmp_path / "job")))


def test_folder_without_a_job(tmp_path: Path) -> None:
    job = JobFolder(Storage(), ObjectUri.parse(str(tmp_path)))
    assert job.label_categories() is None
    assert list(job.answers()) == []
    with pytest.raises(StorageError, match=r"output.manifest does not exist"):
        list(job.records())


@needs_real
@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "rows", "workers", "boxes"),
    [("bird-classes-5-workers", 302, 5, 0), ("pedestrians-7-workers", 727, 7, None)],
)
def test_real_folders(name: str, rows: int, workers: int, boxes: int | None) -> None:
    job = JobFolder(Storage(), ObjectUri.parse(str(REAL / name)))
    answers: list[tuple[int, Any]] = list(job.answers())
    assert [row for row, _ in answers] == list(range(rows))
    assert {len(found) for _, found in answers} == {workers}
    assert job.problems == []
    if boxes is not None:
        assert sum(len(one.boxes) for _, found in answers for one in found) == boxes
    else:
        assert sum(len(one.boxes) for _, found in answers for one in found) > 5_000
