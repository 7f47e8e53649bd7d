"""Finished jobs become a round: what counts of one job, and of several."""

from __future__ import annotations

import pytest

from roundtruth.datasets.assemble import PARTIAL, assemble_candidate
from roundtruth.errors import RoundError
from roundtruth.rounds.history import read_history
from roundtruth.rounds.relabel import round_jobs
from roundtruth.stages import labeling_round
from roundtruth.stages.answered_images import drawn_sizes
from roundtruth.stages.round_import import job_sources, moved_images, read_jobs
from roundtruth.storage import ObjectUri, Storage
from tests.finished_jobs import failure, label, put_job
from tests.imported_rounds import (
    ERASER,
    KEY,
    OLD,
    PEN,
    PEN_MOVED,
    PENCIL,
    THREE,
    boxes_of,
    chain,
    image,
    imported,
    statuses,
    table_of,
)
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


# --- one job


def test_workers_answers_are_fused_and_ground_truth_s_boxes_stand_where_there_are_none(
    storage: Storage,
) -> None:
    rows = [image(storage, name) | label("boxes", "base", [PEN]) for name in "ab"]
    rows.append(image(storage, "c") | label("boxes", "base", []))
    given = {worker: [PEN, PENCIL] for worker in ("w1", "w2", "w3")}
    record = imported(storage, put_job(storage, "s3://jobs/base", rows, answers={0: given}))
    # Three people drew the pencil too, which the consolidated label of the image lacks.
    assert boxes_of(storage, "a") == [PEN, PENCIL]
    assert boxes_of(storage, "b") == [PEN]
    assert record.counts == {"labeled": 2, "negative": 1}
    assert record.answers == 3
    assert record.imported_from == ("s3://jobs/base",)
    (job,) = record.jobs
    assert (job.name, job.label_attribute, job.output_uri) == ("base", "boxes", "s3://jobs/base")
    assert (job.categories, job.images, job.workers, job.labels_from) == (("pencil", "pen"), 3, 3, "both")


def test_ground_truth_s_boxes_on_request_also_where_answers_are(storage: Storage) -> None:
    row = image(storage, "a") | label("boxes", "base", [PEN])
    folder = put_job(storage, "s3://jobs/base", [row], answers={0: {"w1": [PENCIL], "w2": [], "w3": [PEN]}})
    record = imported(storage, *job_sources([folder], answers=False))
    assert boxes_of(storage, "a") == [PEN]
    assert (record.counts, record.answers) == ({"labeled": 1}, 0)
    assert record.jobs[0].labels_from == "consolidated"
    with pytest.raises(RoundError, match="or the other kind of labels; import it under another key"):
        read_jobs(storage, make_project(), KEY, job_sources([folder]))


def test_failed_and_unlabeled_rows_are_carried_over_and_negatives_are_not(storage: Storage) -> None:
    rows = [
        image(storage, "good") | label("boxes", "base", [PEN]),
        image(storage, "nothing") | label("boxes", "base", []),
        image(storage, "failed") | failure("boxes", "base"),
        image(storage, "unlabeled"),
    ]
    imported(storage, put_job(storage, "s3://jobs/base", rows))
    assert statuses(storage) == {
        "good": "labeled",
        "nothing": "negative",
        "failed": "failed",
        "unlabeled": "unlabeled",
    }
    reasons = table_of(storage, "images").set_index("source_ref")["reason"]
    assert reasons[f"{OLD}/failed.png"] == "boxes failed: the worker template failed"
    assert reasons[f"{OLD}/unlabeled.png"] == "has no boxes"
    history = read_history(storage, make_project())
    assert {ref.rpartition("/")[2] for ref, _ in history.carried_over} == {"failed.png", "unlabeled.png"}


def test_lines_nobody_can_use_are_told_and_take_nothing_away(storage: Storage) -> None:
    first = image(storage, "a") | label("boxes", "base", [PEN])
    folder = put_job(storage, "s3://jobs/base", [first, {"page": 1}, first])
    content = storage.read(ObjectUri.parse(f"{folder}/manifests/output/output.manifest"))
    storage.write(ObjectUri.parse(f"{folder}/manifests/output/output.manifest"), content + b"not json\n")
    found = read_jobs(storage, make_project(), KEY, job_sources([folder]))
    manifest = f"{folder}/manifests/output/output.manifest"
    assert [problem.removeprefix(manifest) for problem in found["problems"]] == [
        ":2: has no source-ref",
        f":3 ({OLD}/a.png): line 1 has the same source-ref; the first one counts",
        found["problems"][2].removeprefix(manifest),
    ]
    assert ":4: is not a JSON object" in found["problems"][2]
    assert found["images"] == 1


