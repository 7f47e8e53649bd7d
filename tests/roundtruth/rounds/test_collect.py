from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from roundtruth.errors import RoundError, StorageError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.rounds.collect import collect_answers, read_job_tables
from roundtruth.rounds.folder import JobInputs
from roundtruth.storage import ObjectUri, Storage

CATEGORIES = ("pencil", "pen")
BOX = {"left": 1.5, "top": 2, "width": 3, "height": 4}


class Job:
    """A finished job on disk: four images, some answers, an output manifest."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage()
        self.inputs = JobInputs(ObjectUri.parse(str(folder / "inputs")))
        self.output = ObjectUri.parse(str(folder / "output"))
        self.refs = [f"s3://b/사진 {number}.jpg" for number in range(4)]
        rows = "".join(json.dumps({"source-ref": ref, "page": 3}) + "\n" for ref in self.refs)
        self.storage.write(self.inputs.manifest, rows.encode())

    def write_output(self, *lines: dict[str, Any] | bytes, to: ObjectUri | None = None) -> None:
        content = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        self.storage.write(
            (to or self.output) / "manifests/output/output.manifest", b"\n".join(content) + b"\n"
        )

    def answer(
        self, row: int, *workers: tuple[str, int], name: str = "t.json", to: ObjectUri | None = None
    ) -> None:
        answers = [
            {
                "workerId": worker,
                "answerContent": {"boundingBox": {"boundingBoxes": [BOX | {"label": "pen"}] * boxes}},
                "submissionTime": "2026-01-01T00:00:00.000Z",
            }
            for worker, boxes in workers
        ]
        uri = (to or self.output) / f"annotations/worker-response/iteration-1/{row}/{name}"
        self.storage.write(uri, json.dumps({"answers": answers}).encode())

    def collect(self) -> Any:
        folder = JobFolder(self.storage, self.output)
        return collect_answers(self.storage, "job-1", CATEGORIES, [folder], self.inputs)

    def collect_attempts(self, *outputs: ObjectUri, completed: bool = True) -> Any:
        folders = [JobFolder(self.storage, output) for output in outputs]
        return collect_answers(self.storage, "job-1", CATEGORIES, folders, self.inputs, completed=completed)

    def labeled(self, number: int, *class_ids: int, **metadata: Any) -> dict[str, Any]:
        boxes = [BOX | {"class_id": class_id} for class_id in class_ids]
        return {
            "source-ref": self.refs[number],
            "boxes": {"image_size": [{"width": 640, "height": 480, "depth": 3}], "annotations": boxes},
            "boxes-metadata": {
                "type": "groundtruth/object-detection",
                "objects": [{"confidence": 0.5}] * len(boxes),
                "class-map": {},
                **metadata,
            },
        }


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_what_became_of_each_image(job: Job) -> None:
    job.write_output(
        job.labeled(0, 1, 0),
        job.labeled(1),
        job.labeled(2, **{"failure-reason": "timed out"}),
        {"source-ref": job.refs[3]},
    )
    job.answer(0, ("w1", 2), ("w2", 0))
    job.answer(0, ("w1", 1), name="u.json")
    job.answer(1, ("w2", 0))
    collected = job.collect()
    assert (
        collected.images,
        collected.labeled,
        collected.negative,
        collected.failed,
        collected.unlabeled,
    ) == (
        4,
        1,
        1,
        1,
        1,
    )
    assert (collected.answers, collected.boxes, collected.problems) == (3, 3, ())
    tables = read_job_tables(job.storage, job.inputs)
    assert list(tables.objects["source_ref"]) == job.refs
    assert list(tables.objects["status"]) == ["labeled", "negative", "failed", "unlabeled"]
    assert list(tables.objects["answers"]) == [2, 1, 0, 0]
    assert tables.objects["reason"][2] == "boxes failed: timed out"
    assert list(tables.objects["width"][:2]) == [640, 640]
    assert tables.objects["width"][2:].isna().all()
    answers = tables.answers
    assert list(zip(answers["worker"], answers["box"], strict=True)) == [
        ("w1", 0),
        ("w1", 1),
        ("w2", -1),
        ("w1", 0),
        ("w2", -1),
    ]
    assert list(answers["category"].fillna("")) == ["pen", "pen", "", "pen", ""]
    assert set(answers["job"]) == {"job-1"}
    assert list(tables.consolidated["category"]) == ["pen", "pencil"]
    assert list(tables.consolidated["score"]) == [0.5, 0.5]


def test_collecting_again_gives_the_same_bytes(job: Job) -> None:
    job.write_output(job.labeled(0, 1))
    job.answer(0, ("w1", 1))
    first = job.collect()
    files = [
        job.storage.read(uri) for uri in (job.inputs.answers, job.inputs.objects, job.inputs.consolidated)
    ]
    assert job.collect() == first
    assert files == [
        job.storage.read(uri) for uri in (job.inputs.answers, job.inputs.objects, job.inputs.consolidated)
    ]


def test_images_that_the_output_skips_are_unlabeled(job: Job) -> None:
    job.write_output(job.labeled(1, 0))
    collected = job.collect()
    assert (collected.images, collected.labeled, collected.unlabeled) == (4, 1, 3)
    objects = read_job_tables(job.storage, job.inputs).objects
    assert objects["reason"][0] == "is not in the job's output manifest"


def test_problems_are_collected_and_nothing_else_is_lost(job: Job) -> None:
    job.write_output(job.labeled(0, 0), b"{broken", job.labeled(0, 1), job.labeled(2, 1))
    job.answer(0, ("w1", 1))
    job.answer(7, ("w1", 1))
    job.storage.write(job.output / "annotations/worker-response/iteration-1/2/t.json", b"{broken")
    collected = job.collect()
    assert (collected.labeled, collected.unlabeled) == (2, 2)
    assert len(collected.problems) == 4
    text = "\n".join(collected.problems)
    assert "answers about row 7, the manifest has 4 rows" in text
    assert "iteration-1/2/t.json is not a worker response" in text
    assert "output.manifest:2: is not a JSON object" in text
    assert "output.manifest:3 (s3://b/사진 0.jpg): line 1 has the same source-ref" in text


def test_class_that_the_job_never_had_keeps_its_own_name(job: Job) -> None:
    job.write_output(job.labeled(0, 7, **{"class-map": {"7": "marker"}}))
    job.collect()
    assert list(read_job_tables(job.storage, job.inputs).consolidated["category"]) == ["marker"]


def test_an_image_of_another_job(job: Job) -> None:
    job.write_output(job.labeled(0) | {"source-ref": "s3://b/other.jpg"})
    with pytest.raises(
        RoundError, match=r"'job-1' labeled s3://b/other.jpg, which its input manifest does not"
    ):
        job.collect()


def test_job_without_output(job: Job) -> None:
    with pytest.raises(StorageError, match=r"output.manifest does not exist"):
        job.collect()
    with pytest.raises(StorageError, match=r"answers.parquet does not exist"):
        read_job_tables(job.storage, job.inputs)


class TestAttempts:
    """A job that failed or was stopped, and went on in further attempts: nothing of the first is lost."""

    @pytest.fixture
    def second(self, job: Job) -> ObjectUri:
        """The output folder of the second attempt, of whose images the first one labeled two."""
        first = [job.labeled(0, 0), {"source-ref": job.refs[1]}, job.labeled(2), {"source-ref": job.refs[3]}]
        job.write_output(*first)
        job.answer(0, ("a", 1), ("b", 1))
        job.answer(1, ("a", 2))  # the others had not answered when the job was stopped
        job.answer(2, ("a", 0), ("b", 0))
        return ObjectUri.parse(f"{job.output}-a2")

    def test_all_answers_count(self, job: Job, second: ObjectUri) -> None:
        job.write_output(
            job.labeled(0, 0), job.labeled(1, 1), job.labeled(2), job.labeled(3, 0, 1), to=second
        )
        job.answer(1, ("a", 1), ("c", 1), to=second)
        job.answer(3, ("b", 2), ("c", 2), to=second)
        collected = job.collect_attempts(job.output, second)
        assert (collected.labeled, collected.negative, collected.unlabeled) == (3, 1, 0)
        answers = read_job_tables(job.storage, job.inputs).answers
        boxes = answers[answers["box"] >= 0].groupby(["source_ref", "worker"]).size().to_dict()
        assert boxes == {
            (job.refs[0], "a"): 1,
            (job.refs[0], "b"): 1,
            (job.refs[1], "a"): 1,  # the later answer of the same worker
            (job.refs[1], "c"): 1,
            (job.refs[3], "b"): 2,
            (job.refs[3], "c"): 2,
        }
        assert collected.answers == 8

    def test_what_an_earlier_attempt_labeled_stays_labeled(self, job: Job, second: ObjectUri) -> None:
        """The second attempt's manifest leaves out the rows that were labeled before, or is unfinished."""
        job.write_output(job.labeled(1, 1), job.labeled(3, 0), to=second)
        job.answer(3, ("c", 1), to=second)
        collected = job.collect_attempts(job.output, second)
        tables = read_job_tables(job.storage, job.inputs)
        assert list(tables.objects["status"]) == ["labeled", "labeled", "negative", "labeled"]
        assert sorted(tables.consolidated["source_ref"]) == [job.refs[0], job.refs[1], job.refs[3]]
        assert (collected.labeled, collected.negative, collected.unlabeled) == (3, 1, 0)

    def test_the_later_label_counts_and_a_later_failure_takes_none_away(
        self, job: Job, second: ObjectUri
    ) -> None:
        failed = {"failure-reason": "timed out"}
        job.write_output(
            job.labeled(0, 1, 1),
            job.labeled(1, **failed),
            job.labeled(2, **failed),
            job.labeled(3),
            to=second,
        )
        job.collect_attempts(job.output, second)
        tables = read_job_tables(job.storage, job.inputs)
        assert list(tables.objects["status"]) == ["labeled", "failed", "negative", "negative"]
        assert list(tables.consolidated["category"]) == ["pen", "pen"]

    def test_rows_are_those_of_the_manifest_the_attempt_was_given(self, job: Job) -> None:
        """It is the output manifest of the attempt before, and that one had left rows out."""
        second = ObjectUri.parse(f"{job.output}-a2")
        third = ObjectUri.parse(f"{job.output}-a3")
        job.write_output({"source-ref": job.refs[1]}, b"{broken", {"source-ref": job.refs[3]})
        job.answer(2, ("c", 1), to=second)  # it failed before it had an output manifest of its own
        job.answer(1, ("d", 1), to=third)
        job.answer(0, ("d", 1), to=third)
        job.write_output(job.labeled(3, 0), to=third)
        collected = job.collect_attempts(job.output, second, third)
        answers = read_job_tables(job.storage, job.inputs).answers
        assert set(zip(answers["worker"], answers["source_ref"], strict=True)) == {
            ("c", job.refs[3]),
            ("d", job.refs[1]),
        }
        assert [problem for problem in collected.problems if "answers about" in problem] == [
            f"{third}: answers about row 1, whose line nobody can read"
        ]
        assert (collected.labeled, collected.unlabeled) == (1, 3)

    def test_what_a_failed_job_left_is_taken(self, job: Job, second: ObjectUri) -> None:
        """Its task was marked as success: the second attempt failed before it had any output."""
        collected = job.collect_attempts(job.output, second, completed=False)
        assert (collected.labeled, collected.negative, collected.unlabeled) == (1, 1, 2)
        assert collected.answers == 5

    def test_a_job_that_left_nothing(self, job: Job) -> None:
        collected = job.collect_attempts(job.output, completed=False)
        assert (collected.images, collected.unlabeled) == (4, 4)
        assert job.collect_attempts(job.output, completed=False) == collected

    def test_a_completed_job_without_output_is_an_error(self, job: Job, second: ObjectUri) -> None:
        with pytest.raises(StorageError, match="output-a2"):
            job.collect_attempts(job.output, second)
