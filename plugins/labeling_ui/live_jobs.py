"""What Ground Truth says of running labeling jobs, kept for some seconds: who waits reloads the page."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from labeling_ui.deployment import connection_sign

log = logging.getLogger(__name__)

LIVE_SECONDS = 5.0
OVER_SECONDS = 300.0  # a job that is over stays as it is; the round's own tables tell of it soon
PORTAL_SECONDS = 600.0
ATTEMPTS = 5  # a job that failed goes on as `…-a2`, `…-a3`; more than these no page follows
MOST_KEPT = 5000
RUNNING = frozenset({"Initializing", "InProgress", "Stopping"})


@dataclass(frozen=True, kw_only=True)
class LiveJob:
    """A labeling job as DescribeLabelingJob has it; counts are data objects (images)."""

    name: str  # of the last attempt at it
    status: str  # of Ground Truth; empty where there is no such job (yet)
    labeled: int = 0
    failed: int = 0
    unlabeled: int = 0

    @property
    def is_running(self) -> bool:
        """Whether people may still be at it, or it is not made yet."""
        return not self.status or self.status in RUNNING

    @property
    def total(self) -> int:
        """All its objects, as far as Ground Truth has read its manifest."""
        return self.labeled + self.failed + self.unlabeled


@dataclass(frozen=True, kw_only=True)
class LiveJobs:
    """Jobs by the names they were planned under; ``problem`` says why some are missing."""

    jobs: Mapping[str, LiveJob]
    problem: str = ""


_kept: dict[tuple[str, str], tuple[float, LiveJob]] = {}
_portals: dict[tuple[str, str], tuple[float, str | None]] = {}
_lock = threading.Lock()
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="labeling-jobs")


def live_jobs(aws_conn_id: str, names: Collection[str]) -> LiveJobs:
    """Ask for jobs, several at once; an error of AWS hides the counters and not the page."""
    now = time.monotonic()
    with _lock:
        found = {name: one for name in names if (one := _fresh((aws_conn_id, name), now))}
    missing = [name for name in names if name not in found]
    if not missing:
        return LiveJobs(jobs=found)
    try:
        hook = _hook(aws_conn_id, connection_sign(aws_conn_id))
        asked = list(_threads.map(lambda name: _describe(hook, name), missing))
    except Exception as error:  # whatever AWS, the connection or the network say
        log.warning("Ground Truth did not tell about %d labeling jobs: %s", len(missing), error)
        return LiveJobs(jobs=found, problem=f"Ground Truth does not tell how far jobs are: {error}")
    with _lock:
        if len(_kept) > MOST_KEPT:
            _kept.clear()
        for name, one in zip(missing, asked, strict=True):
            until = now + (LIVE_SECONDS if one.is_running else OVER_SECONDS)
            _kept[aws_conn_id, name] = (until, one)
    return LiveJobs(jobs=found | dict(zip(missing, asked, strict=True)))


def workers_portal(aws_conn_id: str, workteam_arn: str) -> str | None:
    """Where the private team of a project logs in; None on another endpoint than AWS, as for task links."""
    key, now = (aws_conn_id, workteam_arn), time.monotonic()
    kept = _portals.get(key)
    if kept is None or kept[0] < now:
        try:
            hook = _hook(aws_conn_id, connection_sign(aws_conn_id))
            domain = hook.labeling_portal_domain(workteam_arn) if hook.is_aws else None
        except Exception as error:
            log.info("No link to the workers' portal: %s", error)
            domain = None
        kept = _portals[key] = (now + PORTAL_SECONDS, f"https://{domain}" if domain else None)
    return kept[1]


def job_page(aws_conn_id: str, name: str) -> str | None:
    """The job in the AWS console; None on another endpoint."""
    from ground_truth.links import LabelingJobLink

    hook = _hook(aws_conn_id, connection_sign(aws_conn_id))
    if not hook.is_aws:
        return None
    return LabelingJobLink.format_str.format(
        aws_domain=LabelingJobLink.get_aws_domain(hook.conn_partition),
        region_name=hook.conn_region_name,
        job_name=name,
    )


def forget() -> None:
    """Ask anew at the next request."""
    with _lock:
        _kept.clear()
        _portals.clear()
    _hook.cache_clear()


def _fresh(key: tuple[str, str], now: float) -> LiveJob | None:
    kept = _kept.get(key)
    return kept[1] if kept and kept[0] >= now else None


@lru_cache(maxsize=8)
def _hook(aws_conn_id: str, sign: str) -> Any:
    """A hook that gives up soon: a page does not wait for AWS as a task does.

    :param sign: of an edited connection it is another one, and so is its hook.
    """
    from botocore.config import Config

    from ground_truth.hooks import GroundTruthHook

    hook = GroundTruthHook(aws_conn_id=aws_conn_id)
    quick = Config(connect_timeout=2, read_timeout=4, retries={"max_attempts": 1}, max_pool_connections=10)
    return GroundTruthHook(aws_conn_id=aws_conn_id, config=hook.config.merge(quick))


def _describe(hook: Any, name: str) -> LiveJob:
    from ground_truth.attempts import next_attempt_name
    from ground_truth.labeling_job import FAILURE_STATES

    described = hook.describe_labeling_job_or_none(name)
    last = described
    for _ in range(ATTEMPTS):
        if last is None or last["LabelingJobStatus"] not in FAILURE_STATES:
            break
        last = hook.describe_labeling_job_or_none(next_attempt_name(last["LabelingJobName"]))
        described = last or described
    if described is None:
        return LiveJob(name=name, status="")
    counters = described["LabelCounters"]
    return LiveJob(
        name=described["LabelingJobName"],
        status=described["LabelingJobStatus"],
        labeled=int(counters.get("TotalLabeled", 0)),
        failed=int(counters.get("FailedNonRetryableError", 0)),
        unlabeled=int(counters.get("Unlabeled", 0)),
    )
