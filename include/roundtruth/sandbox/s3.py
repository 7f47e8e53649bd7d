"""S3 of the sandbox: moto's application, one writer at a time, mirrored to a folder that stays."""

from __future__ import annotations

import contextlib
import datetime
import functools
import threading
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeKey, s3_backends
from werkzeug.test import run_wsgi_app

from roundtruth.sandbox.constants import REGION
from roundtruth.sandbox.object_folder import ObjectFolder, StoredObject

StartResponse = Callable[..., Any]
Environ = dict[str, Any]

_WRITES = frozenset({"PUT", "POST", "DELETE"})
# Requests on a key that make no object yet (parts) or change nothing that is mirrored.
_NO_OBJECT = frozenset({"partNumber", "uploads", "tagging", "acl", "retention", "legal-hold"})
_CHECKSUM = ("checksum_algorithm", "checksum_value", "checksum_type", "checksum_parts")
_PRECONDITION_FAILED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>PreconditionFailed</Code>'
    b"<Message>At least one of the pre-conditions you specified did not hold</Message>"
    b"<Condition>If-None-Match</Condition></Error>"
)


class SandboxS3:
    """A WSGI application over moto's S3, and the same objects for the process itself.

    Why not moto alone: its content is lost with the process; its conditional writes look first and write
    later without a lock, so two threads may both win an `If-None-Match: *`; and it looks at no condition at
    all on a server-side copy. Writes go one at a time here, and are in the folder before they are answered.

    Versioned buckets work while the process lives; only the newest version of an object is mirrored.
    """

    def __init__(self, folder: ObjectFolder | None) -> None:
        self._folder = folder
        self._moto = DomainDispatcherApplication(create_backend_app)
        # For the backend of a host it lists moto's own folder, at each request: a quarter of a request's CPU.
        self._moto.get_backend_for_host = functools.lru_cache(maxsize=64)(self._moto.get_backend_for_host)
        self._backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self._write_lock = threading.RLock()
        self._settings: dict[str, dict[str, str]] = {}
        self._backend.reset()
        if folder is not None:
            self._restore(folder)

    # --- over HTTP

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request; the body was read by the server beforehand (see server.py)."""
        if _service(environ) != "s3":  # STS, IAM, ...: moto's own, and not kept
            other: Iterable[bytes] = self._moto(environ, start_response)
            return other
        if environ["REQUEST_METHOD"] not in _WRITES:
            if "Signature=" not in environ.get("QUERY_STRING", ""):
                # A browser that follows a link to Data Docs signs nothing, and moto would refuse it.
                environ.setdefault("HTTP_AUTHORIZATION", "AWS sandbox:browser")
            # A listing walks over the dict that a writer changes.
            with self._write_lock if not address(environ)[1] else contextlib.nullcontext():
                served: Iterable[bytes] = self._moto(environ, start_response)
                return served
        with self._write_lock:
            return self._write(environ, start_response)

    def _write(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        bucket, key = address(environ)
        query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
        if key and self._condition_fails(environ, bucket, key, query):
            start_response(
                "412 Precondition Failed",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(_PRECONDITION_FAILED)))],
            )
            return [_PRECONDITION_FAILED]
        request_body = environ["wsgi.input"].getvalue()
        chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        body = b"".join(chunks)
        if status.startswith("2"):
            self._mirror(environ["REQUEST_METHOD"], bucket, key, query, request_body)
        start_response(status, list(headers))
        return [body]

    def _condition_fails(self, environ: Environ, bucket: str, key: str, query: dict[str, list[str]]) -> bool:
        """Check what moto does not: conditions on copies, and If-Match on a finished multipart upload."""
        copies = "HTTP_X_AMZ_COPY_SOURCE" in environ and "partNumber" not in query
        finishes = environ["REQUEST_METHOD"] == "POST" and "uploadId" in query
        if not (copies or finishes):
            return False
        if copies and not self._is_wanted_source(environ):
            return True
        found = self._find(bucket, key)
        if environ.get("HTTP_IF_NONE_MATCH") == "*" and found is not None:
            # A repeated CompleteMultipartUpload of the object it made itself is no conflict (moto knows).
            return copies or found.multipart is None or found.multipart.id != query["uploadId"][0]
        wanted = environ.get("HTTP_IF_MATCH")
        return bool(wanted) and (found is None or found.etag.strip('"') != str(wanted).strip('"'))

    def _is_wanted_source(self, environ: Environ) -> bool:
        """x-amz-copy-source-if-match; a source that is not there is answered by moto."""
        wanted = environ.get("HTTP_X_AMZ_COPY_SOURCE_IF_MATCH")
        source = unquote(str(environ["HTTP_X_AMZ_COPY_SOURCE"])).partition("?versionId=")[0].lstrip("/")
        bucket, _, key = source.partition("/")
        found = self._find(bucket, key) if wanted else None
        return found is None or found.etag.strip('"') == str(wanted).strip('"')

    def _mirror(
        self, method: str, bucket: str, key: str, query: dict[str, list[str]], request_body: bytes
    ) -> None:
        if not bucket:
            return
        if key:
            if not _NO_OBJECT & query.keys():
                self._mirror_object(bucket, key)
        elif method == "POST" and "delete" in query:
            for deleted in _keys_of_delete(request_body):
                self._mirror_object(bucket, deleted)
        else:
            self._mirror_bucket(method, bucket, query, request_body)

    def _mirror_bucket(
        self, method: str, bucket: str, query: dict[str, list[str]], request_body: bytes
    ) -> None:
        if method == "DELETE" and not query:
            self._settings.pop(bucket, None)
            if self._folder:
                self._folder.delete_bucket(bucket)
            return
        settings = self._settings.setdefault(bucket, {})
        for name in query:
            if method == "PUT":
                settings[name] = request_body.decode()
            else:
                settings.pop(name, None)
        if self._folder:
            self._folder.save_bucket(bucket, settings)

    def _mirror_object(self, bucket: str, key: str) -> None:
        if self._folder is None:
            return
        found = self._find(bucket, key)
        if found is None:
            self._folder.delete(bucket, key)
        else:
            self._folder.save(_stored(bucket, key, found))

    def _restore(self, folder: ObjectFolder) -> None:
        for bucket, settings in folder.buckets().items():
            self.create_bucket(bucket, settings=settings)
        for stored in folder.objects():
            restored = self._backend.put_object(
                stored.bucket, stored.key, stored.body, etag=stored.etag, disable_notification=True
            )
            restored.set_metadata(dict(stored.metadata))
            for name, value in stored.checksum.items():
                setattr(restored, name, value)
            restored.last_modified = datetime.datetime.fromisoformat(stored.last_modified)

    # --- in this process: what the simulated workers and the labeling jobs read and write

    def create_bucket(self, bucket: str, settings: dict[str, str] | None = None) -> None:
        """Create a bucket unless it is there; `settings` are bodies of PUT requests by their query."""
        with self._write_lock:
            if not self.has_bucket(bucket):
                self._backend.create_bucket(bucket, REGION)
                self._mirror_bucket("PUT", bucket, {}, b"")
            for name, body in (settings or {}).items():
                self._put_setting(bucket, name, body)

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket exists."""
        return bucket in self._backend.buckets

    def region_of(self, bucket: str) -> str | None:
        """The bucket's region; None where there is no such bucket."""
        found = self._backend.buckets.get(bucket)
        return None if found is None else str(found.region_name)

    def exists(self, bucket: str, key: str) -> bool:
        """Whether the object exists."""
        return self._find(bucket, key) is not None

    def read(self, bucket: str, key: str) -> bytes | None:
        """The object's bytes; None where there is no such object or bucket."""
        found = self._find(bucket, key)
        return None if found is None else bytes(found.value)

    def write(self, bucket: str, key: str, body: bytes, content_type: str = "application/json") -> None:
        """Write an object into an existing bucket."""
        with self._write_lock:
            written = self._backend.put_object(bucket, key, body)
            written.set_metadata({"Content-Type": content_type})
            self._mirror_object(bucket, key)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Keys of the bucket that begin with the prefix, sorted."""
        with self._write_lock:
            return sorted(key for key in self._backend.get_bucket(bucket).keys if key.startswith(prefix))

    def _find(self, bucket: str, key: str) -> FakeKey | None:
        try:
            return self._backend.get_object(bucket, key)
        except MissingBucket:
            return None

    def _put_setting(self, bucket: str, name: str, body: str) -> None:
        content = body.encode()
        environ: Environ = {
            "REQUEST_METHOD": "PUT",
            "SCRIPT_NAME": "",
            "PATH_INFO": f"/{bucket}",
            "QUERY_STRING": f"{name}=",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "HTTP_HOST": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(content)),
            "CONTENT_TYPE": "application/xml",
            "wsgi.input": BytesIO(content),
            "wsgi.url_scheme": "http",
            "wsgi.errors": BytesIO(),
        }
        self(environ, lambda *_: None)


def address(environ: Environ) -> tuple[str, str]:
    """Bucket and key of a request ("" where there is none), path style or `<bucket>.<host>` style."""
    # PEP 3333: the path arrives as the bytes of the URL read as Latin-1.
    path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace").lstrip("/")
    host = str(environ.get("HTTP_HOST", "")).split(":")[0]
    for suffix in (".s3.amazonaws.com", f".s3.{REGION}.amazonaws.com", ".localhost"):
        if host.endswith(suffix):
            return host.removesuffix(suffix), path
    bucket, _, key = path.partition("/")
    return bucket, key


def _service(environ: Environ) -> str:
    """The service that a request is signed for; unsigned ones (health checks, presigned URLs) are S3's."""
    _, _, credential = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")
    scope = credential.split(",")[0].split("/")
    return scope[-2] if len(scope) >= 5 else "s3"


def _stored(bucket: str, key: str, found: FakeKey) -> StoredObject:
    return StoredObject(
        bucket=bucket,
        key=key,
        etag=found.etag.strip('"'),
        last_modified=found.last_modified.isoformat(),
        metadata={str(name): str(value) for name, value in found.metadata.items()},
        checksum={name: getattr(found, name) for name in _CHECKSUM},
        body=bytes(found.value),
    )


def _keys_of_delete(request_body: bytes) -> Iterator[str]:
    for element in ElementTree.fromstring(request_body).iter():  # noqa: S314 -- loopback, and moto read it already
        if element.tag.rpartition("}")[2] == "Key":
            yield element.text or ""
