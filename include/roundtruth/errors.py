"""The errors of the domain: each one sentence that names the thing, the rule it broke and what to do."""

from __future__ import annotations


class RoundtruthError(Exception):
    """Base of every error that the domain raises on purpose; its message is meant for people."""


class ProjectError(RoundtruthError):
    """A project file cannot be used; names the file, the key and the rule."""


class StorageError(RoundtruthError):
    """An S3 URI is malformed, or a bucket or an object is missing or not readable."""


class MissingObjectError(StorageError):
    """An object that has to be there is not; its bucket is."""


class ManifestError(RoundtruthError):
    """A manifest, label category config or worker response breaks its format; names file and line."""


class LabelingRequestError(RoundtruthError):
    """A CreateLabelingJob request breaks botocore's model or a documented limit; names the field."""


class CategoryError(RoundtruthError):
    """Categories of jobs conflict, or one of them is not in the project."""


class ImageError(RoundtruthError):
    """An image cannot be read; names the image and what is wrong with its bytes."""


class RoundError(RoundtruthError):
    """A round cannot be planned or recorded; names project and round."""


class RoundChangedError(RoundtruthError):
    """Another run of a round made its files again while they were recorded; the same step may be repeated."""


class ConsensusError(RoundtruthError):
    """Answers cannot be fused; names the job and the setting."""


class QualityError(RoundtruthError):
    """A critical check failed; names the checks and how many rows failed them."""


class DatasetError(RoundtruthError):
    """A dataset version cannot be assembled, published, pulled or verified."""


class LatestMovedError(DatasetError):
    """`latest` points elsewhere than whoever wants to move it has seen."""


class StaleCandidateError(DatasetError):
    """Another version was published since a candidate was assembled; names both versions."""


class TrainingError(RoundtruthError):
    """A training command cannot be started or failed; names it and ends with its last lines."""


class SandboxError(RoundtruthError):
    """The sandbox cannot start or cannot serve what was asked."""
