"""Faults on request: which calls, jobs, objects and workers go wrong, and how."""

from __future__ import annotations

import fnmatch
import random
import threading
from typing import Annotated, Literal
from urllib.parse import parse_qs

import msgspec

from roundtruth.errors import SandboxError
from roundtruth.typed_json import decode_json

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# GET of a bucket with one of these asks for a setting; without, it lists (Amazon S3 API reference).
_BUCKET_SETTINGS = frozenset({"acl", "cors", "encryption", "lifecycle", "location", "policy", "versioning"})


class CallFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls that are answered with an error: the `next` N of them, and then a `share` of all.

    `operations` are patterns as in file names: of operation names for sagemaker (`Describe*`), of what
    ``s3_call`` gives for s3 (`PUT */rounds/*`). Throttling, 500s and quotas are all written this way. With
    `seconds` the answer keeps the caller waiting first: longer than it waits, and it is a read time-out.

    With a `caller`, an access key id, only calls that it has signed are struck.
    `effect`: a refused call does nothing; one whose answer is lost is done, and the caller is told of an
    error all the same; a slow one is done and answered, `seconds` late.
    """

    service: Literal["sagemaker", "s3"] = "sagemaker"
    operations: tuple[str, ...] = ("*",)
    caller: str = ""
    effect: Literal["refused", "answer lost", "slow"] = "refused"
    code: str = "ThrottlingException"
    message: str = "Rate exceeded"
    status: int = 400
    next: Annotated[int, msgspec.Meta(ge=0)] = 0
    share: Share = 0.0
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class JobFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong in the jobs whose name matches the pattern `job` (case does not count).

    `after` is the share of the job's objects that are labeled before it fails, stalls or stops by itself.
    A stalled job goes on when the fault is taken back. Objects are counted as in the manifest, from 0.
    Objects and workers are settled when a job is created; later changes do not touch it.
    """

    job: str = "*"
    fail: str | None = None  # the FailureReason
    stall: bool = False
    stop: bool = False
    after: Share = 0.0
    fail_objects: tuple[int, ...] = ()
    fail_object_share: Share = 0.0
    nonsense_workers: Annotated[int, msgspec.Meta(ge=0)] = 0


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All faults of a sandbox: the JSON of `--faults FILE` and of `POST /_sandbox/faults`."""

    calls: tuple[CallFault, ...] = ()
    jobs: tuple[JobFault, ...] = ()


def read_faults(content: bytes) -> FaultPlan:
    """Decode a fault plan; raises SandboxError that names the field that is wrong."""
    try:
        return decode_json(content, FaultPlan)
    except msgspec.DecodeError as wrong:
        raise SandboxError(
            f"The fault plan is not valid: {wrong}. See roundtruth/sandbox/faults.py."
        ) from wrong


def s3_call(method: str, bucket: str, key: str, query: str, *, copies: bool) -> str:
    """A request to S3 as fault plans name it: `PUT bucket/key`, `GET bucket/key`, `HEAD …`, `DELETE …`.

    LIST names the prefix, `LIST bucket/images/`; COPY is a PUT with a source, `COPY bucket/target`; UPLOAD is
    any step of an upload in parts. Whatever else has no key is named by its method, `PUT bucket/`.
    """
    asked = parse_qs(query, keep_blank_values=True)
    if not key and method == "GET" and not asked.keys() & _BUCKET_SETTINGS:
        return f"LIST {bucket}/{asked.get('prefix', [''])[0]}"
    if asked.keys() & {"uploads", "uploadId"}:
        return f"UPLOAD {bucket}/{key}"
    return f"{'COPY' if copies else method} {bucket}/{key}"


def caller_of(authorization: str) -> str:
    """The access key id in the Authorization header of a signed request (Signature Version 4); or nothing."""
    _, _, credential = authorization.partition("Credential=")
    return credential.split("/")[0]


class Faults:
    """The faults in force; safe to ask and to replace from any thread."""

    def __init__(self, plan: FaultPlan | None = None, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self.replace(plan or FaultPlan())

    def replace(self, plan: FaultPlan) -> None:
        """Put another plan in force, with its `next` counts full."""
        with self._lock:
            self.plan = plan
            self._left = [fault.next for fault in plan.calls]
            self._met = [0] * len(plan.calls)

    def add(self, plan: FaultPlan) -> None:
        """Put further faults in force; those before stay as they are and come first."""
        with self._lock:
            self.plan = FaultPlan(calls=self.plan.calls + plan.calls, jobs=self.plan.jobs + plan.jobs)
            self._left += [fault.next for fault in plan.calls]
            self._met += [0] * len(plan.calls)

    def met(self) -> list[int]:
        """How many calls each of the plan's call faults has struck."""
        with self._lock:
            return list(self._met)

    def of_call(self, service: str, operation: str, caller: str = "") -> CallFault | None:
        """The fault that this call meets, if any; counts it."""
        with self._lock:
            for index, fault in enumerate(self.plan.calls):
                if fault.service != service or fault.caller not in {"", caller}:
                    continue
                if not _matches(operation, fault.operations):
                    continue
                if self._left[index] > 0:
                    self._left[index] -= 1
                elif not fault.share or self._random.random() >= fault.share:
                    continue
                self._met[index] += 1
                return fault
        return None

    def of_job(self, name: str) -> JobFault:
        """The first fault whose pattern fits the job's name, or one in which nothing goes wrong."""
        for fault in self.plan.jobs:
            if fnmatch.fnmatchcase(name.lower(), fault.job.lower()):
                return fault
        return JobFault()


def _matches(operation: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(operation, pattern) for pattern in patterns)