def test_images_that_are_gone_or_elsewhere(storage: Storage) -> None:
    rows = [
        image(storage, "here") | label("boxes", "base", [PEN]),
        {"source-ref": f"{OLD}/gone.png"} | label("boxes", "base", [PEN]),
        {"source-ref": "https://old.example/x.png"} | label("boxes", "base", [PEN]),
        {"source-ref": "s3://older/deep/er/moved.png"} | label("boxes", "base", [PEN]),
    ]
    put_blank(storage, "s3://some-bucket/boxes/images/old/er/moved.png")
    folder = put_job(storage, "s3://jobs/base", rows)
    moved = moved_images(["s3://older/=s3://nowhere/", "s3://older/deep/=s3://some-bucket/boxes/images/old/"])
    record = imported(storage, folder, moved=moved)
    assert record.counts == {"labeled": 2, "unreadable": 2}
    images = table_of(storage, "images").set_index("source_ref")
    assert images.loc["s3://some-bucket/boxes/images/old/er/moved.png", "status"] == "labeled"
    assert "where it was copied to, --moved says" in images.loc[f"{OLD}/gone.png", "reason"]
    assert "is no s3:// URI" in images.loc["https://old.example/x.png", "reason"]


def test_sizes_are_those_of_the_stored_image_and_drawn_ones_are_compared(storage: Storage) -> None:
    rows = [image(storage, "a") | label("boxes", "base", [PEN], size=(640, 480))]
    imported(storage, put_job(storage, "s3://jobs/base", rows))
    images = table_of(storage, "images")
    assert (images["width"][0], images["height"][0]) == (320, 240)
    folder, plan = labeling_round._planned(storage, make_project(), KEY)
    drawn = drawn_sizes(storage, folder, round_jobs(storage, folder, plan))
    # The gate quarantines an image whose boxes were drawn at another size (size_as_drawn).
    assert drawn.to_dict("records") == [{"source_ref": f"{OLD}/a.png", "width": 640, "height": 480}]


# --- several jobs


def test_jobs_over_other_images_stand_side_by_side(storage: Storage) -> None:
    one = put_job(storage, "s3://jobs/one", [image(storage, "a") | label("boxes", "one", [PEN])])
    other = put_job(storage, "s3://jobs/other", [image(storage, "b") | label("boxes", "other", [PENCIL])])
    record = imported(storage, other, one)
    assert record.counts == {"labeled": 2}
    assert [job.name for job in record.jobs] == ["one", "other"]


def test_jobs_that_asked_for_other_things_add_up(storage: Storage) -> None:
    """Also where both stand as two attributes in one file."""
    project = make_project(categories=list(THREE))
    line = (
        image(storage, "a") | label("boxes", "one", [PEN]) | label("more", "two", [ERASER], categories=THREE)
    )
    lone = image(storage, "b") | label("boxes", "one", [PENCIL])
    folder = put_job(storage, "s3://jobs/two", [line, lone], categories=None)
    # Without a list of its own, a job is known to have asked for what it used.
    record = imported(storage, folder, project=project)
    assert boxes_of(storage, "a", project=project) == [ERASER, PEN]
    # Nobody looked for erasers on the other image: it waits for them.
    assert statuses(storage, project=project) == {"a": "labeled", "b": "unlabeled"}
    assert {job.name: job.categories for job in record.jobs} == {"one": ("pen", "pencil"), "two": ("eraser",)}


@pytest.mark.parametrize("partial_labels", ["wait", "publish"])
def test_what_a_job_never_asked_for_is_unknown_on_its_images_alone(
    storage: Storage, partial_labels: str
) -> None:
    """Two jobs with other categories over other images, imported as one round."""
    project = make_project(categories=list(THREE), dataset__partial_labels=partial_labels)
    all_three = image(storage, "a") | label("boxes", "all", [PEN], categories=THREE)
    no_eraser = image(storage, "b") | label("boxes", "two", [PENCIL])
    imported(
        storage,
        put_job(storage, "s3://jobs/all", [all_three], categories=THREE),
        put_job(storage, "s3://jobs/two", [no_eraser]),
        project=project,
    )
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    unknown = {ref: list(ids) for ref, ids in candidate.images[["source_ref", "unknown"]].to_numpy()}
    if partial_labels == "wait":
        assert unknown == {f"{OLD}/a.png": []}
        assert [(one.reason, one.source_ref) for one in candidate.left_out] == [(PARTIAL, f"{OLD}/b.png")]
    else:
        assert unknown == {f"{OLD}/a.png": [], f"{OLD}/b.png": [2]}


def test_an_import_stands_where_its_key_says_whenever_it_is_recorded(storage: Storage) -> None:
    """Years of labeling that are imported after newer rounds take nothing from them."""
    rows = [image(storage, name) for name in "ab"]
    new = put_job(storage, "s3://jobs/new", [rows[0] | label("boxes", "new", [PEN])])
    imported(storage, new, key="2025-01-10")
    old_rows = [row | label("boxes", "old", [PENCIL]) for row in rows]
    imported(storage, put_job(storage, "s3://jobs/old", old_rows), key="2025-1-2")
    candidate = assemble_candidate(storage, make_project())
    assert candidate is not None
    assert candidate.rounds == ("2025-1-2", "2025-01-10")
    found = zip(candidate.labels["source_ref"], candidate.labels["category"], strict=True)
    assert list(found) == [(f"{OLD}/a.png", "pen"), (f"{OLD}/b.png", "pencil")]


