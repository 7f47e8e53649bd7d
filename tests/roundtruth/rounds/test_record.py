from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from roundtruth.errors import RoundError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.record import RoundRecord, file_digests, read_record, record_round
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
        "files": {"labels.parquet": "00"},
    }
    return RoundRecord(**(values | changes))


def test_recording_again_changes_nothing(storage: Storage, bucket: str) -> None:
    folder = RoundFolder(ObjectUri(bucket, "rounds/r1"))
    assert read_record(storage, folder) is None
    assert record_round(storage, folder, make_record()) is True
    assert record_round(storage, folder, make_record()) is False
    assert read_record(storage, folder) == make_record()
    assert record_round(storage, folder, make_record(boxes=6)) is True
    assert read_record(storage, folder) == make_record(boxes=6)


def test_two_runs_that_record_the_same(storage: Storage, bucket: str) -> None:
    folder = RoundFolder(ObjectUri(bucket, "rounds/r1"))
    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(lambda _: record_round(storage, folder, make_record()), range(4)))
    assert written.count(True) == 1


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
