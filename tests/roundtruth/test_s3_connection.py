"""How many requests to S3 may be in flight at once."""

from __future__ import annotations

import pytest

from roundtruth.errors import StorageError
from roundtruth.s3_connection import CONCURRENCY_VARIABLE
from roundtruth.storage import Storage


@pytest.mark.parametrize(
    ("variable", "argument", "expected"),
    [(None, None, 64), ("", None, 64), ("8", None, 8), ("1024", None, 1024), ("8", 3, 3)],
    ids=["unset", "empty", "set", "most", "an argument wins"],
)
def test_concurrency_is_configurable(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, argument: int | None, expected: int
) -> None:
    monkeypatch.delenv(CONCURRENCY_VARIABLE, raising=False)
    if variable is not None:
        monkeypatch.setenv(CONCURRENCY_VARIABLE, variable)
    assert Storage(concurrency=argument).concurrency == expected


@pytest.mark.parametrize("variable", ["0", "1025", "-1", "many", "6.5", "６４"])
def test_what_is_no_number_of_requests_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(CONCURRENCY_VARIABLE, variable)
    with pytest.raises(StorageError, match=f"{CONCURRENCY_VARIABLE} is .*give a number of requests"):
        Storage()
