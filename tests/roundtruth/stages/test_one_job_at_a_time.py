"""No stage holds more than one job's answers in memory, however many jobs a round has.

What stages do hold of a whole round, and what of it the tests below measure:
- measure: a row an image (AGREEMENT) and an entry a disputed image; all else goes to disk job by job
- merge: a row an image (OBJECTS, IMAGES); labels in spans of IMAGES_AT_ONCE images
- check: a row an image; of each label, which are read in pieces, the eleven measures that Great Expectations
  judges as one table; of each answer its worker's number and its seconds a box: a dozen bytes, for the checks
  on people are medians and shares
- record: digests and counts
"""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any

import msgspec
import pandas as pd
import pytest

from roundtruth.annotations import ANSWERS, LABELS, ROUND_LABELS, from_parquet, table, to_parquet
from roundtruth.consensus.parts import Spill
from roundtruth.errors import RoundtruthError
from roundtruth.quality.people import time_per_box
from roundtruth.rounds import collect
from roundtruth.rounds.collect import OBJECTS
from roundtruth.rounds.folder import round_folder
from roundtruth.stages import labeling_round, merged_tables
from roundtruth.stages.answered_images import answer_times
from roundtruth.stages.fused_answers import fuse_answers
from roundtruth.stages.large_tables import count_rows, read_span, written_table
from roundtruth.stages.round_parts import jobs_in_parts
from roundtruth.storage import ObjectUri, Storage
from tests.large_round import KEY, WORKERS, large_project, put_large_round
from tests.memory_store import memory_storage

JOBS, IMAGES = 4, 30


class Alive:
    """Rows of tables with a worker that are in memory, and the most there were at once."""

    def __init__(self) -> None:
        self.rows = self.most = self.tables = 0

    def count(self, data: bytes, schema: Any, *, name: str) -> pd.DataFrame:
        frame: pd.DataFrame = from_parquet(data, schema, name=name)
        if "worker" in schema.names and len(frame):
            self.tables += 1
            self.rows += len(frame)
            self.most = max(self.most, self.rows)
            weakref.finalize(frame, self._gone, len(frame))
        return frame

    def _gone(self, rows: int) -> None:
        self.rows -= rows


@pytest.fixture
def storage() -> Storage:
    return memory_storage()


