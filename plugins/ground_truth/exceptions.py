"""What can go wrong with Ground Truth; each class is a case that a retry policy may tell from the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class GroundTruthError(RuntimeError):
    """Base of every error that this package raises on purpose."""


class InputManifestError(GroundTruthError):
    """The input manifest would break a documented limit of Ground Truth; names row and limit."""


class InputManifestConflictError(GroundTruthError):
    """Another input manifest lies under the name already."""


class LabelingJobRequestError(GroundTruthError):
    """The CreateLabelingJob request is not valid; names the fields."""


class LabelingJobNotFoundError(GroundTruthError):
    """There is no labeling job of the name in the account and region."""


class LabelingJobUnavailableError(GroundTruthError):
    """Ground Truth's answers about a job do not fit together yet; a later try may find it settled."""


class LabelingJobWaitError(GroundTruthError):
    """The wait for a labeling job ended without an answer; the job itself goes on."""


class LabelingJobProgressError(GroundTruthError):
    """The wait for a running labeling job pauses, to write down what it knows of the job's progress.

    :param message: What there is to say.
    :param note: What is to be written down (:class:`~ground_truth.waiting.ProgressNote`).
    """

    def __init__(self, message: str, note: Any) -> None:
        self.message = message
        self.note = note
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the class and what it is made from: errors travel between processes."""
        return type(self), (self.message, self.note)


class LabelingJobStalledError(LabelingJobProgressError):
    """A running labeling job made no progress for longer than it may."""


class LabelingJobConflictError(GroundTruthError):
    """A labeling job of the name exists and was created from another request.

    :param job_name: The name of the labeling job.
    :param differences: One line a field, ``path: theirs / ours``.
    """

    def __init__(self, job_name: str, differences: Sequence[str]) -> None:
        self.job_name = job_name
        self.differences = tuple(differences)
        super().__init__(
            f"Labeling job {job_name!r} exists and was created from another request. Field: theirs / ours\n  "
            + "\n  ".join(self.differences)
            + "\nUse another job name, or send the request that the job was created from."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the class and what it is made from: errors travel between processes."""
        return LabelingJobConflictError, (self.job_name, self.differences)


class LabelingJobFailedError(GroundTruthError):
    """A labeling job ended without being completed.

    :param job_name: The name of the labeling job.
    :param status: ``Failed``, ``Stopped`` or ``Stopping``.
    :param failure_reason: What Ground Truth gives as ``FailureReason``.
    """

    def __init__(self, job_name: str, status: str, failure_reason: str | None = None) -> None:
        self.job_name = job_name
        self.status = status
        self.failure_reason = failure_reason
        super().__init__(
            f"Labeling job {job_name!r} is {status}: {failure_reason or 'no failure reason given'}. "
            "A job cannot be started again and its name stays taken: "
            "create one with a new name for the objects that are not labeled."
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the class and what it is made from: errors travel between processes."""
        return LabelingJobFailedError, (self.job_name, self.status, self.failure_reason)
