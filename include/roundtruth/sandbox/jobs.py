"""The labeling jobs of the sandbox: their records, kept in files so that they outlive the process."""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from roundtruth.sandbox.faults import JobFault
from roundtruth.typed_json import decode_json

TERMINAL = frozenset({"Completed", "Failed", "Stopped"})


class LabelCounters(msgspec.Struct, frozen=True, kw_only=True):
    """Objects by what became of them, as DescribeLabelingJob counts them."""

    TotalLabeled: int = 0
    HumanLabeled: int = 0
    MachineLabeled: int = 0
    FailedNonRetryableError: int = 0
    Unlabeled: int = 0


class LabelingJob(msgspec.Struct, kw_only=True):
    """One labeling job; changed by its own run and by StopLabelingJob, always through `JobBook.change`."""

    request: dict[str, Any]
    arn: str
    created: float  # epoch seconds
    modified: float
    fault: JobFault  # of objects and workers, settled at creation
    status: str = "Initializing"
    clock: float = 0.0  # simulated seconds since the creation
    counters: LabelCounters = LabelCounters()
    total: int = 0  # objects that the job labels
    failure_reason: str | None = None
    output_uri: str | None = None

    @property
    def name(self) -> str:
        """LabelingJobName as it was given; AWS compares it without regard to case."""
        return str(self.request["LabelingJobName"])

    @property
    def reference_code(self) -> str:
        """JobReferenceCode: what workers see instead of the name."""
        return hashlib.sha256(self.arn.encode()).hexdigest()[:10]


class JobBook:
    """All jobs by lower-cased name, and their file each under `folder` (None: memory only)."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._jobs: dict[str, LabelingJob] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.json")):
                job = decode_json(path.read_bytes(), LabelingJob)
                self._jobs[job.name.lower()] = job

    def add(self, job: LabelingJob) -> LabelingJob | None:
        """Take a new job in; returns the job that has the name already, in which case nothing changes."""
        with self._lock:
            existing = self._jobs.get(job.name.lower())
            if existing is None:
                self._jobs[job.name.lower()] = job
                self._save(job)
            return existing

    def get(self, name: str) -> LabelingJob | None:
        """The job of that name, in any case."""
        return self._jobs.get(name.lower())

    def all(self) -> list[LabelingJob]:
        """Every job, oldest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: (job.created, job.name))

    def change(self, job: LabelingJob, *, unless: frozenset[str] = TERMINAL, **changes: Any) -> bool:
        """Set members of a job and save it, unless its status is one of `unless`; tells whether it did.

        The check and the change are one step: a job that completes while StopLabelingJob arrives ends in
        exactly one of both ways.
        """
        with self._lock:
            if job.status in unless:
                return False
            for name, value in changes.items():
                setattr(job, name, value)
            job.modified = time.time()
            self._save(job)
            return True

    def _save(self, job: LabelingJob) -> None:
        if self._folder is None:
            return
        path = self._folder / f"{job.name.lower()}.json"
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(job))
        part.replace(path)
