"""The rounds of a list: whatever the order in which files come, and with few requests."""

from __future__ import annotations

import threading

import pytest

from roundtruth.errors import StorageError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.project_rounds import (
    FOLDERS_SECONDS,
    RESTING_SECONDS,
    SUMMARY_SECONDS,
    ProjectRounds,
)
from roundtruth.overviews.round_summaries import summary_uri, update_summaries
from tests.labeling_ui.rounds_in_s3 import write_plan, write_recorded
from tests.memory_store import memory_storage
from tests.project_samples import make_project

PENS = make_project()


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


class Counted:
    """How many requests a storage was asked for."""

    def __init__(self, storage, monkeypatch):
        self.requests = 0
        for name in ("read_if_there", "head", "list_folders"):
            monkeypatch.setattr(storage, name, self._counting(getattr(storage, name)))

    def _counting(self, call):
        def counted(*arguments):
            self.requests += 1
            return call(*arguments)

        return counted


@pytest.fixture
def storage():
    return memory_storage()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rounds(storage, clock):
    """What runs in the background runs at once here."""
    return ProjectRounds(EtagCache(storage), PENS, clock, lambda action: action())


def shown(listed):
    return {one.key: ("R" if one.recorded else "") + ("O" if one.open else "") for one in listed}


@pytest.mark.parametrize("summarized", [True, False], ids=["with summary.json", "of an earlier roundtruth"])
def test_recorded_and_open_rounds_the_newest_first(storage, rounds, summarized):
    write_recorded(storage, PENS, "2026-11-02")
    write_recorded(storage, PENS, "2026-11-09")
    write_plan(storage, PENS, "2026-11-16", images=30, jobs=2)
    storage.write(PENS.root_uri / "rounds/2026-11-23/known-images.tsv", b"")
    if summarized:
        update_summaries(storage, PENS)
    listed = rounds.read({}, {})
    assert shown(listed) == {"2026-11-23": "O", "2026-11-16": "O", "2026-11-09": "R", "2026-11-02": "R"}
    assert list(shown(listed))[0] == "2026-11-23"  # noqa: RUF015
    empty, planned = listed[0].open, listed[1].open
    assert not empty.is_planned
    assert (planned.images, len(planned.jobs), planned.labeling_usd) == (30, 2, 2.4)
    assert planned.most_usd == pytest.approx(3.6)


def test_a_run_of_a_recorded_round_opens_it_only_with_another_attempt(storage, rounds, clock):
    write_recorded(storage, PENS, "a")
    run = {"a": "run-2"}
    assert shown(rounds.read(run, run)) == {"a": "R"}
    clock.seconds += SUMMARY_SECONDS + 1
    storage.write(PENS.root_uri / "rounds/a/attempt-2.json", b'{"attempt": 2, "run": "run-2"}')
    [found] = rounds.read(run, run)
    assert shown([found]) == {"a": "RO"}
    assert [job.name for job in found.open.jobs] == ["pens-a-1-a2"]


def test_a_round_that_is_recorded_meanwhile_shows_it_when_its_run_is_over(storage, rounds, clock):
    write_plan(storage, PENS, "a")
    assert shown(rounds.read({"a": 1}, {"a": "running"})) == {"a": "O"}
    write_recorded(storage, PENS, "a")
    clock.seconds += SUMMARY_SECONDS + 1
    assert shown(rounds.read({}, {"a": "success"})) == {"a": "R"}


def test_a_list_that_is_looked_at_again_at_once_asks_nothing(storage, rounds, clock, monkeypatch):
    for number in range(40):
        write_recorded(storage, PENS, f"r-{number}")
    write_plan(storage, PENS, "open")
    update_summaries(storage, PENS)
    counted = Counted(storage, monkeypatch)
    first = rounds.read({}, {})
    assert counted.requests <= 9, "the folders, the summaries, the versions, the open round: not each round"
    counted.requests = 0
    assert rounds.read({}, {}) == first
    assert counted.requests == 0
    clock.seconds += SUMMARY_SECONDS + 1
    assert rounds.read({}, {}) == first
    assert counted.requests == 1, "the summary's ETag"


def test_rounds_that_rest_without_images_are_not_asked_for_each_time(storage, rounds, clock, monkeypatch):
    """A schedule opens one a day, whether images came or not."""
    for number in range(50):
        storage.write(PENS.root_uri / f"rounds/r-{number}/known-images.tsv", b"")
    rounds.read({}, {})
    counted = Counted(storage, monkeypatch)
    clock.seconds += SUMMARY_SECONDS + 1
    rounds.read({}, {})
    assert counted.requests == 1
    clock.seconds += RESTING_SECONDS + 1
    rounds.read({}, {})
    assert counted.requests >= 50, "somebody may have planned them by the command line"


