from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.errors import RoundError
from roundtruth.project import PROJECT_NAME_LIMIT
from roundtruth.rounds.names import (
    JOB_NAME_LIMIT,
    ROUND_KEY_LIMIT,
    check_round_key,
    job_name,
    round_order,
)

# LabelingJobName of botocore's model.
GROUND_TRUTH = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


@pytest.mark.parametrize("key", ["2026-11-16", "a", "2026-11-21-extra", "x" * 28])
def test_keys_that_fit(key: str) -> None:
    assert check_round_key("pens", key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "2026_11",
        "A",
        "a--b",
        "-a",
        "a-",
        "x" * 29,
        "-".join("abcdefghijklmno"),
        "a/b",
        "a b",
        "a\n",
        "설",
    ],
)
def test_keys_that_do_not(key: str) -> None:
    with pytest.raises(
        RoundError, match="of project 'pens' cannot name a labeling job: use 1 to 28 lower-case"
    ):
        check_round_key("pens", key)


@pytest.mark.parametrize(
    ("project", "key", "expected"),
    [
        pytest.param("pens", "2026-11-16", "pens-2026-11-16-1", id="scheduled round"),
        pytest.param("my-pens", "2026-11-16", "my-pens-2026-11-16-1", id="project with a hyphen"),
        pytest.param("my-pens-2", "2026-11-16-extra", "my-pens-2-2026-11-16-extra-1", id="extra round"),
        pytest.param("pens", "demo-2", "pens-demo-2-1", id="round without a day"),
        pytest.param("pens", "2026-1", "pens-2026-1-1", id="reads in two ways"),
        pytest.param("pens-2026", "1", "pens-2026--1-1", id="reads in two ways, the other one"),
        pytest.param("my-pens", "demo", "my-pens--demo-1", id="hyphen and no day"),
        pytest.param("pens", "redo-2026-11-16", "pens--redo-2026-11-16-1", id="day behind a word"),
        pytest.param("pens-2026-11-16", "b", "pens-2026-11-16--b-1", id="day in the project"),
    ],
)
def test_names_of_jobs(project: str, key: str, expected: str) -> None:
    assert job_name(project, key, 1) == expected
    assert job_name(project, key, 12, 2) == expected[:-1] + "12-r2"


def test_name_that_is_too_long() -> None:
    with pytest.raises(RoundError, match="has 64 characters, at most 63"):
        job_name("p" * 40, "r" * 21, 1)


def names(limit: int) -> st.SearchStrategy[str]:
    return st.from_regex(r"[a-z0-9](-?[a-z0-9])*", fullmatch=True).filter(lambda name: len(name) <= limit)


@given(
    project=names(PROJECT_NAME_LIMIT),
    key=names(ROUND_KEY_LIMIT),
    number=st.integers(1, 9999),
    relabel_pass=st.integers(0, 3),
)
def test_every_valid_name_is_one_of_ground_truth(
    project: str, key: str, number: int, relabel_pass: int
) -> None:
    name = job_name(project, check_round_key(project, key), number, relabel_pass)
    assert len(name) <= JOB_NAME_LIMIT
    assert GROUND_TRUTH.fullmatch(name)


# Few words, so that names that read in two ways come up often.
few = st.lists(st.sampled_from(["a", "1", "2026", "11", "16", "r1"]), min_size=1, max_size=5).map("-".join)
job = st.tuples(
    few, few.filter(lambda key: len(key) <= ROUND_KEY_LIMIT), st.integers(1, 30), st.integers(0, 3)
)


@settings(max_examples=400)
@given(job, job)
def test_two_jobs_never_share_a_name_whatever_their_projects(
    one: tuple[str, str, int, int], other: tuple[str, str, int, int]
) -> None:
    assert (job_name(*one) == job_name(*other)) == (one == other)


@pytest.mark.parametrize(
    "ordered",
    [
        pytest.param(["demo-1", "demo-2", "demo-10", "demo-11"], id="numbers by value"),
        pytest.param(["2025-12-29", "2026-01-05", "2026-11-16", "2026-11-23"], id="days"),
        pytest.param(["2026-11-16", "2026-11-16-extra", "2026-11-17"], id="extra round between days"),
        pytest.param(["2026-11-16", "extra", "import-birds"], id="words after days"),
        pytest.param(["r01", "r1", "r2"], id="same number, written in two ways"),
        pytest.param(["2024", "2024-3", "2024-12", "2025"], id="years and months"),
        pytest.param(["a2b", "a2c", "a10b"], id="number inside a word"),
    ],
)
def test_rounds_sort_as_people_count(ordered: list[str]) -> None:
    assert sorted(set(ordered), key=round_order) == ordered


@given(st.lists(names(ROUND_KEY_LIMIT), unique=True, max_size=8))
def test_the_order_of_rounds_is_total(keys: list[str]) -> None:
    assert len({round_order(key) for key in keys}) == len(keys)
    assert sorted(keys, key=round_order) == sorted(set(keys), key=round_order)


@given(st.lists(st.dates(), unique=True, max_size=8))
def test_days_sort_as_days(days: list[date]) -> None:
    keys = [day.isoformat() for day in days]
    assert sorted(keys, key=round_order) == [day.isoformat() for day in sorted(days)]
