"""The errors of obstore, of boto3 and of the disk as a StorageError that names the object."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from obstore.exceptions import BaseError

from roundtruth.errors import StorageError
from roundtruth.stored_objects import ObjectUri


class ExplainedErrors:
    """Turns errors of a ``with`` block; a class, which costs a request a fifth of what a generator does.

    :param action: what was tried, a verb.
    :param require_bucket: raises StorageError when the bucket is missing: S3 answers 404 either way.
    """

    __slots__ = ("_action", "_require_bucket", "_uri")

    def __init__(self, uri: ObjectUri, action: str, require_bucket: Callable[[ObjectUri], None]) -> None:
        self._uri = uri
        self._action = action
        self._require_bucket = require_bucket

    def __enter__(self) -> None:
        """Nothing is wrong yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raise what went wrong in our words."""
        if error is None:
            return
        uri, action = self._uri, self._action
        if isinstance(error, FileNotFoundError):
            if not uri.is_local:
                self._require_bucket(uri)
            raise StorageError(f"Cannot {action} {uri}: it does not exist.") from error
        if isinstance(error, OSError):
            raise StorageError(f"Cannot {action} {uri}: {error.strerror or error}.") from error
        if isinstance(error, (BaseError, ValueError)):
            if not uri.is_local and "status code: 404" in str(error):
                self._require_bucket(uri)
            raise StorageError(f"Cannot {action} {uri}: {_first_line(error)}.") from error
        if isinstance(error, Exception) and not isinstance(error, StorageError):
            self._explain_boto3(error)

    def unless_missing(self, error: Exception) -> None:
        """Raise what went wrong in our words, unless only the object is missing: its bucket is there."""
        with self:
            if self._uri.is_local or not isinstance(error, FileNotFoundError):
                raise error
            self._require_bucket(self._uri)

    def _explain_boto3(self, error: Exception) -> None:
        # Imports urllib3: too slow for Dag parsing.
        from botocore.exceptions import BotoCoreError, ClientError

        reason = _first_line(error)
        if isinstance(error, ClientError):
            code = error.response["Error"]["Code"]
            if code in {"404", "NoSuchBucket", "NoSuchKey"}:
                self._require_bucket(self._uri)
            reason = f"S3 answers {code}"
        elif not isinstance(error, BotoCoreError):
            return
        raise StorageError(f"Cannot {self._action} {self._uri}: {reason}.") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