def test_a_summary_that_others_wrote_counts_at_the_next_look(storage, rounds, clock):
    write_recorded(storage, PENS, "a", agreement=0.5)
    update_summaries(storage, PENS)
    rounds.read({}, {})
    write_recorded(storage, PENS, "a", agreement=0.75)
    update_summaries(storage, PENS, changed=["a"])
    clock.seconds += SUMMARY_SECONDS + 1
    [found] = rounds.read({}, {})
    assert found.recorded.agreement == 0.75


def test_nobody_waits_for_the_folders_a_second_time(storage, clock):
    """The names come in the background; what is recorded or runs is there at once all the same."""
    waiting = []
    rounds = ProjectRounds(EtagCache(storage), PENS, clock, waiting.append)
    write_recorded(storage, PENS, "a")
    assert shown(rounds.read({}, {})) == {"a": "R"}
    write_recorded(storage, PENS, "b")
    write_recorded(storage, PENS, "c")
    update_summaries(storage, PENS, changed=["b"])
    storage.write(PENS.root_uri / "rounds/by-hand/known-images.tsv", b"")
    clock.seconds += SUMMARY_SECONDS + 1
    running = {"d": "run"}
    at_once = {"a": "R", "b": "R", "c": "R", "d": "O"}
    assert shown(rounds.read(running, running)) == at_once
    assert shown(rounds.read(running, running)) == at_once
    assert len(waiting) == 1, "asked for once"
    waiting.pop()()
    assert shown(rounds.read(running, running)) == at_once | {"by-hand": "O"}
    clock.seconds += FOLDERS_SECONDS + 1
    rounds.read(running, running)
    assert len(waiting) == 1


def test_with_a_summary_not_even_the_first_look_waits_for_the_folders(storage, clock):
    waiting = []
    rounds = ProjectRounds(EtagCache(storage), PENS, clock, waiting.append)
    write_recorded(storage, PENS, "a")
    update_summaries(storage, PENS)
    write_plan(storage, PENS, "failed")
    assert shown(rounds.read({}, {})) == {"a": "R"}
    assert not rounds.is_complete
    waiting.pop()()
    assert shown(rounds.read({}, {})) == {"a": "R", "failed": "O"}
    assert rounds.is_complete


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "planned"])
def test_of_many_rounds_without_a_summary_the_first_look_reads_the_newest(
    storage, clock, monkeypatch, recorded
):
    """As after an update from an earlier roundtruth: minutes of requests, which nobody waits for."""
    monkeypatch.setattr("roundtruth.overviews.project_rounds.FIRST_READ", 4)
    keys = [f"2026-11-{day:02}" for day in range(1, 15)]
    for key in keys:
        (write_recorded if recorded else write_plan)(storage, PENS, key)
    later = []
    rounds = ProjectRounds(EtagCache(storage), PENS, clock, later.append)
    assert list(shown(rounds.read({}, {}))) == keys[:-5:-1]
    assert not rounds.is_complete
    assert list(shown(rounds.read({}, {}, at_once={keys[0]}))) == [*keys[:-5:-1], keys[0]], "who asks for it"
    counted = Counted(storage, monkeypatch)
    assert len(rounds.read({"2026-11-02": 1}, {})) == 6, "one that runs is read at once"
    assert counted.requests < 12, "while the others are being read nobody else reads them, too"
    [action] = later
    action()
    assert list(shown(rounds.read({}, {}))) == keys[::-1]
    assert rounds.is_complete
    assert set(shown(rounds.read({}, {})).values()) == {"R" if recorded else "O"}
    assert later == [action]


def test_what_fails_in_the_background_is_begun_again(storage, clock, monkeypatch):
    monkeypatch.setattr("roundtruth.overviews.project_rounds.FIRST_READ", 2)
    for day in range(1, 6):
        write_plan(storage, PENS, f"2026-11-0{day}")
    later = []
    rounds = ProjectRounds(EtagCache(storage), PENS, clock, later.append)
    assert len(rounds.read({}, {})) == 2
    with monkeypatch.context() as patch:
        patch.setattr(storage, "read_if_there", lambda uri: (_ for _ in ()).throw(StorageError("no answer")))
        with pytest.raises(StorageError):
            later.pop()()
    assert len(rounds.read({}, {})) == 4
    later.pop()()
    assert len(rounds.read({}, {})) == 5


def test_rounds_whose_folders_are_gone_leave_the_list(storage, rounds, clock):
    for key in ("a", "b"):
        write_recorded(storage, PENS, key)
    update_summaries(storage, PENS)
    rounds.read({}, {})
    for found in list(storage.list_objects(PENS.root_uri / "rounds/a")):
        storage.delete(found.uri)
    clock.seconds += FOLDERS_SECONDS + 1
    rounds.read({}, {})
    assert shown(rounds.read({}, {})) == {"b": "R"}


