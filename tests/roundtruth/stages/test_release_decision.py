"""A person decides about a release: what the request shows, what discarding and sending back leave behind."""

from __future__ import annotations

import json

import msgspec
import pytest

from roundtruth.datasets.folder import dataset_folder
from roundtruth.project import Project
from roundtruth.quality.verdict import FailedCheck, make_verdict
from roundtruth.quality_settings import Severity
from roundtruth.rounds.folder import RoundFolder, round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.record import file_digests, read_record, record_round
from roundtruth.stages.dataset_release import assemble, publish
from roundtruth.stages.release_decision import approval_request, discard, round_warnings, send_back
from roundtruth.storage import ObjectUri, Storage
from tests.memory_store import memory_storage
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round

BOX = ("pen", 10.0, 10.0, 20.0, 20.0)
BOX_2 = ("pencil", 50.0, 10.0, 20.0, 20.0)
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


def put_verdict(storage: Storage, uri: ObjectUri, *warned: str, severity: Severity = "warning") -> None:
    failed = FailedCheck(
        check="box_side",
        severity=severity,
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


def put_attempt(storage: Storage, folder: RoundFolder, number: int) -> None:
    """A run has asked for the round to be labeled over again."""
    storage.write(folder.uri / f"attempt-{number}.json", json.dumps({"attempt": number, "run": "x"}).encode())


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
    assert "| release | box_side | warning | 1 of 9 | boxes \\| are at least 4 pixels wide |" in request
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


def test_warnings_about_new_rounds_count_too(storage: Storage, project: Project) -> None:
    refs = rounds(storage, project)
    put_verdict(storage, round_folder(project, "r1").quality, refs["b.jpg"])
    uri = candidate(storage, project)
    assert round_warnings(storage, project, uri) == ["box_side"]
    request = approval_request(storage, project, uri)
    assert "| r1 | box_side | warning | 1 of 9 |" in request
    # a version that was made of the round has been decided about
    publish(storage, project, uri)
    put_round(storage, project, "r2", {"d.jpg": [BOX]})
    put_verdict(storage, round_folder(project, "r2").quality)
    assert round_warnings(storage, project, candidate(storage, project)) == []
    # recorded anew, it is a new round
    put_round(storage, project, "r1", {"a.jpg": [BOX, BOX_2], "b.jpg": [BOX], "c.jpg": []})
    assert round_warnings(storage, project, candidate(storage, project)) == ["box_side"]


def test_a_warning_about_labels_that_were_sent_back_is_settled(storage: Storage, project: Project) -> None:
    refs = rounds(storage, project)
    put_verdict(storage, round_folder(project, "r1").quality, refs["b.jpg"])
    send_back(storage, project, candidate(storage, project))
    assert round_warnings(storage, project, candidate(storage, project)) == []
    put_round(storage, project, "r2", {"b.jpg": [BOX_2]})
    assert round_warnings(storage, project, candidate(storage, project)) == []


def test_what_is_only_told_sends_nothing_back(storage: Storage, project: Project) -> None:
    refs = rounds(storage, project)
    uri = candidate(storage, project)
    put_verdict(storage, round_folder(project, "r1").quality, refs["b.jpg"], severity="info")
    put_verdict(storage, ObjectUri.parse(uri) / "quality.json", refs["a.jpg"], severity="info")
    assert round_warnings(storage, project, uri) == []
    assert send_back(storage, project, uri)["images"] == 0


def test_a_discarded_candidate_is_not_asked_about_again(storage: Storage, project: Project) -> None:
    rounds(storage, project)
    uri = candidate(storage, project)
    decided = discard(storage, project, uri, why="Wrong camera", by="Ada")
    assert json.loads(storage.read(ObjectUri.parse(decided["decision_uri"]))) == {
        "decision": "discarded",
        "why": "Wrong camera",
        "by": "Ada",
    }
    assert discard(storage, project, uri) == decided, "the task may run twice"
    assert assemble(storage, project) is None
    for found in list(storage.list_objects(dataset_folder(project).uri / "candidates")):
        storage.delete(found.uri)  # the bucket's lifecycle rule
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


def test_labels_of_a_newer_round_do_not_go_back_for_a_check_of_an_older_one(
    storage: Storage, project: Project
) -> None:
    refs = rounds(storage, project)
    put_verdict(storage, round_folder(project, "r1").quality, refs["a.jpg"], refs["b.jpg"])
    put_round(storage, project, "r2", {"b.jpg": [BOX_2]})
    assert send_back(storage, project, candidate(storage, project))["images"] == 1
    assert {ref for ref, _ in read_history(storage, project).carried_over} == {refs["a.jpg"]}


def test_a_round_made_anew_while_a_person_thinks_changes_nothing_of_the_question(
    storage: Storage, project: Project
) -> None:
    refs = rounds(storage, project)
    folder = round_folder(project, "r1")
    put_verdict(storage, folder.quality, refs["b.jpg"])
    record_files(storage, folder, folder.quality, folder.consensus)
    uri = candidate(storage, project)
    before = approval_request(storage, project, uri)
    put_verdict(storage, folder.quality, refs["a.jpg"], severity="critical")
    storage.write(folder.consensus, json.dumps(REPORT | {"disputed_images": []}).encode())
    assert approval_request(storage, project, uri) == before
    record_files(storage, folder, folder.quality, folder.consensus)  # and it is recorded, too
    assert approval_request(storage, project, uri) == before
    assert round_warnings(storage, project, uri) == ["box_side"]
    send_back(storage, project, uri)
    assert {ref for ref, _ in read_history(storage, project).carried_over} == {refs["b.jpg"]}


def record_files(storage: Storage, folder: RoundFolder, *files: ObjectUri) -> None:
    """Record a round again, with these files of its folder."""
    record = read_record(storage, folder)
    assert record is not None
    digests = record.files | file_digests(storage, {uri.name: uri for uri in files})
    record_round(storage, folder, msgspec.structs.replace(record, files=digests))


@pytest.mark.parametrize("earlier", [1, 2], ids=["the first attempt", "a later attempt"])
def test_an_attempt_at_its_own_round_brings_an_image_back(
    storage: Storage, project: Project, earlier: int
) -> None:
    refs = put_round(storage, project, "r1", {"a.jpg": [BOX], "b.jpg": [BOX]}, attempt=earlier)
    folder = round_folder(project, "r1")
    for number in range(2, earlier + 1):
        put_attempt(storage, folder, number)
    send_back(storage, project, candidate(storage, project, refs["a.jpg"]))
    assert publish(storage, project, candidate(storage, project))["images"] == 1
    # made again from the same answers: nobody has labeled it since, and no attempt is under way
    put_round(storage, project, "r1", {"a.jpg": [BOX], "b.jpg": []}, attempt=earlier)
    assert publish(storage, project, candidate(storage, project))["images"] == 1
    assert {ref for ref, _ in read_history(storage, project).carried_over} == {refs["a.jpg"]}
    # an attempt labels the whole round over again: no other round takes the image meanwhile
    put_attempt(storage, folder, earlier + 1)
    assert read_history(storage, project).carried_over == frozenset()
    put_round(storage, project, "r1", {"a.jpg": [BOX, BOX_2], "b.jpg": []}, attempt=earlier + 1)
    assert read_history(storage, project).carried_over == frozenset()
    after = publish(storage, project, candidate(storage, project))
    assert (after["images"], after["boxes"]) == (2, 2)


def test_what_an_attempt_gave_can_be_sent_back_too(storage: Storage, project: Project) -> None:
    refs = put_round(storage, project, "r1", {"a.jpg": [BOX], "b.jpg": [BOX]})
    send_back(storage, project, candidate(storage, project, refs["a.jpg"]))
    put_attempt(storage, round_folder(project, "r1"), 2)
    put_round(storage, project, "r1", {"a.jpg": [BOX_2], "b.jpg": [BOX]}, attempt=2)
    again = candidate(storage, project, refs["a.jpg"])
    # a third attempt is recorded while a person thinks about labels of the second
    put_attempt(storage, round_folder(project, "r1"), 3)
    put_round(storage, project, "r1", {"a.jpg": [BOX, BOX_2], "b.jpg": [BOX]}, attempt=3)
    send_back(storage, project, again)
    assert read_history(storage, project).carried_over == frozenset()
    assert publish(storage, project, candidate(storage, project))["images"] == 2
