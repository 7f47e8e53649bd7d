"""A person decides about a release: what the request shows, what discarding and sending back leave behind."""

from __future__ import annotations

import json

import pytest

from roundtruth.project import Project
from roundtruth.quality.verdict import FailedCheck, make_verdict
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.stages.dataset_release import assemble, publish
from roundtruth.stages.release_decision import approval_request, discard, send_back
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round

BOX = ("pen", 10.0, 10.0, 20.0, 20.0)
REPORT = {
    "agreement": {"mean": 0.91, "krippendorff_alpha": 0.8, "pairwise_iou": None},
    "disputed_images": [{}, {}],
}


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


@pytest.fixture
def project() -> Project:
    return project_in("bucket", dataset={"name": "pens", "formats": ["yolo"], "layout": "packed"})


def candidate(storage: Storage, project: Project, *warned: str) -> str:
    """The next candidate, checked: its verdict warns about these images."""
    uri = assemble(storage, project)
    assert uri is not None
    put_verdict(storage, ObjectUri.parse(uri) / "quality.json", *warned)
    return uri


def put_verdict(storage: Storage, uri: ObjectUri, *warned: str) -> None:
    failed = FailedCheck(
        check="box_side",
        severity="warning",
        consequence="reported",
        table="dataset_labels",
        description="boxes | are at least 4 pixels wide",
        rows=9,
        failed_rows=len(warned),
        image_count=len(warned),
        images=warned,
    )
    verdict = make_verdict((failed,) if warned else (), checked_rows={}, counts={}, parameters={})
    storage.write(uri, verdict.to_json())


def rounds(storage: Storage, project: Project) -> dict[str, str]:
    refs = put_round(storage, project, "r1", {"a.jpg": [BOX], "b.jpg": [BOX], "c.jpg": []})
    storage.write(round_folder(project, "r1").consensus, json.dumps(REPORT).encode())
    return refs


def test_the_request_shows_contents_checks_and_agreement(storage: Storage, project: Project) -> None:
    refs = rounds(storage, project)
    request = approval_request(storage, project, candidate(storage, project, refs["a.jpg"]))
    assert "**3 images**" in request
    assert "1 without an object" in request
    assert "**2 boxes** of 2 classes" in request
    assert "| box_side | warning | 1 of 9 | boxes \\| are at least 4 pixels wide |" in request
    assert "| r1 | 0.91 | 0.80 | – | 2 |" in request


def test_the_request_says_what_changes_against_the_last_version(storage: Storage, project: Project) -> None:
    rounds(storage, project)
    publish(storage, project, candidate(storage, project))
    put_round(storage, project, "r2", {"d.jpg": [BOX]})
    request = approval_request(storage, project, candidate(storage, project))
    assert "Against v0001: 1 images added, 0 removed, 0 relabeled; 1 boxes added, 0 removed." in request
    assert "Every quality check passed." in request
    assert "| r2 | – | – | – | – |" in request
    assert "| r1 |" not in request


def test_a_discarded_candidate_is_not_asked_about_again(storage: Storage, project: Project) -> None:
    rounds(storage, project)
    uri = candidate(storage, project)
    decided = discard(storage, uri, why="Wrong camera", by="Ada")
    assert json.loads(storage.read(ObjectUri.parse(decided["decision_uri"]))) == {
        "decision": "discarded",
        "why": "Wrong camera",
        "by": "Ada",
    }
    assert discard(storage, uri) == decided, "the task may run twice"
    assert assemble(storage, project) is None
    # no label is lost: with the next round there is another candidate, of both
    put_round(storage, project, "r2", {"d.jpg": [BOX]})
    again = candidate(storage, project)
    assert again != uri
    assert publish(storage, project, again)["images"] == 4


def test_images_that_go_back_wait_for_labels_and_the_others_do_not(
    storage: Storage, project: Project
) -> None:
    refs = rounds(storage, project)
    put_verdict(storage, round_folder(project, "r1").quality, refs["b.jpg"], "s3://bucket/gone.jpg")
    sent = send_back(storage, project, candidate(storage, project, refs["a.jpg"]), why="Tiny boxes")
    assert (sent["decision"], sent["images"]) == ("sent-back", 2)
    assert {ref for ref, _ in read_history(storage, project).carried_over} == {refs["a.jpg"], refs["b.jpg"]}
    # the rest is another candidate; what went back is left out, and said so
    published = publish(storage, project, candidate(storage, project))
    assert published["images"] == 1
    # a round that labels one of them again brings it back
    put_round(storage, project, "r2", {"a.jpg": [BOX, ("pencil", 50.0, 10.0, 20.0, 20.0)]})
    assert {ref for ref, _ in read_history(storage, project).carried_over} == {refs["b.jpg"]}
    after = publish(storage, project, candidate(storage, project))
    assert (after["images"], after["boxes"]) == (2, 2)