def test_without_a_summary_the_list_is_the_same(storage, rounds, clock):
    write_recorded(storage, PENS, "a")
    update_summaries(storage, PENS)
    first = rounds.read({}, {})
    storage.delete(summary_uri(PENS))
    clock.seconds += SUMMARY_SECONDS + 1
    assert rounds.read({}, {}) == first


@pytest.mark.parametrize("content", [b"", b"{}", b"{not json", b"\xff"], ids=repr)
@pytest.mark.parametrize("name", ["plan.json", "round.json", "attempt-2.json"])
def test_a_round_with_a_broken_file_says_so_and_hides_no_other(storage, rounds, name, content):
    write_recorded(storage, PENS, "a")
    write_plan(storage, PENS, "b")
    write_plan(storage, PENS, "broken")
    storage.write(PENS.root_uri / f"rounds/broken/{name}", content)
    listed = {one.key: one for one in rounds.read({}, {})}
    assert shown(listed.values()) == {"a": "R", "b": "O", "broken": "O"}
    assert [key for key, one in listed.items() if one.problem] == ["broken"]
    said = "A file of round 'broken'" if name == "attempt-2.json" else name
    assert said in listed["broken"].problem
    assert "cannot be read" in listed["broken"].problem
    assert rounds.read({}, {}) == tuple(listed.values()), "also from memory"


def test_a_broken_file_that_is_restored_is_read_again(storage, rounds, clock):
    write_recorded(storage, PENS, "a")
    record = storage.read(PENS.root_uri / "rounds/a/round.json")
    storage.write(PENS.root_uri / "rounds/a/round.json", b"{")
    assert rounds.read({}, {})[0].problem
    storage.write(PENS.root_uri / "rounds/a/round.json", record)
    clock.seconds += RESTING_SECONDS + 1
    rounds.read({}, {})
    [found] = rounds.read({}, {})
    assert (shown([found]), found.problem) == ({"a": "R"}, "")


def test_a_run_that_failed_before_its_first_file_is_listed(storage, rounds):
    write_recorded(storage, PENS, "a")
    [failed, _] = rounds.read({}, {"b": "failed"}, failed={"b"})
    assert (failed.key, failed.recorded, failed.open.is_planned) == ("b", None, False)


def test_rounds_that_rest_are_asked_again_in_the_background(storage, clock, monkeypatch):
    waiting = []
    rounds = ProjectRounds(EtagCache(storage), PENS, clock, waiting.append)
    for number in range(50):
        storage.write(PENS.root_uri / f"rounds/r-{number}/known-images.tsv", b"")
    first = rounds.read({}, {})
    waiting.clear()
    write_plan(storage, PENS, "r-7")
    counted = Counted(storage, monkeypatch)
    clock.seconds += RESTING_SECONDS + 1
    assert rounds.read({}, {}) == first
    assert rounds.read({}, {}) == first
    assert counted.requests <= 2, "the summary, the folders; not one a round"
    for action in waiting:
        action()
    assert {one.key for one in rounds.read({}, {}) if one.open.is_planned} == {"r-7"}


def test_who_comes_while_another_reads_is_shown_the_rows_of_before(storage, clock, monkeypatch):
    """S3 may take its time: one request waits for it, the others do not stand in line behind it."""
    rounds = ProjectRounds(EtagCache(storage), PENS, clock, lambda action: action())
    write_recorded(storage, PENS, "a")
    first = rounds.read({}, {})
    reads, answers = threading.Event(), threading.Event()
    read = storage.head

    def slow(uri):
        reads.set()
        assert answers.wait(30)
        return read(uri)

    monkeypatch.setattr(storage, "read_if_there", lambda uri: slow(uri) and None)
    clock.seconds += SUMMARY_SECONDS + 1
    another = threading.Thread(target=rounds.read, args=({}, {}))
    another.start()
    try:
        assert reads.wait(10)
        assert rounds.read({}, {}, patience=0.05) is first
    finally:
        answers.set()
        another.join()


def test_before_there_are_any_rows_nobody_waits_without_end(storage, monkeypatch):
    monkeypatch.setattr("roundtruth.overviews.project_rounds.MOST_PATIENCE_SECONDS", 0.05)
    rounds = ProjectRounds(EtagCache(storage), PENS)
    reads, answers = threading.Event(), threading.Event()

    def silent(uri):
        reads.set()
        answers.wait(30)

    monkeypatch.setattr(storage, "read_if_there", silent)
    another = threading.Thread(target=rounds.read, args=({}, {}))
    another.start()
    try:
        assert reads.wait(10)
        with pytest.raises(StorageError, match="S3 has not told of the rounds of project pens"):
            rounds.read({}, {})
    finally:
        answers.set()
        another.join()
