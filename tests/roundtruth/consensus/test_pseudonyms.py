"""Pseudonyms of workers, and the key that keeps them from being guessed."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from roundtruth.consensus.measure import measure_consensus
from roundtruth.consensus.pseudonyms import KEY_FILE, project_key, pseudonym, read_key
from roundtruth.errors import ConsensusError
from roundtruth.project import Consensus
from roundtruth.storage import ObjectUri, Storage
from tests.roundtruth.consensus.answer_tables import answer, answers

WORKER = "private.us-east-1.0123456789abcdef"


def test_stable_under_one_key_and_different_for_everybody():
    assert pseudonym(WORKER, b"key") == pseudonym(WORKER, b"key")
    assert re.fullmatch("worker-[a-z2-7]{8}", pseudonym(WORKER, b"key"))
    assert len({pseudonym(f"private.us-east-1.{number}", b"key") for number in range(1000)}) == 1000


def test_without_the_key_a_known_id_gives_no_name():
    """Ids stand in AWS's console: whoever has a list of them must not find the names by hashing it."""
    name = pseudonym(WORKER, b"secret")
    assert name not in {pseudonym(WORKER, key) for key in (b"", b"pens", b"s3://bucket/boxes")}
    assert name != pseudonym(WORKER, b"another secret")
    assert name[7:] not in hashlib.sha256(WORKER.encode()).hexdigest()


@pytest.fixture
def uri(tmp_path):
    return ObjectUri.parse(str(tmp_path / KEY_FILE))


def test_the_key_of_a_project_is_made_once(uri):
    storage = Storage()
    assert read_key(storage, uri) is None
    key = project_key(storage, uri)
    content = storage.read(uri)
    assert (len(key), project_key(storage, uri), read_key(storage, uri)) == (32, key, key)
    assert storage.read(uri) == content


def test_two_projects_have_two_keys(tmp_path):
    one, two = (project_key(Storage(), ObjectUri.parse(str(tmp_path / name / KEY_FILE))) for name in "ab")
    assert one != two


def test_of_two_runs_at_the_same_time_the_first_one_makes_the_key(uri, monkeypatch):
    storage, first = Storage(), b"1" * 64
    write = Storage.write_if_absent

    def slower(self, place, data, **options):
        storage.write(place, first)
        return write(self, place, data, **options)

    monkeypatch.setattr(Storage, "write_if_absent", slower)
    assert project_key(storage, uri) == bytes.fromhex(first.decode())


@pytest.mark.parametrize(
    "content", [b"", b"12", b"\xff" * 64, b"z" * 64], ids=["empty", "short", "binary", "no hex"]
)
def test_a_file_that_is_no_key_is_an_error_not_a_new_key(uri, content):
    Storage().write(uri, content)
    with pytest.raises(ConsensusError, match=r"pseudonyms\.key is no key of pseudonyms"):
        project_key(Storage(), uri)
    assert Storage().read(uri) == content


def test_labels_do_not_depend_on_the_key():
    """Only names do: two deployments publish the same bytes from the same answers."""
    boxes = (("pen", 0, 0, 50, 50.5), ("pen", 1, 0, 49, 50), ("ink", 2, 1, 55, 50))
    table = answers(*(answer(f"i{n}", f"w{w}", box) for n in range(9) for w, box in enumerate(boxes)))
    found = [
        measure_consensus(table, Consensus(), pseudonym_key=key) for key in (b"", b"one", b"two", b"three")
    ]
    assert all(one.labels.equals(found[0].labels) for one in found)
    assert all(one.images.equals(found[0].images) for one in found)
    texts = [json.dumps(one.report) for one in found]
    assert len(set(texts)) == 4
    for text, result, key in zip(texts, found, (b"", b"one", b"two", b"three"), strict=True):
        assert pseudonym("w1", key) in text
        assert set(result.skills.workers) == {pseudonym(f"w{w}", key) for w in range(3)}
