"""Finished jobs become a round: their categories, importing again, and what is no job of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roundtruth.datasets.class_registry import register_classes
from roundtruth.datasets.folder import dataset_folder
from roundtruth.errors import CategoryError, RoundError
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.imports.sources import JobSource, described_job
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.record import read_record
from roundtruth.stages import labeling_round
from roundtruth.stages.round_import import job_sources, moved_images, read_jobs
from roundtruth.storage import ObjectUri, Storage
from tests.finished_jobs import failure, label, put_job
from tests.imported_rounds import (
    ERASER,
    KEY,
    PEN,
    PENCIL,
    THREE,
    boxes_of,
    chain,
    image,
    imported,
)
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project
from tests.round_runs import etags, finish_without_checks


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


# --- categories


def test_categories_come_to_the_project_s_names(storage: Storage) -> None:
    project = make_project(aliases={"biro": "pen"})
    categories = ("pencil ", "biro")
    boxes = [("biro", *PEN[1:]), ("pencil ", *PENCIL[1:])]
    row = image(storage, "a") | label("boxes", "old", boxes, categories=categories)
    given = dict.fromkeys(("w1", "w2"), boxes)
    folder = put_job(storage, "s3://jobs/old", [row], answers={0: given}, categories=categories)
    record = imported(storage, folder, project=project)
    assert record.jobs[0].categories == ("pencil", "pen")
    assert boxes_of(storage, "a", project=project) == [PEN, PENCIL]


def test_a_category_that_the_project_does_not_list(storage: Storage) -> None:
    row = image(storage, "a") | label("boxes", "old", [ERASER], categories=THREE)
    folder = put_job(storage, "s3://jobs/old", [row], categories=THREE)
    with pytest.raises(
        CategoryError, match=r"Job 'old' has the category 'eraser', which project 'pens' does"
    ):
        read_jobs(storage, make_project(), KEY, job_sources([folder]))
    assert not [key for key in etags(storage, "some-bucket") if key.endswith("plan.json")]


def test_a_job_that_only_found_negatives_has_to_say_what_it_asked_for(storage: Storage) -> None:
    rows = [image(storage, "a") | label("boxes", "empty", [])]
    folder = put_job(storage, "s3://jobs/empty", rows, categories=None)
    with pytest.raises(
        RoundError, match=r"Nothing in s3://jobs/empty says which categories job 'empty' asked"
    ):
        read_jobs(storage, make_project(), KEY, job_sources([folder]))
    config = json.dumps({"labels": [{"label": "pencil"}, {"label": "pen"}]}).encode()
    storage.write(ObjectUri.parse("s3://jobs/labels.json"), config)
    record = imported(storage, JobSource(uri=folder, label_categories="s3://jobs/labels.json"))
    assert record.counts == {"negative": 1}
    assert record.jobs[0].categories == ("pencil", "pen")


# --- again, and again under another key


def test_importing_again_changes_nothing(storage: Storage) -> None:
    one, two = chain(storage)
    first = imported(storage, one, two)
    before = etags(storage, "some-bucket")
    assert imported(storage, f"{two}/manifests/output/output.manifest", f"{one}/", one) == first
    written = etags(storage, "some-bucket")
    assert written.keys() == before.keys()
    record = round_folder(make_project(), KEY).record.key
    assert written[record] == before[record]


@pytest.mark.parametrize("answered", [True, False], ids=["answers", "Ground Truth's boxes"])
@pytest.mark.parametrize(
    ("written", "aliases", "later"),
    [
        ("pen", {}, {"pen": "ballpoint"}),
        ("biro", {"biro": "pen"}, {"pen": "ballpoint", "biro": "ballpoint"}),
        ("pen ", {}, {"pen": "ballpoint"}),
    ],
    ids=["plain", "by an alias before", "stray space"],
)
def test_importing_again_after_a_category_was_renamed(
    storage: Storage, written: str, aliases: dict[str, str], later: dict[str, str], answered: bool
) -> None:
    categories = ("pencil", written)
    boxes = [(written, *PEN[1:]), PENCIL]
    row = image(storage, "a") | label("boxes", "old", boxes, categories=categories)
    given = {0: dict.fromkeys(("w1", "w2"), boxes)} if answered else None
    folder = put_job(storage, "s3://jobs/old", [row], answers=given, categories=categories)
    imported(storage, folder, project=make_project(aliases=aliases))
    project = make_project(categories=["pencil", "ballpoint"], aliases=later)
    record = imported(storage, folder, project=project)
    assert boxes_of(storage, "a", project=project) == [("ballpoint", *PEN[1:]), PENCIL]
    assert record.renamed_categories == {"pen": "ballpoint"}
    # as a rebuild of any round does it: without reading the jobs again
    assert labeling_round.measure(storage, project, KEY, relabel_pass=0) == []
    labeling_round.merge(storage, project, KEY)
    finish_without_checks(storage, project, KEY)
    assert read_record(storage, round_folder(project, KEY)) == record


def test_importing_again_after_a_category_was_retired(storage: Storage) -> None:
    row = image(storage, "a") | label("boxes", "old", [PEN, ERASER], categories=THREE)
    folder = put_job(storage, "s3://jobs/old", [row], categories=THREE)
    three = make_project(categories=list(THREE))
    imported(storage, folder, project=three)
    register_classes(storage, dataset_folder(three).classes, three.categories)  # as a release does
    assert imported(storage, folder).boxes == 1
    assert boxes_of(storage, "a") == [PEN]


def test_other_jobs_under_the_same_key_are_refused(storage: Storage) -> None:
    one, two = chain(storage)
    imported(storage, one)
    with pytest.raises(
        RoundError, match=r"imported from s3://jobs/base, not from s3://jobs/adjust; import other jobs under"
    ):
        read_jobs(storage, make_project(), KEY, job_sources([two]))
    rows = [image(storage, "a") | label("boxes", "base", [PENCIL])]
    put_job(storage, one, rows)
    with pytest.raises(RoundError, match=r"from s3://jobs/base with another manifest, other label cat"):
        read_jobs(storage, make_project(), KEY, job_sources([one]))


def test_a_job_stands_in_one_round_only(storage: Storage) -> None:
    one, _ = chain(storage)
    imported(storage, one)
    with pytest.raises(
        RoundError, match=r"s3://jobs/base is in round '2024-03-01' of project 'pens' already"
    ):
        read_jobs(storage, make_project(), "2024-03-02", job_sources([one]))


def test_a_labeling_round_is_not_imported_over(storage: Storage) -> None:
    put_blank(storage, "s3://some-bucket/boxes/images/x.png")
    assert plan_round(storage, make_project(), KEY) is not None
    one, _ = chain(storage)
    with pytest.raises(
        RoundError, match=r"is a labeling round; import under another key, such as 2024-03-01-imp"
    ):
        read_jobs(storage, make_project(), KEY, job_sources([one]))


def test_nobody_labels_an_imported_round(storage: Storage) -> None:
    """A backfill over its day makes no job, and no relabel pass pays for its disputed images."""
    put_blank(storage, "s3://some-bucket/boxes/images/x.png")
    row = image(storage, "a") | label("boxes", "base", [PEN])
    given = {"w1": [PEN], "w2": [PENCIL], "w3": []}
    record = imported(storage, put_job(storage, "s3://jobs/base", [row], answers={0: given}))
    assert record.counts == {"disputed": 1}
    assert labeling_round.plan_jobs(storage, make_project(), KEY) is None
    assert labeling_round.measure(storage, make_project(), KEY, relabel_pass=0) == []
    assert not [key for key in etags(storage, "some-bucket") if "relabel" in key or "request.json" in key]


def test_imported_images_count_as_labeled(storage: Storage) -> None:
    """Images under the project's own prefix: the next round takes the new ones, and what nobody labeled."""
    inside = [put_blank(storage, f"s3://some-bucket/boxes/images/{name}.png") for name in "abc"]
    rows: list[dict[str, Any]] = [{"source-ref": ref} | label("boxes", "base", [PEN]) for ref in inside[:2]]
    rows[1] = {"source-ref": inside[1]} | failure("boxes", "base")
    imported(storage, put_job(storage, "s3://jobs/base", rows))
    plan = plan_round(storage, make_project(), "2024-03-08")
    assert plan is not None
    assert (plan.images, plan.new, plan.carried_over) == (2, 1, 1)


