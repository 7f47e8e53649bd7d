"""One labeling job from its first minute to its end: simulated time passes, files and counters come."""

from __future__ import annotations

import datetime
import logging
import threading
import time
from dataclasses import dataclass

from roundtruth.sandbox.adjustment import adjust
from roundtruth.sandbox.faults import Faults
from roundtruth.sandbox.images import JobImage, read_image
from roundtruth.sandbox.input_data import JobFailedError, JobInput, read_job_input
from roundtruth.sandbox.job_rules import is_public
from roundtruth.sandbox.jobs import TERMINAL, JobBook, LabelCounters, LabelingJob
from roundtruth.sandbox.output_files import GivenAnswer, JobOutput, LabeledObject
from roundtruth.sandbox.s3 import SandboxS3
from roundtruth.sandbox.scheduling import INITIALIZING_SECONDS, STOPPING_SECONDS, ScheduledObject, schedule
from roundtruth.sandbox.settings import SandboxSettings
from roundtruth.sandbox.truth import ReplayedManifest
from roundtruth.sandbox.workers import Worker, draw, number_of, worker_pool, working_seconds

_log = logging.getLogger(__name__)
_TICK = 0.05  # real seconds between two looks at the clock
_EXPIRED = "ClientError: The task expired before a worker answered it."


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all jobs of a sandbox share; at `shutdown` they pause, and are taken up by the next process."""

    s3: SandboxS3
    book: JobBook
    faults: Faults
    settings: SandboxSettings
    replay: ReplayedManifest | None
    shutdown: threading.Event


class _SandboxEndsError(Exception):
    """The sandbox ends; the job stays as it is."""


class _JobStoppedError(Exception):
    """StopLabelingJob, or a fault that does the same."""


class JobRun:
    """Runs or resumes one job; everything about it is decided by its request, the seed and the files in S3.

    A run that is killed at any moment is resumed by the next process: rows that are in the output manifest
    are done, answers that are written are not written again, the rest is drawn anew and comes out the same.
    """

    def __init__(self, job: LabelingJob, around: Surroundings) -> None:
        self._job = job
        self._around = around
        self._config = job.request["HumanTaskConfig"]
        self._public = is_public(job.request)
        self._images: dict[int, JobImage] = {}
        self._through: dict[int, bool] = {}  # by row: whether it was labeled or failed
        self._ticked = time.monotonic()

    def run(self) -> None:
        """Run the job to its end, or to the shutdown of the sandbox; never raises."""
        try:
            self._run()
        except _SandboxEndsError:
            return
        except JobFailedError as failure:
            self._end("Failed", str(failure))
        except _JobStoppedError:
            self._end("Stopped")
        except Exception:
            _log.exception("labeling job %s", self._job.name)
            self._end("Failed", "InternalServerError: We encountered an internal error. Please try again.")

    def _run(self) -> None:
        self._pass_time_until(INITIALIZING_SECONDS)
        job_input = read_job_input(self._around.s3, self._job.request)
        output = JobOutput(self._around.s3, self._job.request, job_input, public=self._public)
        self._through = output.begin()
        self._around.book.change(self._job, total=len(job_input.to_label))
        # Stopping keeps its status over a restart; everything else is in progress from here.
        self._around.book.change(
            self._job, unless=TERMINAL | {"Stopping"}, status="InProgress", counters=self._counters()
        )
        self._images = {index: self._image(index, job_input) for index in job_input.to_label}
        output.write_manifest()
        try:
            self._label(job_input, output)
        except (_JobStoppedError, JobFailedError):
            output.finish()
            raise
        output.finish()
        self._end("Stopped" if job_input.limited else "Completed")

    def _label(self, job_input: JobInput, output: JobOutput) -> None:
        """Let workers answer in the order of the plan; consolidate a twelfth of the objects at a time."""
        waiting = [one for one in self._plan(job_input) if one.index not in self._through]
        batch_size = min(500, max(1, len(job_input.to_label) // 12))
        answered: list[LabeledObject] = []
        pool_seed = self._around.settings.seed
        for scheduled in waiting:
            try:
                self._pass_time_until(scheduled.finish)
            except _JobStoppedError:
                self._consolidate(answered, output)
                raise
            labeled = self._answers(scheduled, job_input, pool_seed)
            output.write_answers(labeled)
            answered.append(labeled)
            if len(answered) >= batch_size:
                self._consolidate(answered, output)
                answered = []
        self._consolidate(answered, output)
        self._pass_time_until(0.0)  # it may still have to fail, stall or stop

    def _plan(self, job_input: JobInput) -> tuple[ScheduledObject, ...]:
        pool = worker_pool(
            self._around.settings.workers, self._around.settings.seed, self._job.fault.nonsense_workers
        )
        # Who begins differs from job to job; the people are the same.
        order = sorted(pool, key=lambda worker: number_of(self._job.name.lower(), worker.code))
        workable = [index for index in job_input.to_label if self._images[index].failure is None]
        planned = schedule(
            workable,
            order,
            workers_per_object=self._config["NumberOfHumanWorkersPerDataObject"],
            seconds=self._seconds,
            time_limit=self._config["TaskTimeLimitInSeconds"],
            availability=self._config.get(
                "TaskAvailabilityLifetimeInSeconds", 21_600 if self._public else 2_592_000
            ),
            concurrent=self._config.get("MaxConcurrentTaskCount", 1000),
            public=self._public,
        )
        failing = tuple(
            ScheduledObject(index=index, iteration=1, finish=INITIALIZING_SECONDS, submissions=())
            for index in job_input.to_label
            if self._images[index].failure is not None
        )
        return tuple(sorted(failing + planned, key=lambda one: (one.finish, one.index)))

    def _seconds(self, worker: Worker, index: int) -> float:
        truth = self._images[index].truth
        return working_seconds(worker, len(truth.objects) if truth else 0, self._seed_of(worker, index))

    def _answers(self, scheduled: ScheduledObject, job_input: JobInput, pool_seed: int) -> LabeledObject:
        image = self._images[scheduled.index]
        if image.truth is None or not scheduled.submissions:
            return LabeledObject(
                index=scheduled.index,
                iteration=scheduled.iteration,
                uri=image.uri,
                failure=image.failure or _EXPIRED,
            )
        now = datetime.datetime.now(datetime.UTC)
        given = []
        for submission in scheduled.submissions:
            seed = self._seed_of(submission.worker, scheduled.index)
            answer = draw(
                submission.worker,
                image.truth,
                job_input.labels,
                seed,
                number_of(pool_seed, "image", image.uri),
            )
            if job_input.initial is not None:
                answer = adjust(job_input.initial[scheduled.index], answer, image.truth)
            # People work in simulated time, files are dated in real time: a later job's label must be newer.
            ago = (scheduled.finish - submission.at) / self._around.settings.speed
            given.append(
                GivenAnswer(
                    worker=submission.worker,
                    answer=answer,
                    seconds=submission.seconds,
                    submitted=now - datetime.timedelta(seconds=ago),
                )
            )
        return LabeledObject(
            index=scheduled.index,
            iteration=scheduled.iteration,
            uri=image.uri,
            answers=tuple(given),
            truth=image.truth,
        )

    def _image(self, index: int, job_input: JobInput) -> JobImage:
        row = job_input.rows[index]
        fault = self._job.fault
        chance = number_of(self._around.settings.seed, self._job.name.lower(), "fault", index) / 2**64
        if index in fault.fail_objects or chance < fault.fail_object_share:
            return JobImage(
                uri=str(row.get("source-ref", "")),
                failure="ClientError: The object could not be labeled (fault of the sandbox).",
            )
        return read_image(self._around.s3, row, self._around.replay)

    def _seed_of(self, worker: Worker, index: int) -> int:
        return number_of(
            self._around.settings.seed, self._job.name.lower(), self._images[index].uri, worker.code
        )

    def _consolidate(self, answered: list[LabeledObject], output: JobOutput) -> None:
        if not answered:
            return
        output.consolidate(answered, datetime.datetime.now(datetime.UTC))
        self._through.update({labeled.index: labeled.failure is None for labeled in answered})
        self._around.book.change(
            self._job, counters=self._counters(), output_uri=output.manifest_uri, clock=self._job.clock
        )

    def _counters(self) -> LabelCounters:
        labeled = sum(self._through.values())
        return LabelCounters(
            TotalLabeled=labeled,
            HumanLabeled=labeled,
            FailedNonRetryableError=len(self._through) - labeled,
            Unlabeled=self._job.total - len(self._through),
        )

    def _pass_time_until(self, moment: float) -> None:
        """Wait until the job's clock shows `moment`; raises when the job is to end before."""
        while True:
            stalled = self._check_faults()
            if self._around.shutdown.is_set():
                raise _SandboxEndsError
            if self._job.status == "Stopping":
                raise _JobStoppedError
            now = time.monotonic()
            if not stalled:
                self._job.clock += (now - self._ticked) * self._around.settings.speed
            self._ticked = now
            if self._job.clock >= moment and not stalled:
                return
            self._around.shutdown.wait(_TICK)

    def _check_faults(self) -> bool:
        """Whether the job is stalled; raises when it is to fail or to stop."""
        fault = self._around.faults.of_job(self._job.name)
        if self._job.status != "InProgress" or len(self._through) < fault.after * self._job.total:
            return False
        if fault.fail is not None:
            raise JobFailedError(fault.fail)
        if fault.stop:
            self._around.book.change(self._job, status="Stopping")
        return fault.stall

    def _end(self, status: str, reason: str | None = None) -> None:
        if status == "Stopped":
            self._around.book.change(self._job, status="Stopping")
            until = self._job.clock + STOPPING_SECONDS
            self._around.shutdown.wait(min(5.0, (until - self._job.clock) / self._around.settings.speed))
        # A job that was told to stop while its last answers came in is stopped, not completed.
        ends = TERMINAL | {"Stopping"} if status == "Completed" else TERMINAL
        reason = reason and reason[:1024]
        ended = self._around.book.change(
            self._job, unless=ends, status=status, failure_reason=reason, counters=self._counters()
        )
        if not ended and self._job.status == "Stopping":
            self._end("Stopped")
