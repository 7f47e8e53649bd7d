from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtruth.errors import RoundError
from roundtruth.project import PROJECT_NAME_LIMIT
from roundtruth.rounds.names import JOB_NAME_LIMIT, ROUND_KEY_LIMIT, check_round_key, job_name

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


def test_names_of_jobs() -> None:
    assert job_name("pens", "2026-11-16", 1) == "pens-2026-11-16-1"
    assert job_name("pens", "2026-11-16", 12, 2) == "pens-2026-11-16-12-r2"


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


job = st.tuples(names(ROUND_KEY_LIMIT), st.integers(1, 30), st.integers(0, 3))


@given(job, job)
def test_two_jobs_of_a_project_never_share_a_name(
    one: tuple[str, int, int], other: tuple[str, int, int]
) -> None:
    assert (job_name("p", *one) == job_name("p", *other)) == (one == other)