# --- what is no job of ours


@pytest.mark.parametrize(
    ("status", "output", "words"),
    [
        (
            "InProgress",
            "s3://b/o/j/manifests/output/output.manifest",
            "is InProgress; import it when it is over",
        ),
        ("Failed", "", "is Failed and has no output; there is nothing to import"),
    ],
)
def test_jobs_that_cannot_be_imported(status: str, output: str, words: str) -> None:
    described = {
        "LabelingJobName": "j",
        "LabelingJobStatus": status,
        "LabelingJobOutput": {"OutputDatasetS3Uri": output},
    }
    with pytest.raises(RoundError, match=words):
        described_job(described)


def test_a_described_job() -> None:
    described = {
        "LabelingJobName": "j",
        "LabelingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:labeling-job/j",
        "LabelingJobStatus": "Stopped",
        "LabelingJobOutput": {"OutputDatasetS3Uri": "s3://b/o/j/manifests/output/output.manifest"},
        "LabelCategoryConfigS3Uri": "s3://b/labels.json",
    }
    assert described_job(described) == JobSource(
        uri="s3://b/o/j/manifests/output/output.manifest",
        label_categories="s3://b/labels.json",
        job_arn="arn:aws:sagemaker:us-east-1:123456789012:labeling-job/j",
    )


def test_a_place_without_a_job(storage: Storage) -> None:
    with pytest.raises(
        RoundError, match=r"s3://jobs/none holds no manifests/output/output.manifest; give the"
    ):
        read_jobs(storage, make_project(), KEY, job_sources(["s3://jobs/none"]))
    with pytest.raises(RoundError, match="No job is named"):
        read_jobs(storage, make_project(), KEY, [])


@pytest.mark.parametrize("move", ["s3://a/", "=s3://b/", "s3://a/=/home/x"])
def test_moves_that_say_nothing(move: str) -> None:
    with pytest.raises(RoundError, match="says not what moved where"):
        moved_images([move])
