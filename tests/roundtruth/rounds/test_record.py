from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from roundtruth.errors import RoundChangedError, RoundError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.record import (
    RoundRecord,
    file_digests,
    keep_recorded,
    read_record,
    read_recorded,
    record_round,
)
from roundtruth.storage import ObjectUri, Storage
from tests.store import storage

__all__ = ["storage"]


def make_record(**changes: Any) -> RoundRecord:
    values: dict[str, Any] = {
        "project": "pens",
        "round": "r1",
        "roundtruth": "0.1.0",
        "images": 3,
        "counts": {"labeled": 2, "failed": 1},
        "boxes": 5,
        "answers": 9,
        "spent_usd": 0.24,
        "jobs": (),
        "files": {"labels.parquet": hashlib.sha256(b"boxes").hexdigest()},
    }
    return RoundRecord(**(values | changes))


@pytest.fixture
def folder(storage: Storage, bucket: str) -> RoundFolder:
    """A round with the file that its record names."""
    found = RoundFolder(ObjectUri(bucket, "rounds/r1"))
    storage.write(found.labels, b"boxes")
    return found


def test_recording_again_changes_nothing(storage: Storage, folder: RoundFolder) -> None:
    assert read_record(storage, folder) is None
    assert record_round(storage, folder, make_record()) is True
    assert record_round(storage, folder, make_record()) is False
    assert read_record(storage, folder) == make_record()
    assert record_round(storage, folder, make_record(boxes=6)) is True
    assert read_record(storage, folder) == make_record(boxes=6)


def test_two_runs_that_record_the_same(storage: Storage, folder: RoundFolder) -> None:
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: record_round(storage, folder, make_record()), range(4)))
    assert written.count(True) == 1


def test_what_was_recorded_is_read_whatever_was_made_of_it_since(
    storage: Storage, folder: RoundFolder
) -> None:
    record_round(storage, folder, make_record())
    storage.write(folder.labels, b"of a rebuild")
    assert read_recorded(storage, folder, "labels.parquet") == b"boxes"
    keep_recorded(storage, folder)
    assert read_recorded(storage, folder, "labels.parquet") == b"boxes"
    with pytest.raises(RoundChangedError, match=r"labels.parquet was made again while round 'r1'"):
        record_round(storage, folder, make_record(boxes=6))
    assert read_record(storage, folder) == make_record(), "round.json is the last to change"
    rebuilt = {"labels.parquet": hashlib.sha256(b"of a rebuild").hexdigest()}
    assert record_round(storage, folder, make_record(boxes=6, files=rebuilt)) is True
    assert read_recorded(storage, folder, "labels.parquet") == b"of a rebuild"


@pytest.mark.parametrize("counts", [{"labeled": 2}, {"labeled": 3, "failed": 1}, {}])
def test_every_planned_image_is_accounted_for(storage: Storage, bucket: str, counts: dict[str, int]) -> None:
    folder = RoundFolder(ObjectUri(bucket, "rounds/r1"))
    with pytest.raises(RoundError, match=r"planned 3 images but accounts for \d.*run check_quality again"):
        record_round(storage, folder, make_record(counts=counts))
    assert storage.head(folder.record) is None


def test_digests(storage: Storage, bucket: str) -> None:
    storage.write(ObjectUri(bucket, "b"), b"bb")
    storage.write(ObjectUri(bucket, "a"), b"aa")
    found = file_digests(storage, {"b": ObjectUri(bucket, "b"), "a": ObjectUri(bucket, "a")})
    assert list(found.items()) == [(name, hashlib.sha256(name.encode() * 2).hexdigest()) for name in "ab"]
