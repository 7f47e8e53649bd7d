from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from roundtruth.errors import RoundError
from roundtruth.rounds.arrivals import MAX_BYTES, arrivals_folder, each_arrival, partition_window
from roundtruth.storage import Storage
from tests.project_samples import make_project
from tests.store import storage

__all__ = ["storage"]

LAST_MODIFIED = {"images__partition": "last-modified"}


@pytest.mark.parametrize(
    ("schedule", "key", "start", "end"),
    [
        pytest.param("0 6 * * 1", "2026-11-16", "2026-11-09T06:00", "2026-11-16T06:00", id="weekly"),
        pytest.param("0 6 * * *", "2026-11-16", "2026-11-15T06:00", "2026-11-16T06:00", id="daily"),
        pytest.param("@daily", "2026-11-16", "2026-11-15T00:00", "2026-11-16T00:00", id="midnight"),
        pytest.param("0 0 1 * *", "2026-03-01", "2026-02-01T00:00", "2026-03-01T00:00", id="monthly"),
        pytest.param("30 2 * * *", "2026-03-29", "2026-03-28T02:30", "2026-03-29T02:30", id="spring forward"),
        pytest.param("30 2 * * *", "2026-10-25", "2026-10-24T02:30", "2026-10-25T02:30", id="fall back"),
        pytest.param("0 6 29 2 *", "2028-02-29", "2024-02-29T06:00", "2028-02-29T06:00", id="leap day"),
    ],
)
def test_window_of_a_round(schedule: str, key: str, start: str, end: str) -> None:
    window = partition_window(make_project(**LAST_MODIFIED, schedule=schedule), key)
    assert window is not None
    assert window.start == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert window.end == datetime.fromisoformat(end).replace(tzinfo=UTC)
    second = timedelta(seconds=1)
    assert [window.holds(moment) for moment in (window.start, window.start + second)] == [False, True]
    assert [window.holds(moment) for moment in (window.end, window.end + second)] == [True, False]


def test_windows_of_successive_rounds_touch() -> None:
    project = make_project(**LAST_MODIFIED, schedule="0 6 * * 1")
    days = [datetime(2026, 10, 5, tzinfo=UTC) + timedelta(weeks=week) for week in range(8)]
    windows = [partition_window(project, f"{day:%Y-%m-%d}") for day in days]
    pairs = list(pairwise(windows))
    assert all(one is not None and two is not None and one.end == two.start for one, two in pairs)


@pytest.mark.parametrize(
    ("partition", "schedule", "key"),
    [
        ("none", "0 6 * * 1", "2026-11-16"),
        ("last-modified", None, "2026-11-16"),
        ("last-modified", "@daily", "extra"),
    ],
)
def test_rounds_without_a_window(partition: str, schedule: str | None, key: str) -> None:
    assert partition_window(make_project(images__partition=partition, schedule=schedule), key) is None


def test_key_without_a_tick() -> None:
    project = make_project(**LAST_MODIFIED, schedule="0 6 * * 1")
    with pytest.raises(
        RoundError, match=r"'2026-11-17' of project 'pens'.*no tick on that day; .* 2026-11-23"
    ):
        partition_window(project, "2026-11-17")


def test_images_and_what_cannot_be_labeled(storage: Storage, s3_client: Any, bucket: str) -> None:
    objects = {
        "a.jpg": b"x",
        "b.JPEG": b"x",
        "deep/er/c.png": b"x",
        "사진 #1.jpg": b"x",
        "empty.jpg": b"",
        "x//y.jpg": b"x",
        "x/../y.jpg": b"x",
        "tab\t.jpg": b"x",
        "notes.txt": b"x",
        "d.jpg.truth.json": b"x",
        "folder.jpg/": b"",
    }
    for name, content in objects.items():
        s3_client.put_object(Bucket=bucket, Key=f"p/images/{name}", Body=content)
    s3_client.put_object(Bucket=bucket, Key="p/elsewhere/z.jpg", Body=b"x")
    found = each_arrival(storage, make_project(root=f"s3://{bucket}/p"), "r")
    assert {image.uri.key.removeprefix("p/images/"): reason for image, reason in found} == {
        "a.jpg": "",
        "b.JPEG": "",
        "deep/er/c.png": "",
        "사진 #1.jpg": "",
        "x//y.jpg": "",
        "empty.jpg": "is empty (0 bytes)",
        "x/../y.jpg": "has a key with a `.` or `..` part; upload it under another key",
        "tab\t.jpg": "has a key with a control character; upload it under another key",
    }
    assert MAX_BYTES == 41_943_040


def test_partition_by_folder_and_by_time(storage: Storage, s3_client: Any, bucket: str) -> None:
    for name in ("r1/a.jpg", "r1-b/c.jpg", "r2/b.jpg"):
        s3_client.put_object(Bucket=bucket, Key=f"p/images/{name}", Body=b"x")
    root = {"root": f"s3://{bucket}/p"}
    by_folder = each_arrival(storage, make_project(**root, images__partition="prefix"), "r1")
    assert [image.uri.name for image, _ in by_folder] == ["a.jpg"]
    by_time = each_arrival(storage, make_project(**root, **LAST_MODIFIED, schedule="@daily"), "2020-01-01")
    assert list(by_time) == []


@pytest.mark.parametrize(("partition", "folder"), [("prefix", "p/images/2026-11-16/"), ("none", "p/images/")])
def test_what_the_sensor_waits_for_begins_with_a_whole_folder(partition: str, folder: str) -> None:
    """Not with 2026-11-16, which 2026-11-16-extra/ begins with too."""
    project = make_project(root="s3://some-bucket/p", images__partition=partition)
    assert arrivals_folder(project, "2026-11-16").key == folder
