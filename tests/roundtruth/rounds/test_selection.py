from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.annotations import table
from roundtruth.errors import RoundError
from roundtruth.project import Selection
from roundtruth.rounds.planned import PLANNED
from roundtruth.rounds.selection import select_images

START = datetime(2026, 11, 1, tzinfo=UTC)


def candidates(count: int, carried: int = 0) -> pd.DataFrame:
    """Images `0` to `count - 1`, the later the newer; the last `carried` of them are carried over."""
    rows: list[dict[str, object]] = [
        {
            "source_ref": f"s3://b/{number}.jpg",
            "etag": str(number),
            "bytes": 1000 * number,
            "last_modified": START + timedelta(hours=number),
            "width": 640 if number % 2 else 320,
            "height": 240,
            "unreadable": "",
            "carried_over": number >= count - carried,
        }
        for number in range(count)
    ]
    return table(rows, PLANNED)


def chosen(frame: pd.DataFrame, key: str = "r", **selection: Any) -> list[str]:
    found = select_images(frame, Selection(**selection), key).chosen
    assert list(found.index) == list(range(len(found)))
    return [ref.removeprefix("s3://b/").removesuffix(".jpg") for ref in found["source_ref"]]


def test_all_in_order_of_arrival_carried_over_first() -> None:
    assert chosen(candidates(5, carried=2)) == ["3", "4", "0", "1", "2"]
    assert chosen(candidates(5, carried=2).sample(frac=1, random_state=1)) == ["3", "4", "0", "1", "2"]
    assert chosen(candidates(0)) == []


@pytest.mark.parametrize(
    ("most", "expected"), [(1, ["3"]), (3, ["3", "4", "0"]), (9, ["3", "4", "0", "1", "2"])]
)
def test_max_images_takes_carried_over_ones_first(most: int, expected: list[str]) -> None:
    assert chosen(candidates(5, carried=2), max_images=most) == expected


def test_random_takes_about_its_share_and_every_carried_over_image() -> None:
    found = chosen(candidates(1000, carried=10), mode="random", fraction=0.3)
    assert found[:10] == [str(number) for number in range(990, 1000)]
    assert 250 < len(found) - 10 < 350


@pytest.mark.parametrize(("fraction", "count"), [(0.0, 0), (1.0, 50)])
def test_random_at_its_ends(fraction: float, count: int) -> None:
    assert len(chosen(candidates(50), mode="random", fraction=fraction)) == count


def test_random_depends_on_seed_and_round() -> None:
    frame = candidates(200)
    runs = [
        chosen(frame, "r1", mode="random", fraction=0.5),
        chosen(frame, "r2", mode="random", fraction=0.5),
        chosen(frame, "r1", mode="random", fraction=0.5, seed=1),
    ]
    assert len({tuple(run) for run in runs}) == 3
    assert chosen(frame, "r1", mode="random", fraction=0.5) == runs[0]


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0, 1))
def test_other_images_do_not_change_an_image_s_luck(count: int, more: int, fraction: float) -> None:
    few = set(chosen(candidates(count), mode="random", fraction=fraction))
    many = set(chosen(candidates(count + more), mode="random", fraction=fraction))
    assert few == {image for image in many if int(image) < count}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("width >= 640", ["1", "3"]),
        ("bytes < 2000", ["0", "1"]),
        ("source_ref LIKE '%/2.jpg'", ["2"]),
        ("last_modified >= TIMESTAMP '2026-11-01 03:00:00'", ["3"]),
        ("width = 320 OR height = 0 -- the small ones", ["0", "2"]),
        ("false", []),
        ("NULL", []),
        ("true) UNION ALL SELECT 1 FROM images WHERE (true", ["0", "1", "2", "3"]),
        ("true) UNION ALL (SELECT 99", ["0", "1", "2", "3"]),
    ],
)
def test_query(where: str, expected: list[str]) -> None:
    assert chosen(candidates(4), mode="query", where=where) == expected


def test_query_without_duckdb_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(RoundError, match=r"pip install '\.\[selection\]'"):
        chosen(candidates(4), mode="query", where="bytes = 0")


def test_query_takes_every_carried_over_image() -> None:
    assert chosen(candidates(4, carried=1), mode="query", where="bytes = 0") == ["3", "0"]


@pytest.mark.parametrize(
    "where",
    [
        "widht > 3",
        "width >",
        "true; DROP VIEW images",
        "true); DROP VIEW images; SELECT (1",
        "(SELECT count(*) FROM read_csv('{path}')) > 0",
        "(SELECT count(*) FROM '{path}') > 0",
        "true); COPY images TO '{path}.out'; SELECT (1",
        "true); ATTACH '{path}.db'; SELECT (1",
        "true); SET enable_external_access = true; SELECT (1",
        "(SELECT count(*) FROM fresh) > 0",
    ],
)
def test_query_that_does_not_run_or_would_touch_more_than_the_table(tmp_path: Path, where: str) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RoundError, match=r"selection.where .* does not run: ") as error:
        chosen(candidates(3), mode="query", where=where.format(path=path))
    assert "\n" not in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["secret.csv"]