def test_of_jobs_that_asked_for_the_same_the_newest_label_counts(storage: Storage) -> None:
    rows = [image(storage, name) for name in "ab"]
    old = [row | label("boxes", "old", [PEN], day=1) for row in rows]
    new = [rows[0] | label("again", "new", [PENCIL], day=9), rows[1] | failure("again", "new")]
    record = imported(
        storage, put_job(storage, "s3://jobs/a-new", new), put_job(storage, "s3://jobs/b-old", old)
    )
    assert boxes_of(storage, "a") == [PENCIL]
    # The newer job failed on it, which takes nothing away from the label that is there.
    assert boxes_of(storage, "b") == [PEN]
    assert record.counts == {"labeled": 2}
    found = read_jobs(storage, make_project(), KEY, job_sources(["s3://jobs/a-new/", "s3://jobs/b-old"]))
    assert {job["name"]: job["superseded"] for job in found["jobs"]} == {"new": 0, "old": 1}


def test_answers_of_independent_jobs_are_fused(storage: Storage) -> None:
    row = image(storage, "a")
    one = put_job(
        storage,
        "s3://jobs/one",
        [row | label("boxes", "one", [PEN])],
        answers={0: {"w1": [PEN], "w2": [PEN]}},
    )
    two = put_job(
        storage,
        "s3://jobs/two",
        [row | label("boxes", "two", [PEN], day=5)],
        answers={0: {"w3": [PEN], "w4": [PEN]}},
    )
    record = imported(storage, one, two)
    assert record.answers == 4
    assert table_of(storage, "labels")["votes"].tolist() == [4]


@pytest.mark.parametrize("adjusted_answers", [True, False], ids=["with answers", "manifest alone"])
def test_an_adjustment_replaces_what_it_adjusted(storage: Storage, adjusted_answers: bool) -> None:
    one, two = chain(storage, adjusted_answers=adjusted_answers)
    record = imported(storage, one, two)
    assert boxes_of(storage, "a") == [PEN_MOVED]
    assert boxes_of(storage, "b") == [PEN]
    # Not among the adjusted ones: its three answers stand.
    assert boxes_of(storage, "c") == [PEN]
    assert record.counts == {"labeled": 3}
    # Who adjusts a box has seen it: the answer is never mixed with those of the base job.
    assert record.answers == (2 if adjusted_answers else 0) + 3
    assert [(job.name, job.images) for job in record.jobs] == [("adjust", 2), ("base", 1)]


def test_a_chain_in_one_file(storage: Storage) -> None:
    """The chained job's manifest repeats what the base job wrote; its folder holds its own answers alone."""
    _, two = chain(storage)
    record = imported(storage, two)
    assert boxes_of(storage, "a") == [PEN_MOVED]
    assert boxes_of(storage, "c") == [PEN]
    assert record.answers == 2
    assert [(job.name, job.labels_from) for job in record.jobs] == [
        ("adjust", "answers"),
        ("base", "consolidated"),
    ]


def test_an_adjustment_of_an_adjustment(storage: Storage) -> None:
    moved_again = ("pen", 30, 40, 40, 50)
    status = {"adjustment-status": "adjusted"}
    line = (
        image(storage, "a")
        | label("boxes", "base", [PEN])
        | label("second", "fix-2", [moved_again], day=20, **status)
        | label("first", "fix-1", [PEN_MOVED], day=10, **status)
    )
    imported(storage, put_job(storage, "s3://jobs/fix-2", [line]))
    assert boxes_of(storage, "a") == [moved_again]


def test_two_job_names_under_one_attribute(storage: Storage) -> None:
    """A job chained with the same attribute labels what the first one left: a file then holds both names."""
    rows = [
        image(storage, "a") | label("boxes", "First", [PEN]),
        image(storage, "b") | label("boxes", "second", [PENCIL]),
        image(storage, "c"),
    ]
    folder = put_job(storage, "s3://jobs/second", rows, answers={1: {"w1": [PENCIL]}})
    record = imported(storage, folder)
    assert [(job.name, job.images, job.labels_from) for job in record.jobs] == [
        ("first", 2, "consolidated"),
        ("second", 1, "answers"),
    ]
    assert statuses(storage) == {"a": "labeled", "b": "labeled", "c": "unlabeled"}


def test_jobs_of_the_same_name_are_kept_apart(storage: Storage) -> None:
    one = put_job(storage, "s3://jobs/one", [image(storage, "a") | label("first", "dummy", [PEN])])
    two = put_job(storage, "s3://jobs/two", [image(storage, "b") | label("second", "dummy", [PEN])])
    record = imported(storage, one, two)
    assert [(job.name, job.label_attribute) for job in record.jobs] == [
        ("dummy", "first"),
        ("dummy-2", "second"),
    ]
