"""Objects in S3 and files on disk behind one interface: read, list, write, write-if-absent, copy.

Bulk work goes through obstore (10–20 times less CPU an object than boto3); the boto3 client that is handed in
reads and lists the few keys that obstore refuses, copies across buckets, and tells why a call was refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from roundtruth import boto3_calls, local_files, s3_connection
from roundtruth.boto3_calls import is_refused_by_obstore
from roundtruth.errors import MissingObjectError, StorageError
from roundtruth.parallel import run_in_order
from roundtruth.storage_errors import ExplainedErrors
from roundtruth.stored_objects import Content, ObjectUri, StoredObject, bare_etag, stored_object

if TYPE_CHECKING:
    from pathlib import Path

    import boto3

    from roundtruth.stored_objects import ConditionalCopy

__all__ = ["Content", "ObjectUri", "Storage", "StoredObject"]

GROUP = 16  # small requests that a thread makes one after the other
Item = TypeVar("Item")
Result = TypeVar("Result")


class Storage:
    """Reads and writes objects; thread-safe; holds one obstore client a bucket.

    ``concurrency`` bounds the requests of the ``*_many`` calls that are in flight at once; without it
    ROUNDTRUTH_S3_CONCURRENCY does, or 64.
    """

    def __init__(
        self,
        open_bucket: Callable[[str], S3Store] | None = None,
        s3_client: Any = None,
        *,
        concurrency: int | None = None,
    ) -> None:
        self._open_bucket = open_bucket
        self._s3_client = s3_client
        self._stores: dict[str, S3Store] = {}
        self._buckets_there: set[str] = set()
        self._lock = threading.Lock()
        self.concurrency = concurrency or s3_connection.configured_concurrency()

    @classmethod
    def from_session(
        cls,
        session: boto3.Session,
        *,
        endpoint_url: str | None = None,
        s3_client: Any = None,
        concurrency: int | None = None,
        limits: s3_connection.RequestLimits | None = None,
    ) -> Storage:
        """Use a boto3 session's credentials and region; ``endpoint_url`` as in the Airflow connection."""
        concurrency = concurrency or s3_connection.configured_concurrency()
        opened = s3_connection.connect(session, endpoint_url, concurrency, client=s3_client, limits=limits)
        return cls(*opened, concurrency=concurrency)

    def read(self, uri: ObjectUri) -> bytes:
        """Read an object.

        :raises StorageError: when it is not there (MissingObjectError) or cannot be read.
        """
        opened = self._stores.get(uri.bucket)
        try:  # and little else, no ETag either: each microsecond between requests holds all threads up
            if opened is not None and not is_refused_by_obstore(uri.key):
                return opened.get(uri.key).bytes().to_bytes()
            if (content := self.read_if_there(uri)) is not None:
                return content.data
        except Exception as error:
            self._explained(uri, "read").unless_missing(error)
        raise MissingObjectError(f"{uri} does not exist; check the key, or run the step that writes it.")

    def read_if_there(self, uri: ObjectUri) -> Content | None:
        """Read an object and its ETag, or None when there is none.

        :raises StorageError: when the bucket is missing, or the object cannot be read.
        """
        try:
            if (opened := self._opened(uri)) is not None:
                found = opened.get(uri.key)
                return Content(found.bytes().to_bytes(), bare_etag(found.meta["e_tag"]))
            return local_files.read(uri) if uri.is_local else boto3_calls.read(self._s3_client, uri)
        except Exception as error:
            self._explained(uri, "read").unless_missing(error)
            return None

    def read_range(self, uri: ObjectUri, start: int, length: int) -> bytes:
        """Read ``length`` bytes from ``start``; fewer, or none, where the object ends.

        :raises StorageError: when it is not there or cannot be read.
        """
        with self._explained(uri, "read"):
            if uri.is_local:
                return local_files.read_range(uri, start, length)
            if length <= 0:
                return b""
            if is_refused_by_obstore(uri.key):
                found = boto3_calls.read(self._s3_client, uri, (start, length))
                if found is None:
                    raise FileNotFoundError(uri.key)
                return found.data
            try:
                return bytes(obstore.get_range(self._store(uri), uri.key, start=start, length=length))
            except BaseError as error:
                # S3 refuses a range that begins at or behind the object's end.
                if "status code: 416" in str(error):
                    return b""
                raise

    def head(self, uri: ObjectUri) -> StoredObject | None:
        """Size, ETag and time of an object, or None when there is none.

        :raises StorageError: when the bucket is missing.
        """
        with self._explained(uri, "look at"):
            if uri.is_local:
                return local_files.head(uri)
            if is_refused_by_obstore(uri.key):
                return boto3_calls.head(self._s3_client, uri)
            try:
                meta = obstore.head(self._store(uri), uri.key)
            except FileNotFoundError:
                self._require_bucket(uri)
                return None
            return stored_object(uri.bucket, meta)

    def has_md5_etag(self, uri: ObjectUri) -> bool:
        """Tell whether an S3 object's ETag is the MD5 of its bytes: no upload in parts, no key of KMS."""
        with self._explained(uri, "look at"):
            return boto3_calls.has_md5_etag(self._s3_client, uri)

    def write(self, uri: ObjectUri, data: bytes, *, content_type: str | None = None) -> None:
        """Write an object, replacing what is there; with a content type browsers can show it."""
        with self._explained(uri, "write"):
            if uri.is_local:
                local_files.write(uri, data)
            else:
                attributes = {"Content-Type": content_type} if content_type else None
                obstore.put(self._store(uri), uri.key, data, attributes=attributes)

    def write_file(self, uri: ObjectUri, path: Path) -> None:
        """Write a file as an object, in parts where it is large: it is never in memory as a whole."""
        with self._explained(uri, "write"):
            if uri.is_local:
                local_files.copy(ObjectUri("", str(path)), uri)
            else:
                obstore.put(self._store(uri), uri.key, path)

    def write_if_absent(self, uri: ObjectUri, data: bytes) -> bool:
        """Write an object unless one is there (If-None-Match); tells whether this call wrote it."""
        with self._explained(uri, "write"):
            if uri.is_local:
                return local_files.write_if_absent(uri, data)
            try:
                obstore.put(self._store(uri), uri.key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

    def write_if_unchanged(self, uri: ObjectUri, data: bytes, etag: str) -> bool:
        """Replace an object only while it has this ETag (If-Match); tells whether this call wrote it.

        :raises StorageError: for a local path: files have no ETag.
        """
        if uri.is_local:
            raise StorageError(f"{uri} is a file, which cannot be replaced by its ETag; keep it in S3.")
        with self._explained(uri, "write"):
            try:
                obstore.put(self._store(uri), uri.key, data, mode={"e_tag": f'"{etag}"'}, use_multipart=False)
            except PreconditionError:
                self._require_bucket(uri)
                return False
            return True

    def copy(self, source: ObjectUri, target: ObjectUri) -> None:
        """Copy an object: on the server's side within S3, also across buckets; from and to files.

        :raises StorageError: when the source or a bucket is missing.
        """
        try:  # and little else, as in a read
            if source.bucket == target.bucket and (opened := self._opened(source)) is not None:
                opened.copy(source.key, target.key)
            elif source.is_local and target.is_local:
                local_files.copy(source, target)
            elif source.is_local or target.is_local:
                self.write(target, self.read(source))
            else:
                boto3_calls.copy(self._s3_client, source, target)
        except Exception:
            with self._explained(source, "copy"):
                raise

    def copy_if_unchanged(self, source: ObjectUri, target: ObjectUri, etag: str) -> bool:
        """Copy an S3 object only while it has this ETag (obstore cannot: boto3); tells whether it did."""
        with self._explained(source, "copy"):
            return boto3_calls.copy_if_unchanged(self._s3_client, source, target, etag)

    def delete(self, uri: ObjectUri) -> None:
        """Delete an object; deleting what is not there is no error."""
        with self._explained(uri, "delete"):
            if uri.is_local:
                local_files.delete(uri)
            else:
                obstore.delete(self._store(uri), uri.key)

    def list_objects(self, prefix: ObjectUri) -> Iterator[StoredObject]:
        """List all objects under a folder, in key order.

        :raises StorageError: when the bucket is missing or not readable.
        """
        if prefix.is_local:
            yield from local_files.list_objects(prefix)
            return
        under, last = prefix.folder_key, ""
        with self._explained(prefix, "list"):
            try:
                for chunk in obstore.list(self._store(prefix), prefix=under or None, chunk_size=1000):
                    for meta in chunk:
                        last = meta["path"]
                        yield stored_object(prefix.bucket, meta)
            except (ValueError, BaseError) as error:
                if "invalid path" not in str(error).lower():
                    raise
                # object_store refuses a whole page for one key with `//`, `..` or a control character; the
                # pages before it have been handed on.
                yield from boto3_calls.list_objects(self._s3_client, prefix.bucket, under, after=last)

    def list_folders(self, prefix: ObjectUri) -> list[str]:
        """The names of the folders right under a prefix, however many slashes it ends with, sorted."""
        if prefix.is_local:
            return local_files.list_folders(prefix)
        with self._explained(prefix, "list"):
            found = obstore.list_with_delimiter(self._store(prefix), (prefix / "").key or None)
            return sorted(name.rstrip("/").rpartition("/")[2] for name in found["common_prefixes"])

    def read_many(self, uris: Iterable[ObjectUri]) -> Iterator[tuple[ObjectUri, bytes]]:
        """Read many small objects; yields them in the order asked for."""
        return self.run_many(lambda uri: (uri, self.read(uri)), uris, group=GROUP)

    def write_many(self, objects: Iterable[tuple[ObjectUri, bytes]]) -> int:
        """Write many small objects at once; returns how many."""
        return sum(1 for _ in self.run_many(lambda pair: self.write(*pair), objects, group=GROUP))

    def copy_many_if_unchanged(self, copies: Iterable[ConditionalCopy]) -> Iterator[bool]:
        """Copy many S3 objects, each only while it has its ETag; tells of each, in order, whether it did."""
        from roundtruth.conditional_copies import copy_many  # botocore: too slow for Dag parsing

        return copy_many(self._s3_client, copies, self.copy_if_unchanged, concurrency=self.concurrency)

    def run_many(
        self, action: Callable[[Item], Result], items: Iterable[Item], *, group: int = 1
    ) -> Iterator[Result]:
        """Run an action on many items in bounded parallel; yields results in the order of the items.

        The first error in that order is raised, and what has not begun by then is not run.
        """
        return run_in_order(action, items, concurrency=self.concurrency, group=group)

    def _opened(self, uri: ObjectUri) -> S3Store | None:
        """The client of a bucket; None for a file, and for a key that obstore refuses."""
        if is_refused_by_obstore(uri.key):
            return None
        return self._stores.get(uri.bucket) or (None if uri.is_local else self._store(uri))

    def _store(self, uri: ObjectUri) -> S3Store:
        if self._open_bucket is None:
            raise StorageError(
                f"{uri} is in S3, and no AWS credentials were found; set them up as for the aws command."
            )
        opened = self._stores.get(uri.bucket)  # without the lock, for which 64 threads would queue
        if opened is None:
            with self._lock:
                opened = self._stores.get(uri.bucket) or self._open_bucket(uri.bucket)
                self._stores[uri.bucket] = opened
        return opened

    def _require_bucket(self, uri: ObjectUri) -> None:
        """Tell a missing bucket from a missing object; S3 answers both with 404."""
        if uri.bucket not in self._buckets_there:
            boto3_calls.require_bucket(self._s3_client, uri)
            self._buckets_there.add(uri.bucket)

    def _explained(self, uri: ObjectUri, action: str) -> ExplainedErrors:
        return ExplainedErrors(uri, action, self._require_bucket)
