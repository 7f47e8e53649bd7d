"""Names of rounds and labeling jobs, made from project and round alone: they are the idempotency key."""

from __future__ import annotations

import re

from roundtruth.errors import RoundError

# With a project of at most 24 characters (project.ProjectName), three digits of jobs and a relabel pass, this
# keeps within the 63 characters of LabelingJobName, which counts upper and lower case as the same.
_ROUND_KEY = re.compile(r"[a-z0-9](-?[a-z0-9])*")
ROUND_KEY_LIMIT = 28
JOB_NAME_LIMIT = 63


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


def job_name(project: str, round_key: str, number: int, relabel_pass: int = 0) -> str:
    """The name of a round's labeling job: ``pens-2026-11-16-1``, in relabel pass 1 ``pens-2026-11-16-1-r1``.

    :param number: 1-based place of the job in the round's plan.
    :raises RoundError: when it is longer than Ground Truth allows.
    """
    name = f"{project}-{round_key}-{number}" + (f"-r{relabel_pass}" if relabel_pass else "")
    if len(name) > JOB_NAME_LIMIT:
        raise RoundError(
            f"Job name {name!r} has {len(name)} characters, at most {JOB_NAME_LIMIT} are allowed; "
            "shorten the project's name or the round's key."
        )
    return name
