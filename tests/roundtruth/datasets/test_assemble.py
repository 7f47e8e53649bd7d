from __future__ import annotations

from typing import Any

import pytest

from roundtruth.annotations import DISPUTED, FAILED
from roundtruth.datasets.assemble import GONE, PARTIAL, assemble_candidate
from roundtruth.datasets.candidate import Candidate, read_candidate, write_candidate
from roundtruth.datasets.publish import publish_version
from roundtruth.errors import CategoryError, DatasetError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.datasets.recorded_rounds import jpeg, project_in, put_round, storage_of

PEN = ("pen", 10.0, 10.0, 20.0, 30.0)
PENCIL = ("pencil", 50.0, 5.0, 40.5, 12.25)


@pytest.fixture
def storage(sandbox: Any) -> Storage:
    return storage_of(sandbox.endpoint_url)


def assembled(storage: Storage, project: Project) -> Candidate:
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    return candidate


def boxes_of(candidate: Candidate, ref: str) -> list[tuple[Any, ...]]:
    of_image = candidate.labels[candidate.labels["source_ref"] == ref]
    return list(of_image[["class_id", "left", "top", "width", "height"]].itertuples(index=False, name=None))


def test_without_a_recorded_round_there_is_nothing(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    storage.write(round_folder(project, "2026-01-05").plan, b"{}")  # a round that still runs
    assert assemble_candidate(storage, project) is None


def test_the_newest_round_with_publishable_labels_wins(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    refs = put_round(storage, project, "2026-01-05", {"a.jpg": [PEN], "b.jpg": [PEN], "c.jpg": [PENCIL]})
    put_round(
        storage,
        project,
        "2026-01-12",
        {"a.jpg": [PENCIL], "b.jpg": [], "c.jpg": [PEN], "d.jpg": [PEN]},
        statuses={"c.jpg": DISPUTED, "d.jpg": FAILED},
    )
    candidate = assembled(storage, project)
    assert list(candidate.images["source_ref"]) == sorted(refs.values())
    assert boxes_of(candidate, refs["a.jpg"]) == [(0, *PENCIL[1:])]
    assert boxes_of(candidate, refs["b.jpg"]) == []
    assert boxes_of(candidate, refs["c.jpg"]) == [(0, *PENCIL[1:])]
    assert candidate.rounds == ("2026-01-05", "2026-01-12")


def test_round_10_is_newer_than_round_2(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    for key, box in (("demo-2", PEN), ("demo-10", PENCIL)):
        refs = put_round(storage, project, key, {"a.jpg": [box]})
    candidate = assembled(storage, project)
    assert candidate.rounds == ("demo-2", "demo-10")
    assert boxes_of(candidate, refs["a.jpg"]) == [(0, *PENCIL[1:])]


def test_a_candidate_comes_back_from_s3_with_the_same_digests(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", {"a.jpg": [PEN], "사진 #1.jpg": []})
    candidate = assembled(storage, project)
    back = read_candidate(storage, write_candidate(storage, project, candidate))
    assert (back.digest, back.claim) == (candidate.digest, candidate.claim)
    assert assembled(storage, project).claim == candidate.claim


def test_a_round_that_was_changed_after_it_was_recorded_is_refused(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", {"a.jpg": [PEN]})
    folder = round_folder(project, "2026-01-05")
    before = assembled(storage, project).claim
    storage.write(folder.labels, b"of a rebuild")
    assert assembled(storage, project).claim == before, "what was recorded counts"
    for found in list(storage.list_objects(folder.uri / "recorded")):
        if found.uri.name == "labels.parquet":
            storage.write(found.uri, storage.read(found.uri) + b"x")
    with pytest.raises(DatasetError, match=r"labels\.parquet is not what .*round\.json says"):
        assemble_candidate(storage, project)


def test_aliases_and_retired_categories(storage: Storage, bucket: str) -> None:
    before = project_in(bucket, categories=["biro", "pencil", "crayon"])
    boxes = {"a.jpg": [("biro", 1.0, 1.0, 9.0, 9.0), PENCIL], "b.jpg": [("crayon", 1.0, 1.0, 9.0, 9.0)]}
    refs = put_round(storage, before, "2026-01-05", boxes, categories=before.categories)
    publish_version(storage, before, assembled(storage, before))
    after = project_in(bucket, categories=["pencil", "pen"], aliases={"biro": "pen"})
    candidate = assembled(storage, after)
    assert candidate.classes == ("biro", "pencil", "crayon", "pen")
    assert boxes_of(candidate, refs["a.jpg"]) == [(1, *PENCIL[1:]), (3, 1.0, 1.0, 9.0, 9.0)]
    assert boxes_of(candidate, refs["b.jpg"]) == []
    assert candidate.repairs.retired == 1


def test_a_category_that_nobody_lists_is_an_error(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    put_round(storage, project, "2026-01-05", {"a.jpg": [("marker", 1.0, 1.0, 9.0, 9.0)]})
    with pytest.raises(CategoryError, match="marker"):
        assemble_candidate(storage, project)


@pytest.mark.parametrize("partial_labels", ["wait", "publish"])
def test_a_class_that_no_job_asked_for_is_unknown(storage: Storage, bucket: str, partial_labels: str) -> None:
    dataset = {"name": "pens", "partial_labels": partial_labels}
    project = project_in(bucket, dataset=dataset)
    refs = put_round(storage, project, "2026-01-05", {"a.jpg": [PEN]}, categories=["pen"])
    refs |= put_round(storage, project, "2026-01-12", {"b.jpg": [PEN]})
    candidate = assembled(storage, project)
    unknown = {
        ref: list(ids)
        for ref, ids in zip(candidate.images["source_ref"], candidate.images["unknown"], strict=True)
    }
    if partial_labels == "wait":
        assert unknown == {refs["b.jpg"]: []}
        assert [(one.reason, one.source_ref) for one in candidate.left_out] == [(PARTIAL, refs["a.jpg"])]
    else:
        assert unknown == {refs["a.jpg"]: [0], refs["b.jpg"]: []}
        assert candidate.left_out == ()


def test_boxes_are_cleaned_and_counted(storage: Storage, bucket: str) -> None:
    project = project_in(bucket)
    boxes = [PEN, PEN, ("pen", 90.0, 70.0, 50.0, 50.0), ("pen", 200.0, 0.0, 5.0, 5.0)]
    refs = put_round(storage, project, "2026-01-05", {"a.jpg": boxes})
    candidate = assembled(storage, project)
    assert boxes_of(candidate, refs["a.jpg"]) == [(1, *PEN[1:]), (1, 90.0, 70.0, 10.0, 10.0)]
    assert (candidate.repairs.clipped, candidate.repairs.outside, candidate.repairs.duplicates) == (1, 1, 1)


def test_replaced_and_deleted_images_wait_and_a_new_round_takes_them_back(
    storage: Storage, bucket: str
) -> None:
    project = project_in(bucket)
    refs = put_round(storage, project, "2026-01-05", {"a.jpg": [PEN], "b.jpg": [PEN], "c.jpg": []})
    storage.write(ObjectUri.parse(refs["a.jpg"]), jpeg(100, 80, color=(9, 9, 9)))
    storage.delete(ObjectUri.parse(refs["b.jpg"]))
    candidate = assembled(storage, project)
    assert list(candidate.images["source_ref"]) == [refs["c.jpg"]]
    assert [one.reason for one in candidate.left_out] == [GONE, GONE]
    put_round(storage, project, "2026-01-12", {"a.jpg": [PENCIL]})
    assert boxes_of(assembled(storage, project), refs["a.jpg"]) == [(0, *PENCIL[1:])]
