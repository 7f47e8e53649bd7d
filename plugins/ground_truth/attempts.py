"""The attempts of a labeling job: a job that failed or was stopped goes on under the name of the next one."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ground_truth.exceptions import LabelingJobRequestError
from ground_truth.labeling_job import FAILURE_STATES

if TYPE_CHECKING:
    from airflow.sdk import Context

_NAME_LIMIT = 63  # of LabelingJobName (botocore)
_NUMBERED = re.compile(r"(.*)-a([2-9]|[1-9]\d+)")
_STATE_KEY = "labeling_job"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt that is there: the request it was made from, and what DescribeLabelingJob says about it."""

    request: dict[str, Any]
    description: dict[str, Any]

    @property
    def name(self) -> str:
        """Its ``LabelingJobName``."""
        return str(self.description["LabelingJobName"])

    @property
    def status(self) -> str:
        """Its ``LabelingJobStatus``."""
        return str(self.description["LabelingJobStatus"])

    @property
    def has_failed(self) -> bool:
        """Whether it ended without being completed."""
        return self.status in FAILURE_STATES


def next_attempt_name(job_name: str) -> str:
    """Name the attempt after this one: ``pens-1`` is followed by ``pens-1-a2``, that by ``pens-1-a3``.

    :raises LabelingJobRequestError: when the name would be longer than Ground Truth allows.
    """
    numbered = _NUMBERED.fullmatch(job_name)
    name = f"{numbered[1]}-a{int(numbered[2]) + 1}" if numbered else f"{job_name}-a2"
    if len(name) > _NAME_LIMIT:
        raise LabelingJobRequestError(
            f"The next attempt of labeling job {job_name!r} would be {name!r}, of {len(name)} characters; at "
            f"most {_NAME_LIMIT} are allowed. Choose a shorter name."
        )
    return name


def next_request(attempt: Attempt) -> dict[str, Any]:
    """Make the request of the attempt after one that failed or was stopped.

    Where that one has output, the next one is chained on it: Ground Truth gives out only the rows that have
    no label under the same attribute, so nobody pays for a label twice (developer guide, "Chaining labeling
    jobs"). A streaming job has no manifest, and starts anew.
    """
    request = copy.deepcopy(attempt.request)
    request["LabelingJobName"] = next_attempt_name(str(attempt.request["LabelingJobName"]))
    output = attempt.description.get("LabelingJobOutput", {}).get("OutputDatasetS3Uri")
    source = request["InputConfig"]["DataSource"]
    if output and "S3DataSource" in source:
        source["S3DataSource"]["ManifestS3Uri"] = output
    return request


def may_try_again(context: Context, failed: Attempt, *, number: int, automatic: int, retries: int) -> bool:
    """Tell whether another attempt may follow one that failed, and write the decision down.

    Labeling costs money, so a person decides, by clearing the task: that raises its ``max_tries``, which a
    retry after a killed worker does not. It counts only when it came after the job was made or taken (see
    ``keep_tries``): who cleared a task whose job ran, or was completed, has not decided about its failure. Of
    jobs that failed by themselves, ``automatic`` attempts are made without asking; a stopped job was
    somebody's wish.

    :param number: How many attempts there are, with this one.
    :param automatic: How many there may be without a person.
    :param retries: The ``retries`` of the task.
    """
    store, max_tries = context.get("task_state_store"), context["ti"].max_tries
    known = store.get(_STATE_KEY) if store is not None else None
    known = known or {"job_name": failed.name, "max_tries": retries}
    following = next_attempt_name(failed.name)
    # Decided before, and the worker was killed before the job was there.
    decided = str(known["job_name"]).lower() == following.lower()
    allowed = (
        decided or max_tries > int(known["max_tries"]) or (failed.status == "Failed" and number < automatic)
    )
    if allowed and store is not None:
        _write_down(store, following, max_tries)
    return allowed


def keep_tries(context: Context, job_name: str) -> None:
    """Write down how often a task may be tried at the moment it has made or taken a job that runs.

    Airflow raises ``max_tries`` at every clear, whatever for; only a later one is about this job's failure.
    """
    store, max_tries = context.get("task_state_store"), context["ti"].max_tries
    if store is not None and store.get(_STATE_KEY) != {"job_name": job_name, "max_tries": max_tries}:
        _write_down(store, job_name, max_tries)


def _write_down(store: Any, job_name: str, max_tries: int) -> None:
    from airflow.sdk.execution_time.context import NEVER_EXPIRE  # since Airflow 3.3, as the store itself

    store.set(_STATE_KEY, {"job_name": job_name, "max_tries": max_tries}, retention=NEVER_EXPIRE)
