"""The projects of this deployment and S3 by their connections, kept between requests for a while."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from airflow.exceptions import AirflowNotFoundException

from labeling.projects import DEFAULT_FOLDER, PROJECTS_VARIABLE, LoadedProjects, load_projects
from roundtruth.errors import StorageError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.project import Project
from roundtruth.project_files import project_files
from roundtruth.s3_connection import RequestLimits
from roundtruth.storage import ObjectUri, Storage

# An edited connection is in force this much later: the database, or a secrets backend, is asked so often.
CONNECTION_SECONDS = 60.0
# A page gives up soon, and holds a thread of the API server no longer: a silent S3 is not tried twice, one
# that refuses a request in haste (503) is.
PAGE_LIMITS = RequestLimits(connect_seconds=3, silent_seconds=8, retry_seconds=5, retries=2)
_lock = threading.Lock()
_projects: dict[tuple[object, ...], LoadedProjects] = {}
_signs: dict[str, tuple[float, str]] = {}
_connections: dict[tuple[str, str], tuple[str, Connected]] = {}
_caches: dict[tuple[str, str], EtagCache] = {}  # outlive the connections


@dataclass(frozen=True, kw_only=True)
class Connected:
    """S3 as a connection says, to a project's bucket."""

    storage: Storage
    cache: EtagCache  # of what was read from there, for the process
    hook: Any  # S3Hook
    s3_client: Any  # boto3, for signing addresses
    image_origin: str  # scheme and host of the addresses it signs for objects of the project's bucket

    def object_page(self, uri: ObjectUri) -> str:
        """Where people open an object, such as Data Docs: S3's console, or the endpoint in its place."""
        from labeling.links import data_docs_url

        return data_docs_url(self.hook, uri)


def deployed_projects() -> LoadedProjects:
    """Every project file as it is now; read again when one of them changed."""
    folder = Path(os.environ.get(PROJECTS_VARIABLE) or DEFAULT_FOLDER)
    key = (str(folder), *_states(folder))
    with _lock:
        if key not in _projects:
            _projects.clear()
            _projects[key] = load_projects()
        return _projects[key]


def connected(project: Project) -> Connected:
    """S3 by the project's Airflow connection: environment, secrets backend or database.

    :raises StorageError: when neither the connection nor the process has credentials.
    """
    key = (project.aws_conn_id, project.root_uri.bucket)
    sign = connection_sign(project.aws_conn_id)
    kept = _connections.get(key)
    if kept is None or kept[0] != sign:
        # Outside of any lock: assuming a role is a call to AWS. Made twice at once, it does no harm.
        kept = _connections[key] = (sign, _connect(*key))
    return kept[1]


def connection_sign(aws_conn_id: str) -> str:
    """What changes when somebody edits a connection: making boto3's clients anew takes a second of CPU.

    Credentials that end, of assumed roles and of machines, are renewed by boto3 itself.
    """
    now = time.monotonic()
    kept = _signs.get(aws_conn_id)
    if kept is None or now - kept[0] > CONNECTION_SECONDS:
        kept = _signs[aws_conn_id] = (now, _sign(aws_conn_id))
    return kept[1]


def forget() -> None:
    """Read projects and connections anew at the next request."""
    with _lock:
        _projects.clear()
        _signs.clear()
        _connections.clear()
        _caches.clear()


def _sign(aws_conn_id: str) -> str:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    try:
        found = S3Hook.get_connection(aws_conn_id)
    except AirflowNotFoundException:
        return "none"  # the provider goes on without it
    told = (found.conn_type, found.host, found.login, found.password, found.extra)
    return sha256(repr(told).encode()).hexdigest()


def _connect(aws_conn_id: str, bucket: str) -> Connected:
    from botocore.exceptions import NoCredentialsError

    from labeling.storage import s3_hook, storage_of  # boto3 and the amazon provider: seconds to import

    hook = s3_hook(aws_conn_id, PAGE_LIMITS)
    client = hook.get_conn()
    try:
        signed = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "x"}, ExpiresIn=1)
    except NoCredentialsError as error:
        # The provider goes on with the process's own credentials when there is no such connection.
        raise StorageError(
            f"Connection {aws_conn_id!r} is missing or holds no credentials, and the API server has none "
            "of its own; make the Airflow connection that the project file names in `aws_conn_id`."
        ) from error
    address = urlsplit(signed)
    storage = storage_of(hook, PAGE_LIMITS)
    with _lock:
        cache = _caches.setdefault((aws_conn_id, bucket), EtagCache(storage))
        cache.storage = storage  # with the credentials that are in force now
    return Connected(
        storage=storage,
        cache=cache,
        hook=hook,
        s3_client=client,
        image_origin=f"{address.scheme}://{address.netloc}",
    )


def _states(folder: Path) -> list[tuple[str, int, int]]:
    found = ((path, path.stat()) for path in project_files(folder))
    return [(str(path), state.st_mtime_ns, state.st_size) for path, state in found]
