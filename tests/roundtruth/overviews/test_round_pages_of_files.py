"""What the pages of a round show is what lies in its folder, after each of its steps; without pandas."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, IMAGES, ROUND_LABELS, from_parquet, to_parquet
from roundtruth.consensus.pseudonyms import pseudonym
from roundtruth.errors import StorageError
from roundtruth.overviews.disputed_boxes import disputed_boxes
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.gallery import GalleryQuery, gallery_order, gallery_page, look_first, neighbours
from roundtruth.overviews.image_boxes import shown_images
from roundtruth.overviews.round_agreement import (
    agreement_histogram,
    confusion_matrix,
    workers_worst_first,
)
from roundtruth.overviews.round_files import read_round
from roundtruth.overviews.round_images import planned_image, read_images
from roundtruth.overviews.round_progress import conservation, funnel, job_progress
from roundtruth.overviews.shown_names import ShownNames, shown_names
from roundtruth.rounds.folder import rounds_folder
from tests.labeling_ui.large_round import KEY, PEOPLE, put_large_round
from tests.memory_store import memory_storage
from tests.project_samples import make_project

ROUND = "2026-11-16"
COUNT = 60


class Opened:
    """A round in memory, read as the pages read it."""

    def __init__(self, **changes):
        self.storage = memory_storage()
        self.project = make_project(**changes)
        # Without copies of what was recorded, so that tests change what is shown.
        self.folder = put_large_round(self.storage, self.project, ROUND, COUNT, thumbnails=0, copies=False)
        self.cache = EtagCache(self.storage)

    @property
    def files(self):
        return read_round(self.cache, self.folder)

    @property
    def images(self):
        return read_images(self.cache, self.files)

    @property
    def names(self):
        return shown_names(self.storage, self.project)

    def order(self, **query):
        found = gallery_order(self.cache, self.files, self.images, GalleryQuery(**query), self.names)
        return found.tolist()

    def shown(self, *numbers):
        return shown_images(self.cache, self.files, self.images, list(numbers), self.names)

    def table(self, name, schema):
        return from_parquet(self.storage.read(self.folder.uri / name), schema, name=name)

    def without(self, *names):
        """As before the steps that write these files."""
        for stored in list(self.storage.list_objects(self.folder.uri)):
            if stored.uri.key.endswith(names):
                self.storage.delete(stored.uri)
        return self

    def change_images(self, **columns):
        frame = self.table("images.parquet", IMAGES)
        for name, values in columns.items():
            frame[name] = values
        self.storage.write(self.folder.images, to_parquet(frame, IMAGES))


@pytest.fixture
def opened():
    return Opened()


# The files of a round in the order of its steps, the last one first.
RECORD = ("round.json",)
CHECKS = (*RECORD, "quality.json", "/images.parquet", "2026-11-16/labels.parquet")
MERGE = (*CHECKS, "merged-labels.parquet")
CONSENSUS = (*MERGE, "consensus.json", "agreement.parquet", "2026-11-16/answers.parquet")
COLLECT = (*CONSENSUS, "objects.parquet", "answers.parquet")
INPUTS = (*COLLECT, "request.json")


# --- images and their statuses


def test_images_are_those_of_the_table_in_the_order_of_the_plan(opened):
    images, table = opened.images, opened.table("images.parquet", IMAGES)
    assert images.final
    assert [images.source_ref(number) for number in range(COUNT)] == list(table["source_ref"])
    assert list(images.status) == list(table["status"])
    assert images.agreement.tolist() == table["agreement"].tolist()
    assert images.counts() == table["status"].value_counts().to_dict()


def test_rows_in_another_order_are_the_same_images(opened):
    before = opened.images
    frame = opened.table("images.parquet", IMAGES)
    opened.storage.write(opened.folder.images, to_parquet(frame.iloc[::-1], IMAGES))
    assert list(opened.images.status) == list(before.status)
    assert opened.images.agreement.tolist() == before.agreement.tolist()


def test_an_image_that_the_table_lacks_waits_and_the_sum_does_not_hold(opened):
    frame = opened.table("images.parquet", IMAGES)
    opened.storage.write(opened.folder.images, to_parquet(frame.iloc[1:], IMAGES))
    assert opened.images.status[0] == "waiting"
    found = conservation(opened.files, opened.images)
    assert not found.holds
    assert f"The plan holds {COUNT} images, images.parquet accounts for {COUNT - 1}." in found.problems


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        pytest.param(RECORD, {"labeled", "disputed"}, id="not recorded"),
        pytest.param(CHECKS, {"answered", "disputed"}, id="not checked"),
        pytest.param(MERGE, {"answered", "disputed"}, id="not merged"),
        pytest.param(CONSENSUS, {"answered"}, id="answers collected"),
        pytest.param(COLLECT, {"waiting"}, id="people at work"),
        pytest.param(INPUTS, {"waiting"}, id="only planned"),
    ],
)
def test_a_round_on_its_way_shows_what_is_there(opened, gone, expected):
    opened.without(*gone)
    assert set(opened.images.counts()) == expected
    assert sum(opened.images.counts().values()) == COUNT
    # every page finds something to show
    [image] = opened.shown(3)
    assert bool(image.workers) == ("waiting" not in expected)
    assert funnel(opened.images)[0].images == COUNT
    assert (conservation(opened.files, opened.images) is None) == (gone != RECORD)
    assert len(opened.order()) == COUNT
    assert look_first(opened.files, opened.images, 5)
    [job] = job_progress(opened.cache, opened.files)
    assert job.state == {INPUTS: "planned", COLLECT: "waiting"}.get(gone, "collected")


def test_a_round_without_plan_is_none(opened):
    opened.without("plan.json")
    assert opened.files is None
    assert planned_image(opened.cache, opened.folder, 0) is None


@pytest.mark.parametrize("name", ["consensus.json", "quality.json", "round.json"])
def test_a_broken_file_is_told_and_hides_no_other(opened, name):
    opened.storage.write(opened.folder.uri / name, b"{oops")
    [problem] = opened.files.problems
    assert problem.startswith(f"{name} cannot be read: ")
    assert len(opened.images) == COUNT


def test_a_refusal_of_s3_is_no_broken_file(opened, monkeypatch):
    def refuse(uri):
        raise StorageError(f"Cannot read {uri}: Access Denied.")

    monkeypatch.setattr(opened.storage, "read_if_there", refuse)
    with pytest.raises(StorageError, match="Access Denied"):
        _ = opened.files


def test_failed_and_unlabeled_objects_show_before_the_merge(opened):
    from roundtruth.rounds.collect import OBJECTS

    job = opened.files.jobs[0]
    uri = opened.folder.job(job.name).objects
    objects = from_parquet(opened.storage.read(uri), OBJECTS, name="objects")
    objects.loc[:2, "status"] = ["failed", "unlabeled", "negative"]
    opened.storage.write(uri, to_parquet(objects, OBJECTS))
    opened.without(*CONSENSUS)
    assert list(opened.images.status[:4]) == ["failed", "unlabeled", "answered", "answered"]
    [progress] = job_progress(opened.cache, opened.files)
    assert progress.counts == {"failed": 1, "unlabeled": 1, "negative": 1, "labeled": COUNT - 3}
    assert progress.done == COUNT - 2


def test_only_images_of_the_plan_have_a_number(opened):
    images = opened.images
    ref, etag = planned_image(opened.cache, opened.folder, 7)
    assert (ref, etag) == (images.source_ref(7), images.planned["etag"][7].as_py())
    assert planned_image(opened.cache, opened.folder, -1) is None
    assert planned_image(opened.cache, opened.folder, COUNT) is None
    assert images.numbers_of([ref, "s3://another-bucket/secret", ""]) == [7, None, None]


# --- funnel and conservation


def test_the_funnel_tells_what_became_of_every_image(opened):
    statuses = ["labeled"] * 40 + ["negative"] * 5 + ["disputed"] * 6 + ["quarantined"] * 4
    statuses += ["failed"] * 2 + ["unlabeled"] * 2 + ["unreadable"]
    opened.change_images(status=statuses)
    steps = funnel(opened.images)
    assert [(step.name, step.images) for step in steps] == [
        ("planned", 60),
        ("labeled", 55),
        ("agreed", 49),
        ("published", 45),
    ]
    assert [step.lost for step in steps] == [
        (),
        (("failed", 2), ("unlabeled", 2), ("unreadable", 1)),
        (("disputed", 6),),
        (("quarantined", 4),),
    ]
    found = conservation(opened.files, opened.images)
    assert (found.planned, found.published, found.quarantined, found.carried_over, found.unreadable) == (
        60,
        45,
        4,
        10,
        1,
    )
    # round.json and quality.json, made of other counts, do not fit any more
    assert not found.holds
    assert any(one.startswith("round.json counts") for one in found.problems)
    assert any(one.startswith("quality.json counts") for one in found.problems)


def test_the_sum_holds_where_all_files_say_the_same(opened):
    found = conservation(opened.files, opened.images)
    assert found.holds
    assert found.planned == found.published + found.quarantined + found.carried_over + found.unreadable


# --- gallery


def test_the_lowest_agreement_comes_first(opened):
    agreement = opened.images.agreement
    order = opened.order()
    assert sorted(order) == list(range(COUNT))
    assert [agreement[number] for number in order] == sorted(agreement)
    assert opened.order(order="highest") == order[::-1]
    assert opened.order(order="plan") == list(range(COUNT))


def test_images_without_agreement_come_last_in_either_order(opened):
    agreement = opened.images.agreement.copy()
    agreement[[4, 9]] = np.nan
    opened.change_images(agreement=agreement)
    assert opened.order()[-2:] == [4, 9]
    assert opened.order(order="highest")[-2:] == [4, 9]


def test_filters_find_what_the_tables_say(opened):
    images = opened.table("images.parquet", IMAGES)
    answers = opened.table("answers.parquet", ANSWERS)
    labels = opened.table("labels.parquet", ROUND_LABELS)
    merged = opened.table("stages/merged-labels.parquet", ROUND_LABELS)
    refs = list(images["source_ref"])
    disputed = {number for number, status in enumerate(images["status"]) if status == "disputed"}
    assert set(opened.order(status="disputed")) == disputed
    someone = answers["worker"].iloc[0]
    theirs = set(answers.loc[answers["worker"] == someone, "source_ref"])
    assert {refs[one] for one in opened.order(worker=pseudonym(someone, KEY))} == theirs
    drawn = {
        ref
        for table in (answers, labels, merged)
        for ref in table.loc[table["category"] == "pen", "source_ref"]
    }
    assert {refs[one] for one in opened.order(category="pen")} == drawn
    both = answers[(answers["worker"] == someone) & (answers["category"] == "pen")]
    found = opened.order(worker=pseudonym(someone, KEY), category="pen")
    assert {refs[one] for one in found} == set(both["source_ref"])
    assert opened.order(check="box_side") == opened.order()  # the verdict names all sixty
    assert opened.order(worker=someone) == []  # a raw id finds nobody
    assert opened.order(category="nothing") == opened.order(status="nothing") == opened.order(check="x") == []


def test_categories_are_found_by_the_project_s_name():
    opened = Opened(categories=["pencil", "pen"], aliases={"biro": "pen"})
    job = opened.files.jobs[0]
    uri = opened.folder.job(job.name).answers
    answers = from_parquet(opened.storage.read(uri), ANSWERS, name="answers")
    answers["category"] = "biro "
    opened.storage.write(uri, to_parquet(answers, ANSWERS))
    assert len(opened.order(category="pen")) == COUNT
    assert {box.category for answer in opened.shown(0)[0].workers for box in answer.boxes} == {"pen"}


def test_pages_hold_every_image_once(opened):
    order = np.array(opened.order())
    pages = [gallery_page(order, number, size=25) for number in (1, 2, 3)]
    assert [number for page in pages for number in page.numbers] == order.tolist()
    assert [(page.page, page.pages, page.found) for page in pages] == [(1, 3, 60), (2, 3, 60), (3, 3, 60)]
    assert gallery_page(order, 99, size=25).page == 3
    assert gallery_page(order, -5, size=25).page == 1
    assert gallery_page(order[:0], 1).numbers == ()


def test_neighbours_follow_the_order(opened):
    order = np.array([5, 2, 9])
    assert neighbours(order, 5) == (None, 2, 1)
    assert neighbours(order, 2) == (5, 9, 2)
    assert neighbours(order, 9) == (2, None, 3)
    assert neighbours(order, 7) == (None, None, None)


# --- boxes


def test_boxes_are_those_of_the_tables(opened):
    answers = opened.table("answers.parquet", ANSWERS)
    final = opened.table("labels.parquet", ROUND_LABELS)
    merged = opened.table("stages/merged-labels.parquet", ROUND_LABELS)
    for image in opened.shown(0, 1, 2, 3, 4, 5):
        mine = answers[answers["source_ref"] == image.source_ref]
        for answer in image.workers:
            [worker] = [one for one in PEOPLE if pseudonym(one, KEY) == answer.worker]
            assert places(answer.boxes) == places_of(mine[mine["worker"] == worker])
        assert len(image.workers) == mine["worker"].nunique()
        labels = final if image.status == "labeled" else merged
        of_image = labels[labels["source_ref"] == image.source_ref]
        assert places(image.fused) == places_of(of_image)
        assert [box.score for box in image.fused] == list(of_image["score"])
        assert places(image.ground_truth) == places_of(of_image, "ground_truth_")


def places(boxes):
    return [(box.category, box.left, box.top, box.width, box.height) for box in boxes]


def places_of(frame: pd.DataFrame, prefix: str = ""):
    columns = [f"{prefix}{name}" for name in ("category", "left", "top", "width", "height")]
    return list(frame[columns].itertuples(index=False, name=None))


def test_boxes_turn_with_the_image():
    """EXIF 6: browsers turn it by 90° clockwise, so what was at the left is at the top."""
    opened = Opened()
    plan = opened.files.plan
    uri = opened.folder.uri / plan.planned.file
    from roundtruth.rounds.planned import PLANNED

    planned = from_parquet(opened.storage.read(uri), PLANNED, name="planned")
    [before] = opened.shown(0)
    planned.loc[0, "orientation"] = 6
    opened.storage.write(uri, to_parquet(planned, PLANNED))
    opened.cache = EtagCache(opened.storage)
    [image] = opened.shown(0)
    assert (image.width, image.height) == (480, 640)
    for box, stored in zip(image.workers[0].boxes, before.workers[0].boxes, strict=True):
        assert (box.left, box.top) == (480 - stored.top - stored.height, stored.left)
        assert (box.width, box.height) == (stored.height, stored.width)


def test_an_empty_answer_is_an_answer(opened):
    job = opened.files.jobs[0]
    uri = opened.folder.job(job.name).answers
    answers = from_parquet(opened.storage.read(uri), ANSWERS, name="answers")
    nobody = answers.iloc[[0]].assign(worker="somebody", box=-1, category=None)
    nobody[["left", "top", "width", "height"]] = np.nan
    opened.storage.write(uri, to_parquet(pd.concat([answers, nobody]), ANSWERS))
    [image] = opened.shown(0)
    [empty] = [one for one in image.workers if one.worker == pseudonym("somebody", KEY)]
    assert empty.boxes == ()
    assert len(image.workers) == 4


def test_what_is_disputed_is_drawn_where_it_is(opened):
    number = opened.order(status="disputed")[0]
    [image] = opened.shown(number)
    [doubt] = disputed_boxes(opened.files.report, image)
    assert (doubt.reasons, doubt.category, doubt.left, doubt.votes) == (("extra",), "pen", 10.0, 1)
    [other] = opened.shown(opened.order(status="labeled")[0])
    assert disputed_boxes(opened.files.report, other) == ()
    assert disputed_boxes(None, image) == ()


# --- names


def test_no_raw_worker_id_leaves_the_tables(opened):
    shown = opened.shown(*range(COUNT))
    text = repr((shown, opened.files.report, job_progress(opened.cache, opened.files)))
    assert [one for one in PEOPLE if one in text] == []
    assert pseudonym(PEOPLE[0], KEY) in text


def test_without_the_key_of_the_pseudonyms_people_have_numbers(opened):
    opened.storage.delete(rounds_folder(opened.project) / "pseudonyms.key")
    [image] = opened.shown(0)
    assert [answer.worker for answer in image.workers] == ["worker 1", "worker 2", "worker 3"]
    assert ShownNames(key=None, aliases={}).workers(["b", "a", "b"]) == {"a": "worker 1", "b": "worker 2"}


# --- agreement


def test_the_histogram_counts_every_image(opened):
    agreement = opened.images.agreement.copy()
    agreement[:3] = [0.0, 1.0, np.nan]
    opened.change_images(agreement=agreement)
    found = agreement_histogram(opened.images)
    known = agreement[~np.isnan(agreement)]
    assert found.unknown == 1
    assert list(found.counts) == np.histogram(known, bins=10, range=(0, 1))[0].tolist()


def test_the_matrix_holds_every_count(opened):
    matrix = confusion_matrix(opened.files.report.agreement.confusion)
    assert matrix.names == ("pen", "pencil", "not drawn")
    assert [[cell.count for cell in row] for row in matrix.rows] == [[90, 5, 0], [0, 0, 0], [3, 0, 0]]
    assert [[cell.shade for cell in row] for row in matrix.rows] == [[10, 1, 0], [0, 0, 0], [10, 0, 0]]
    assert confusion_matrix(()) is None


def test_rare_categories_stand_together():
    from roundtruth.overviews.consensus_report import Confused

    cells = [Confused(consensus=f"c{n:02d}", worker=f"c{n:02d}", count=100 - n) for n in range(30)]
    matrix = confusion_matrix(cells)
    assert matrix.hidden == 10
    assert matrix.names[-2:] == ("other categories", "not drawn")
    assert sum(cell.count for row in matrix.rows for cell in row) == sum(cell.count for cell in cells)


def test_careless_workers_come_first(opened):
    workers = workers_worst_first(opened.files.report)
    assert [careless for _, careless in workers] == [True] + [False] * (len(PEOPLE) - 1)


# --- imports


def test_reading_a_round_imports_neither_pandas_nor_scipy():
    """Pages run in every API server: pyarrow imports pandas for itself at `pa.array` and `to_numpy`."""
    script = """
        import sys
        from obstore.store import MemoryStore
        from roundtruth.overviews import (
            disputed_boxes, gallery, image_boxes, round_agreement, round_files, round_images, round_progress,
            shown_names, thumbnail_reads,
        )
        from roundtruth.stages import round_thumbnails
        heavy = {"pandas", "scipy", "great_expectations", "boto3", "airflow"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=60)


