from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from roundtruth.annotations import AGREEMENT, ANSWERS, LABELS, table, to_parquet
from roundtruth.errors import CategoryError
from roundtruth.project import Project
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.plan import plan_round
from roundtruth.stages.merged_tables import merge_tables
from roundtruth.storage import Storage
from tests.project_samples import make_project
from tests.sandbox_job import put_images
from tests.store import storage

__all__ = ["storage"]

BOX: dict[str, object] = {"left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0, "score": 0.9}
Rows = list[dict[str, object]]


@dataclass(frozen=True, kw_only=True)
class MergedTables:
    labels: pd.DataFrame
    images: pd.DataFrame


class Round:
    """A planned round of two images, pencils asked for in job 1, pens in job 2; tables made by hand."""

    def __init__(self, storage: Storage, project: Project, images: list[str]) -> None:
        plan = plan_round(storage, project, "r1")
        assert plan is not None
        self.storage, self.project, self.plan, self.images = storage, project, plan, images
        self.folder = round_folder(project, "r1")

    def collected(self, job: int, statuses: list[str], answers: list[int], boxes: Rows) -> None:
        name = self.plan.jobs[job].name
        inputs = self.folder.job(name)
        objects: Rows = [
            {
                "source_ref": ref,
                "status": status,
                "reason": "" if status == "labeled" else status,
                "answers": count,
            }
            for ref, status, count in zip(self.images, statuses, answers, strict=True)
        ]
        consolidated: Rows = [{**BOX, "job": name, **box} for box in boxes]
        self.storage.write(inputs.objects, to_parquet(table(objects, OBJECTS), OBJECTS))
        self.storage.write(inputs.answers, to_parquet(table([], ANSWERS), ANSWERS))
        self.storage.write(inputs.consolidated, to_parquet(table(consolidated, LABELS), LABELS))

    def merged(self, labels: Rows, disputed: dict[str, str]) -> MergedTables:
        said = table([{**BOX, **label} for label in labels], LABELS)
        agreed: Rows = [
            {
                "source_ref": ref,
                "answers": 3,
                "agreement": 0.8,
                "disputed": ref in disputed,
                "reason": disputed.get(ref, ""),
            }
            for ref in self.images
        ]
        self.storage.write(self.folder.stage("consensus-labels.parquet"), to_parquet(said, LABELS))
        self.storage.write(
            self.folder.stage("agreement.parquet"), to_parquet(table(agreed, AGREEMENT), AGREEMENT)
        )
        labels: list[pd.DataFrame] = []
        images = merge_tables(
            self.storage, self.project, self.folder, self.plan, self.plan.jobs, write=labels.append
        )
        return MergedTables(labels=pd.concat(labels, ignore_index=True), images=images)


@pytest.fixture
def made(storage: Storage, s3_client: Any, bucket: str) -> Round:
    project = make_project(root=f"s3://{bucket}", labeling__max_categories_per_job=1, aliases={"biro": "pen"})
    return Round(storage, project, put_images(s3_client, bucket, 2))


def statuses(tables: MergedTables) -> list[str]:
    return list(tables.images.sort_values("source_ref")["status"])


def boxes(labels: pd.DataFrame) -> list[tuple[str, str]]:
    return [
        (ref[-5], category) for ref, category in zip(labels["source_ref"], labels["category"], strict=True)
    ]


def test_boxes_of_both_jobs(made: Round) -> None:
    one, two = made.images
    pencils, pens = (job.name for job in made.plan.jobs)
    made.collected(0, ["labeled", "negative"], [3, 3], [])
    made.collected(1, ["labeled", "negative"], [3, 3], [])
    found = made.merged(
        [
            {"source_ref": one, "category": "pencil", "job": pencils},
            {"source_ref": one, "category": " pen", "job": pens},
        ],
        {},
    )
    assert boxes(found.labels) == [("0", "pen"), ("0", "pencil")]
    assert statuses(found) == ["labeled", "negative"]
    assert two not in set(found.labels["source_ref"])


def test_status_follows_the_boxes_that_people_agree_on(made: Round) -> None:
    made.collected(0, ["labeled", "negative"], [3, 3], [])
    made.collected(1, ["negative", "negative"], [3, 3], [])
    label = {"source_ref": made.images[1], "category": "pencil", "job": made.plan.jobs[0].name}
    assert statuses(made.merged([label], {})) == ["negative", "labeled"]


def test_an_image_that_one_job_did_not_answer_is_incomplete(made: Round) -> None:
    made.collected(0, ["labeled", "labeled"], [3, 3], [])
    made.collected(1, ["failed", "unlabeled"], [0, 0], [])
    found = made.merged(
        [{"source_ref": made.images[0], "category": "pencil", "job": made.plan.jobs[0].name}], {}
    )
    assert statuses(found) == ["failed", "unlabeled"]
    assert list(found.images["reason"]) == ["failed", "unlabeled"]


def test_disputed_images_keep_the_reason(made: Round) -> None:
    made.collected(0, ["labeled", "labeled"], [3, 3], [])
    made.collected(1, ["labeled", "failed"], [3, 0], [])
    found = made.merged([], dict.fromkeys(made.images, "1 missing"))
    # An image that failed is not disputed: nobody has seen all of it.
    assert statuses(found) == ["disputed", "failed"]
    assert list(found.images["reason"]) == ["1 missing", "failed"]


def test_a_model_s_boxes_count_where_no_person_answered_that_job(made: Round) -> None:
    one, two = made.images
    both: Rows = [{"source_ref": one, "category": "pen"}, {"source_ref": two, "category": "pen"}]
    # Image 0 was auto-labeled for pens, image 1 was drawn by people; people drew pencils on both.
    made.collected(0, ["labeled", "labeled"], [3, 3], [{"source_ref": one, "category": "pencil"}])
    made.collected(1, ["labeled", "labeled"], [0, 3], both)
    label = {"source_ref": one, "category": "pencil", "job": made.plan.jobs[0].name}
    found = made.merged([label], {})
    assert boxes(found.labels) == [("0", "pen"), ("0", "pencil")]
    assert statuses(found) == ["labeled", "negative"]


def test_a_category_that_no_job_asked_for(made: Round) -> None:
    made.collected(0, ["labeled", "labeled"], [3, 3], [])
    made.collected(1, ["labeled", "labeled"], [3, 3], [])
    label = {"source_ref": made.images[0], "category": "marker", "job": made.plan.jobs[0].name}
    with pytest.raises(CategoryError, match="has no category 'marker'"):
        made.merged([label], {})


def test_ground_truth_s_own_box_stands_beside_ours(made: Round) -> None:
    one, two = made.images
    pencils, pens = (job.name for job in made.plan.jobs)
    made.collected(
        0, ["labeled", "labeled"], [3, 3], [{"source_ref": one, "category": "pencil", "left": 1.5}]
    )
    # Another job's box, and one that its job did not list.
    made.collected(1, ["labeled", "labeled"], [3, 3], [{"source_ref": two, "category": "", "left": 1.0}])
    found = made.merged(
        [
            {"source_ref": one, "category": "pencil", "job": pencils},
            {"source_ref": two, "category": " pen", "job": pens},
            {"source_ref": two, "category": "pencil", "job": pencils},
        ],
        {},
    )
    labels = found.labels.set_index(found.labels["source_ref"].str[-5] + found.labels["category"])
    place = [f"ground_truth_{name}" for name in ("left", "top", "width", "height")]
    assert labels.loc["0pencil", place].tolist() == [1.5, 2.0, 3.0, 4.0]
    assert labels.loc["0pencil", "ground_truth_category"] == "pencil"
    assert labels.loc["0pencil", "ground_truth_iou"] == pytest.approx(2.5 / 3.5)
    assert (labels.loc["1pen", "ground_truth_category"], labels.loc["1pen", "ground_truth_iou"]) == ("", 1.0)
    assert labels.loc["1pencil", [*place, "ground_truth_iou"]].isna().all()
