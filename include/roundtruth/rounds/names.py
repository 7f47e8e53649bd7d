"""Names of rounds and labeling jobs, made from project and round alone: they are the idempotency key."""

from __future__ import annotations

import re
from functools import lru_cache

from roundtruth.errors import RoundError

# With a project of at most 24 characters (project.ProjectName), two hyphens behind it, four digits of jobs
# and a relabel pass, this keeps within the 63 characters of LabelingJobName; to it upper and lower case are
# the same.
_ROUND_KEY = re.compile(r"[a-z0-9](-?[a-z0-9])*")
ROUND_KEY_LIMIT = 28
JOB_NAME_LIMIT = 63

_NUMBER_OR_WORD = re.compile(r"([0-9]+)|([a-z]+)")
_DATE = re.compile(r"-(?=[0-9]{4}-[0-9]{2}-[0-9]{2}(-|$))")


def check_round_key(project: str, key: str) -> str:
    """Return the key of a round when it may stand in job names and S3 keys.

    :raises RoundError: when it holds anything but lower-case letters, digits and single hyphens.
    """
    if not _ROUND_KEY.fullmatch(key) or len(key) > ROUND_KEY_LIMIT:
        raise RoundError(
            f"Round {key!r} of project {project!r} cannot name a labeling job: "
            f"use 1 to {ROUND_KEY_LIMIT} lower-case letters, digits and single hyphens, such as 2026-11-16."
        )
    return key


@lru_cache(maxsize=20_000)  # pages sort thousands of rounds at every look
def round_order(key: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """What to sort the keys of rounds by, oldest round first: numbers by value, before words.

    ``demo-2`` comes before ``demo-10``, days come in order of time, ``2026-11-16-extra`` after ``2026-11-16``
    and before ``2026-11-17``, and a key that begins with a word after all days. The key alone decides: the
    time of recording is no part of it, so that a round which is backfilled or recorded again keeps its place,
    and the same rounds always give the same dataset.
    """
    parts = (
        (0, int(number), "") if number else (1, 0, word) for number, word in _NUMBER_OR_WORD.findall(key)
    )
    return tuple(parts), key


def job_name(project: str, round_key: str, number: int, relabel_pass: int = 0) -> str:
    """The name of a round's labeling job: ``pens-2026-11-16-1``, in relabel pass 1 ``pens-2026-11-16-1-r1``.

    No other project, round and number share it: job names are unique in an account and region, whatever
    projects are there. Where project and key could be read apart in another way (round ``1`` of project
    ``pens-2026``, round ``2026-1`` of ``pens``), one of them has two hyphens in between: ``pens-2026--1-1``.

    :param number: 1-based place of the job in the round's plan.
    :raises RoundError: when it is longer than Ground Truth allows.
    """
    plain = f"{project}-{round_key}"
    apart = "-" if _project_in(plain) == project else "--"
    name = f"{project}{apart}{round_key}-{number}" + (f"-r{relabel_pass}" if relabel_pass else "")
    if len(name) > JOB_NAME_LIMIT:
        raise RoundError(
            f"Job name {name!r} has {len(name)} characters, at most {JOB_NAME_LIMIT} are allowed; "
            "shorten the project's name or the round's key."
        )
    return name


def _project_in(plain: str) -> str:
    """The one project whose rounds of this name have a single hyphen: before a day, else up to a hyphen.

    Neither a project's name nor a round's key holds two hyphens in a row, so that names with two of them,
    which all other projects have, can be read in one way only.
    """
    day = _DATE.search(plain)
    return plain[: day.start()] if day else plain.partition("-")[0]