def test_while_a_round_is_labeled_again_its_results_are_those_of_the_record(opened):
    """The steps of the next attempt write over the files in the round's folder before it is recorded."""
    before = opened.files
    images, labels = opened.images, opened.shown(*range(8))
    digest = hashlib.sha256(opened.storage.read(opened.folder.record)).hexdigest()
    for name in ("consensus.json", "quality.json", "images.parquet", "labels.parquet"):
        opened.storage.copy(opened.folder.uri / name, opened.folder.recorded(digest).uri / name)
    opened.change_images(status="disputed", agreement=0.125)
    none = opened.table("labels.parquet", ROUND_LABELS)[:0]
    opened.storage.write(opened.folder.labels, to_parquet(none, ROUND_LABELS))
    opened.storage.write(opened.folder.consensus, b'{"agreement":{"mean":0.125}}')
    opened.storage.write(opened.folder.quality, b"{half a verdict")
    after = opened.files
    assert (after.report, after.verdict, after.problems) == (before.report, before.verdict, ())
    assert opened.images.status.tolist() == images.status.tolist()
    assert opened.images.final
    assert any(one.fused for one in labels)
    assert [one.fused for one in opened.shown(*range(8))] == [one.fused for one in labels]


def test_what_a_recorded_round_names_is_asked_for_once(monkeypatch):
    """It never changes: who looks again pays for the files that may, all small, none of them a table."""
    storage, project = memory_storage(), make_project()
    folder = put_large_round(storage, project, ROUND, COUNT, thumbnails=0)
    cache, asked = EtagCache(storage), []

    def look():
        files = read_round(cache, folder)
        images, names = read_images(cache, files), shown_names(storage, project)
        job_progress(cache, files)
        return shown_images(cache, files, images, range(12), names)

    before = look()
    for name in ("read_if_there", "head"):
        original = getattr(storage, name)
        monkeypatch.setattr(
            storage,
            name,
            lambda uri, name=name, original=original: asked.append((name, uri)) or original(uri),
        )
    assert look() == before
    assert not [uri for _, uri in asked if "/recorded/" in uri.key]
    assert not [uri for name, uri in asked if name == "read_if_there" and uri.key.endswith(".parquet")]
    assert len(asked) <= 12
