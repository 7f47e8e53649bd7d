"""rounds/summary.json: equal to what the rounds' own files say, whoever writes it and whenever."""

from __future__ import annotations

import msgspec
import pytest

from roundtruth.datasets.folder import dataset_folder
from roundtruth.overviews.round_summaries import (
    RoundSummary,
    decode_summaries,
    make_summary,
    summary_uri,
    update_summaries,
)
from roundtruth.rounds.folder import RoundFolder
from tests.labeling_ui.rounds_in_s3 import write_plan, write_recorded
from tests.memory_store import memory_storage
from tests.project_samples import make_project

PENS = make_project()


@pytest.fixture
def storage():
    return memory_storage()


def stored(storage):
    return {one.round: one for one in decode_summaries(storage.read(summary_uri(PENS))).rounds}


def publish(storage, version, rounds):
    folder = dataset_folder(PENS).version(version)
    digests = {key: make_summary(storage, PENS, key).sha256 for key in rounds}
    content = {"rounds": sorted(rounds), "round_digests": digests}
    storage.write(folder.record, msgspec.json.encode(content))


def test_a_summary_says_what_the_files_say(storage):
    counts = {"labeled": 6, "negative": 1, "disputed": 2, "failed": 1}
    write_recorded(storage, PENS, "a", counts=counts, agreement=0.75, warnings=3, spent_usd=1.25)
    found = make_summary(storage, PENS, "a")
    assert msgspec.structs.replace(found, sha256="") == RoundSummary(
        round="a",
        sha256="",
        images=10,
        counts=counts,
        boxes=20,
        answers=30,
        spent_usd=1.25,
        jobs=("pens-a-1",),
        agreement=0.75,
        passed=True,
        warnings=3,
    )
    assert (found.labeled, found.disputed) == (9, 2)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b"\xff"], ids=repr)
def test_files_that_say_nothing_leave_their_fields_open(storage, content):
    write_recorded(storage, PENS, "a")
    for name in ("consensus.json", "quality.json"):
        uri = PENS.root_uri / "rounds/a" / name
        storage.delete(uri) if content is None else storage.write(uri, content)
    found = make_summary(storage, PENS, "a")
    assert (found.agreement, found.passed, found.warnings) == (None, None, 0)
    assert found.images == 10


def test_it_holds_recorded_rounds_the_oldest_first(storage):
    for key in ("r-10", "r-9", "2026-11-16"):
        write_recorded(storage, PENS, key)
    write_plan(storage, PENS, "open")
    assert update_summaries(storage, PENS)
    assert list(stored(storage)) == ["2026-11-16", "r-9", "r-10"]
    assert not update_summaries(storage, PENS, changed=["r-9"]), "nothing changed: the same bytes"


def test_a_round_that_is_recorded_again_is_read_again(storage):
    write_recorded(storage, PENS, "a", agreement=0.5)
    update_summaries(storage, PENS)
    publish(storage, "v0001", ["a"])
    update_summaries(storage, PENS)
    assert stored(storage)["a"].version == "v0001"
    write_recorded(storage, PENS, "a", agreement=0.8, attempt=2)
    update_summaries(storage, PENS, changed=["a"])
    now = stored(storage)["a"]
    assert (now.agreement, now.attempt, now.version) == (0.8, 2, ""), "the version holds the older labels"


def test_a_version_is_found_for_each_round_that_it_is_the_first_of(storage):
    for key in ("a", "b", "c"):
        write_recorded(storage, PENS, key)
    publish(storage, "v0001", ["a"])
    publish(storage, "v0002", ["a", "b"])
    update_summaries(storage, PENS)
    assert {key: one.version for key, one in stored(storage).items()} == {"a": "v0001", "b": "v0002", "c": ""}


def test_rounds_that_are_gone_leave_it(storage):
    for key in ("a", "b"):
        write_recorded(storage, PENS, key)
    update_summaries(storage, PENS)
    for found in list(storage.list_objects(PENS.root_uri / "rounds/a")):
        storage.delete(found.uri)
    update_summaries(storage, PENS)
    assert list(stored(storage)) == ["b"]


def test_a_broken_summary_is_made_again(storage):
    write_recorded(storage, PENS, "a")
    storage.write(summary_uri(PENS), b"{not json")
    assert update_summaries(storage, PENS)
    assert list(stored(storage)) == ["a"]


def test_two_writers_lose_nothing(storage, monkeypatch):
    """Another round is recorded between our read and our write: the conditional write sees it."""
    write_recorded(storage, PENS, "a")
    update_summaries(storage, PENS)
    write_recorded(storage, PENS, "b")
    write = storage.write_if_unchanged
    others = iter(["c"])

    def after_another(uri, data, etag):
        if key := next(others, None):
            write_recorded(storage, PENS, key)
            monkeypatch.setattr(storage, "write_if_unchanged", write)
            update_summaries(storage, PENS, changed=[key])
            monkeypatch.setattr(storage, "write_if_unchanged", after_another)
        return write(uri, data, etag)

    monkeypatch.setattr(storage, "write_if_unchanged", after_another)
    update_summaries(storage, PENS, changed=["b"])
    assert list(stored(storage)) == ["a", "b", "c"]


def test_writers_that_never_come_to_an_end_are_named_and_stop_no_step(storage, monkeypatch, caplog):
    write_recorded(storage, PENS, "a")
    monkeypatch.setattr(storage, "write_if_absent", lambda uri, data: False)
    assert not update_summaries(storage, PENS)
    assert "summary.json was changed by others 20 times in a row" in caplog.text


@pytest.mark.parametrize("content", [b"", b"{}", b"{not json", b"\xff"], ids=repr)
def test_a_broken_record_is_left_out_with_a_warning_and_stops_no_step(storage, caplog, content):
    """What a list shows must never turn a task red that records or publishes."""
    for key in ("a", "b"):
        write_recorded(storage, PENS, key)
    storage.write(PENS.root_uri / "rounds/a/round.json", content)
    assert update_summaries(storage, PENS, changed=["b"])
    assert list(stored(storage)) == ["b"]
    assert "Round a is left out of the summaries: round.json of round 'a'" in caplog.text


def test_a_broken_version_is_as_the_one_before(storage, caplog):
    for key in ("a", "b"):
        write_recorded(storage, PENS, key)
    publish(storage, "v0001", ["a"])
    publish(storage, "v0002", ["a", "b"])
    storage.write(dataset_folder(PENS).version("v0002").record, b"{not json")
    update_summaries(storage, PENS)
    assert {key: one.version for key, one in stored(storage).items()} == {"a": "v0001", "b": ""}
    assert "version.json of v0002 cannot be read" in caplog.text


def test_while_a_round_is_labeled_again_its_summary_is_that_of_the_record(storage):
    """The steps of another attempt write their reports over those of the recorded one."""
    write_recorded(storage, PENS, "a", agreement=0.5, warnings=2)
    found = make_summary(storage, PENS, "a")
    folder = RoundFolder(PENS.root_uri / "rounds/a")
    for name in ("consensus.json", "quality.json"):
        storage.copy(folder.uri / name, folder.recorded(found.sha256).uri / name)
    storage.write(folder.consensus, b'{"agreement":{"mean":0.9}}')
    storage.write(folder.quality, b'{"passed":false}')
    assert make_summary(storage, PENS, "a") == found
