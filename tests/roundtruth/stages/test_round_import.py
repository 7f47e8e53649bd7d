"""Finished jobs become rounds: what counts of several jobs, and every folder of the real data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, IMAGES, LABELS, from_parquet
from roundtruth.datasets.assemble import PARTIAL, assemble_candidate
from roundtruth.datasets.class_registry import register_classes
from roundtruth.datasets.folder import dataset_folder
from roundtruth.errors import CategoryError, RoundError
from roundtruth.project import Project
from roundtruth.rounds.folder import round_folder
from roundtruth.rounds.history import read_history
from roundtruth.rounds.imports.sources import JobSource, described_job
from roundtruth.rounds.plan import plan_round
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.rounds.relabel import round_jobs
from roundtruth.stages import labeling_round
from roundtruth.stages.answered_images import drawn_sizes
from roundtruth.stages.round_import import job_sources, moved_images, read_jobs
from roundtruth.storage import ObjectUri, Storage
from tests.finished_jobs import failure, label, put_job
from tests.memory_store import memory_storage, put_blank
from tests.project_samples import make_project
from tests.real_data import REAL, needs_real
from tests.round_runs import etags, finish_without_checks

PEN = ("pen", 10, 20, 40, 50)
PEN_MOVED = ("pen", 14, 22, 40, 50)
PENCIL = ("pencil", 150, 30, 60, 20)
ERASER = ("eraser", 200, 150, 40, 40)
THREE = ("pencil", "pen", "eraser")
OLD = "s3://old-bucket/photos"  # where the images of years ago lie: not the project's bucket
KEY = "2024-03-01"


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


def image(storage: Storage, name: str) -> dict[str, Any]:
    """A line about an image of the old bucket."""
    return {"source-ref": put_blank(storage, f"{OLD}/{name}.png")}


def imported(
    storage: Storage, *jobs: str | JobSource, key: str = KEY, project: Project | None = None, **options: Any
) -> RoundRecord:
    """Import jobs and record the round, without the quality gate (Great Expectations takes seconds)."""
    project = project or make_project()
    sources = [JobSource(uri=job) if isinstance(job, str) else job for job in jobs]
    read_jobs(storage, project, key, sources, **options)
    assert labeling_round.measure(storage, project, key, relabel_pass=0) == []
    labeling_round.merge(storage, project, key)
    finish_without_checks(storage, project, key)
    record = read_record(storage, round_folder(project, key))
    assert record is not None
    assert record.spent_usd == 0
    assert record.imported
    return record


def table_of(storage: Storage, name: str, project: Project | None = None, key: str = KEY) -> pd.DataFrame:
    folder = round_folder(project or make_project(), key)
    schema = {"labels": LABELS, "images": IMAGES, "answers": ANSWERS}[name]
    return from_parquet(storage.read(getattr(folder, name)), schema, name=name)


def boxes_of(storage: Storage, name: str, **where: Any) -> list[tuple[Any, ...]]:
    labels = table_of(storage, "labels", **where)
    of_image = labels[labels["source_ref"] == f"{OLD}/{name}.png"]
    columns = of_image[["category", "left", "top", "width", "height"]].round(6)
    return sorted(columns.itertuples(index=False, name=None))


def statuses(storage: Storage, **where: Any) -> dict[str, str]:
    images = table_of(storage, "images", **where)
    names = [str(ref).rpartition("/")[2].removesuffix(".png") for ref in images["source_ref"]]
    return dict(zip(names, images["status"], strict=True))


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


def chain(storage: Storage, *, adjusted_answers: bool = True) -> tuple[str, str]:
    """A job of three workers, and an adjustment job of one worker over two of its three images."""
    images = [image(storage, name) for name in "abc"]
    base = [row | label("boxes", "base", [PEN]) for row in images]
    three = {worker: [PEN] for worker in ("w1", "w2", "w3")}
    one = put_job(storage, "s3://jobs/base", base, answers=dict.fromkeys(range(3), three))
    changed = label("better", "adjust", [PEN_MOVED], day=8, **{"adjustment-status": "adjusted"})
    same = label("better", "adjust", [PEN], day=8, **{"adjustment-status": "unadjusted"})
    two = put_job(
        storage,
        "s3://jobs/adjust",
        [base[0] | changed, base[1] | same, base[2]],
        answers={0: {"w9": [PEN_MOVED]}, 1: {"w9": [PEN]}} if adjusted_answers else None,
    )
    return one, two


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


# --- every folder of the real data

FORMS = [
    *("Agreement Effective Date", "APR - Balance Transfers", "APR - Cash Advances", "APR - General"),
    *("APR - Introductory", "APR - Penalty", "APR - Purchases", "Card Name", "Fee - Annual"),
    *("Fee - Balance Transfer", "Fee - Foreign Transaction", "Fee - Late Payment", "Fee - Other"),
    *(
        "Fee - Returned Payment",
        "Local Terms",
        "Min Payment Calculation",
        "Provider Address",
        "Provider Name",
    ),
]


def put_real_images(storage: Storage, folder: Path) -> None:
    """Blank images where the manifests of a folder say that theirs lie; of the size that they say."""
    for manifest in sorted(folder.rglob("*put.manifest")):
        for line in manifest.read_bytes().splitlines():
            row = json.loads(line)
            sizes = [
                value["image_size"][0]
                for value in row.values()
                if isinstance(value, dict) and "image_size" in value
            ]
            size = (sizes[0]["width"], sizes[0]["height"]) if sizes else (1280, 720)
            put_blank(storage, row["source-ref"], *size)


@needs_real
@pytest.mark.parametrize(
    ("folder", "jobs", "categories", "counts", "boxes", "answers"),
    [
        pytest.param(
            "cigars",
            ["."],
            ["Arturo Fuente", "Davidoff"],
            {"labeled": 23, "negative": 9},
            54,
            0,
            id="cigars",
        ),
        pytest.param("birds-5-workers", ["."], ["Bird"], {"labeled": 100}, 192, 0, id="birds-5-workers"),
        pytest.param(
            "forms-two-jobs",
            ["job-1", "job-2"],
            FORMS,
            {"labeled": 94, "negative": 6},
            1108,
            0,
            id="forms-two-jobs",
        ),
    ],
)
def test_real_manifests_become_rounds(
    storage: Storage,
    folder: str,
    jobs: list[str],
    categories: list[str],
    counts: dict[str, int],
    boxes: int,
    answers: int,
) -> None:
    put_real_images(storage, REAL / folder)
    project = make_project(categories=categories)
    record = imported(storage, *(str(REAL / folder / job) for job in jobs), project=project)
    assert (record.counts, record.boxes, record.answers) == (counts, boxes, answers)
    assert {job.labels_from for job in record.jobs} == {"consolidated"}
    assert len(table_of(storage, "labels", project)) == boxes


@needs_real
def test_real_answers_of_7_workers_become_a_round(storage: Storage) -> None:
    put_real_images(storage, REAL / "pedestrians-7-workers")
    project = make_project(categories=["pedestrian"])
    record = imported(storage, str(REAL / "pedestrians-7-workers"), project=project)
    assert record.images == 727
    assert record.answers == 727 * 7
    assert record.jobs[0].labels_from == "answers"
    assert set(record.counts) <= {"labeled", "negative", "disputed"}


@needs_real
def test_real_chosen_classes_are_refused(storage: Storage) -> None:
    with pytest.raises(
        RoundError, match=r"holds image-classification; project 'pens' is of task bounding-box: only jobs of"
    ):
        read_jobs(storage, make_project(), KEY, job_sources([str(REAL / "bird-classes-5-workers")]))


@needs_real
def test_every_folder_of_real_data_is_imported_or_refused_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    folders = [path.name for path in REAL.iterdir() if path.is_dir()]
    assert len(folders) >= 5
    assert [name for name in folders if f'"{name}"' not in text] == []