def test_every_stage_holds_the_answers_of_one_job(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    project = large_project()
    plan = put_large_round(storage, project, JOBS, IMAGES)
    folder = round_folder(project, KEY)
    largest = max(count_rows(storage, folder.job(job.name).answers) for job in plan.jobs)
    alive = Alive()
    monkeypatch.setattr(collect, "from_parquet", alive.count)
    stages = {
        "measure": lambda: fuse_answers(storage, project, folder, plan, plan.jobs),
        "merge": lambda: labeling_round.merge(storage, project, KEY),
        "check": lambda: labeling_round.check(storage, project, KEY),
        "record": lambda: labeling_round.record(storage, project, KEY),
    }
    reads = {}
    for name, stage in stages.items():
        alive.tables = alive.most = 0
        stage()
        assert alive.rows == 0, f"{name} lets go of all answers"
        assert alive.most <= largest, f"{name} holds the answers of one job at most"
        reads[name] = alive.tables
    assert reads == {"measure": JOBS, "merge": 0, "check": JOBS, "record": 0}
    assert count_rows(storage, folder.answers) > 3 * largest, "together they are more"


def test_the_checks_on_people_keep_a_dozen_bytes_of_an_answer(storage: Storage) -> None:
    project = large_project()
    plan = put_large_round(storage, project, JOBS, IMAGES)
    folder = round_folder(project, KEY)
    answers = [storage.read(folder.job(job.name).answers) for job in plan.jobs]
    whole = time_per_box(pd.concat([from_parquet(data, ANSWERS, name="answers") for data in answers]))
    times = answer_times(storage, project, folder, plan.jobs)
    assert len(times) == len(whole) == JOBS * IMAGES * WORKERS
    # A number for the worker and one for the time; the pseudonyms once each.
    pseudonyms = times["worker"].cat.categories
    held = times.memory_usage(index=False, deep=True).sum() - pseudonyms.memory_usage(deep=True)
    assert held <= 12 * len(times)
    assert len(pseudonyms) == whole["worker"].nunique()
    together = times.groupby("worker", observed=True)["seconds_per_box"].median()
    apart = whole.groupby("worker")["seconds_per_box"].median()
    assert sorted(together) == sorted(apart), "the same as of all answers at once"


def test_the_tables_are_those_of_all_jobs_in_their_order(storage: Storage) -> None:
    project = large_project()
    plan = put_large_round(storage, project, 2, 10)
    folder = round_folder(project, KEY)
    fuse_answers(storage, project, folder, plan, plan.jobs)
    jobs = [storage.read(folder.job(job.name).answers) for job in plan.jobs]
    frames = [from_parquet(data, ANSWERS, name="answers") for data in jobs]
    together = from_parquet(storage.read(folder.answers), ANSWERS, name="answers")
    pd.testing.assert_frame_equal(together, pd.concat(frames, ignore_index=True))


def test_a_round_of_one_job_has_the_bytes_of_its_job(storage: Storage) -> None:
    project = large_project()
    plan = put_large_round(storage, project, 1, 10)
    folder = round_folder(project, KEY)
    fuse_answers(storage, project, folder, plan, plan.jobs)
    assert storage.read(folder.answers) == storage.read(folder.job(plan.jobs[0].name).answers)


def test_merged_in_spans_it_is_as_merged_at_once(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    project = large_project()
    plan = put_large_round(storage, project, 3, 10)
    folder = round_folder(project, KEY)
    fuse_answers(storage, project, folder, plan, plan.jobs)
    uris = [folder.stage("merged-labels.parquet"), folder.stage("merged-images.parquet")]
    labeling_round.merge(storage, project, KEY)
    at_once = [storage.read(uri) for uri in uris]
    monkeypatch.setattr(merged_tables, "IMAGES_AT_ONCE", 7)  # across the jobs' borders
    labeling_round.merge(storage, project, KEY)
    in_spans = [storage.read(uri) for uri in uris]
    assert in_spans[1] == at_once[1]
    labels, again = (from_parquet(one[0], ROUND_LABELS, name="labels") for one in (at_once, in_spans))
    assert len(labels) > 100
    pd.testing.assert_frame_equal(again, labels)
    labeling_round.merge(storage, project, KEY)
    assert [storage.read(uri) for uri in uris] == in_spans, "the same bytes every time"


def test_jobs_about_the_same_images_are_measured_together(storage: Storage) -> None:
    project = large_project()
    plan = put_large_round(storage, project, 3, 10)
    folder = round_folder(project, KEY)
    first, second, third = plan.jobs
    # A relabel job over one image of the second job; and a job that brought nothing.
    again = msgspec.structs.replace(second, name="again", relabel_pass=1)
    nothing = msgspec.structs.replace(first, name="nothing", relabel_pass=1)
    objects = from_parquet(storage.read(folder.job(second.name).objects), OBJECTS, name="objects")
    one = objects.iloc[[4]]
    storage.write(folder.job("again").objects, to_parquet(one, OBJECTS))
    gone = one.assign(status="unlabeled", answers=0)
    storage.write(folder.job("nothing").objects, to_parquet(gone, OBJECTS))
    jobs = (first, second, third, again, nothing)
    assert jobs_in_parts(storage, folder, jobs) == [(first,), (second, again), (third,), (nothing,)]
    assert jobs_in_parts(storage, folder, ()) == [()]


def test_a_table_in_pieces_is_read_by_spans(storage: Storage) -> None:
    uri = ObjectUri("some-bucket", "table.parquet")
    rows = table([{"source_ref": ref, "score": number} for number, ref in enumerate("bacdgfe")], LABELS)
    with written_table(storage, uri, LABELS) as write:
        write(rows.iloc[:4])
        write(rows.iloc[4:4])
        write(rows.iloc[4:])
    assert count_rows(storage, uri) == 7
    spans = [(None, "c"), ("c", "f"), ("f", None), (None, None)]
    found = ["".join(read_span(storage, uri, LABELS, span)["source_ref"]) for span in spans]
    assert found == ["ba", "cde", "gf", "bacdgfe"]
    for pieces in ([], [rows]):
        with written_table(storage, uri, LABELS) as write:
            for piece in pieces:
                write(piece)
        assert storage.read(uri) == to_parquet(pd.concat([rows.iloc[:0], *pieces]), LABELS)


def test_a_table_whose_pieces_fail_is_not_written(storage: Storage) -> None:
    uri = ObjectUri("some-bucket", "table.parquet")

    def half_written() -> None:
        with written_table(storage, uri, LABELS) as write:
            write(table([{"source_ref": "a"}], LABELS))
            write(pd.DataFrame({"source_ref": ["b"]}))

    with pytest.raises(RoundtruthError):
        half_written()
    assert storage.head(uri) is None


def peak_of_measure(storage: Storage, jobs: int) -> int:
    """Bytes of numpy and Python at the peak of measure, in a round of so many jobs of one size."""
    project = large_project()
    plan = put_large_round(storage, project, jobs, 150)
    folder = round_folder(project, KEY)
    gc.collect()
    tracemalloc.start()
    try:
        fuse_answers(storage, project, folder, plan, plan.jobs)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    peak_of_measure(memory_storage(), 1)  # imports and caches
    few, many = peak_of_measure(memory_storage(), 2), peak_of_measure(memory_storage(), 6)
    # What may grow is one row an image and one entry a disputed image.
    assert many < 1.3 * few
    monkeypatch.setattr(Spill, "keep", lambda self, values: list(values))
    assert peak_of_measure(memory_storage(), 6) > 2 * few, "all parts at once would show"
