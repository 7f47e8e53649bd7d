"""One HTTP server: SageMaker calls go to our service, `/_sandbox/` to its controls, others to moto."""

from __future__ import annotations

import errno
import json
import logging
import signal
import sys
import threading
import uuid
from collections.abc import Iterable
from contextlib import redirect_stderr
from http import HTTPStatus
from io import BytesIO, StringIO
from types import FrameType, TracebackType
from typing import Any, Self
from xml.sax.saxutils import escape

import msgspec
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import run_wsgi_app

from roundtruth.errors import SandboxError
from roundtruth.sandbox.constants import REGION, ROLE_ARN, WORKTEAM_ARN
from roundtruth.sandbox.faults import FaultPlan, Faults, caller_of, read_faults, s3_call
from roundtruth.sandbox.job_run import Surroundings
from roundtruth.sandbox.jobs import JobBook
from roundtruth.sandbox.object_folder import ObjectFolder
from roundtruth.sandbox.protocol import ServiceError
from roundtruth.sandbox.s3 import Environ, SandboxS3, StartResponse, address
from roundtruth.sandbox.service import LabelingService
from roundtruth.sandbox.settings import SandboxSettings
from roundtruth.sandbox.truth import ReplayedManifest
from roundtruth.sandbox.workteams import Workteams

_log = logging.getLogger(__name__)
_JSON = "application/x-amz-json-1.1"
_TARGET = "SageMaker."


class _Handler(MotoRequestHandler):  # type: ignore[misc]  # moto is untyped to mypy
    # Headers and body go out in two writes; with Nagle's algorithm each answer would wait 40 ms for the
    # second.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log at debug level: a demo makes thousands of requests."""
        _log.debug("%s %s", self.requestline, code)


class Sandbox:
    """A sandbox in this process; a context manager. moto's state is global: one at a time."""

    _running = threading.Lock()

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self.faults = Faults(self.settings.faults, self.settings.seed)
        self._shutdown = threading.Event()
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def endpoint_url(self) -> str:
        """What boto3 and obstore get as `endpoint_url`."""
        if self._server is None:
            raise SandboxError("The sandbox is not started.")
        return f"http://{self.settings.host}:{self._server.server_port}"

    def start(self) -> Self:
        """Restore the state, take up unfinished jobs, listen; raises SandboxError when the port is taken."""
        if not self._running.acquire(blocking=False):
            raise SandboxError("A sandbox runs in this process already; moto keeps one state a process.")
        try:
            self._begin()
        except BaseException:
            self._running.release()
            raise
        return self

    def stop(self) -> None:
        """Stop listening and let the jobs pause; they go on when the state folder is opened again."""
        if self._server is None:
            return
        self._shutdown.set()
        self._server.shutdown()
        self._service.join(timeout=5.0)
        self._server.server_close()
        self._server = None
        self._running.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _begin(self) -> None:
        settings = self.settings
        server = self._listen()
        try:
            state = settings.state
            self._s3 = SandboxS3(ObjectFolder(state / "s3") if state else None)
            for bucket in settings.buckets:
                self._s3.create_bucket(bucket)
            around = Surroundings(
                s3=self._s3,
                book=JobBook(state / "jobs" if state else None),
                faults=self.faults,
                settings=settings,
                replay=ReplayedManifest(settings.replay) if settings.replay else None,
                shutdown=self._shutdown,
            )
            self._service = LabelingService(around, Workteams(state / "workteams.json" if state else None))
        except BaseException:
            server.server_close()
            raise
        self._shutdown.clear()
        self._service.resume()
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name="sandbox", daemon=True)
        self._thread.start()

    def _listen(self) -> BaseWSGIServer:
        host, port = self.settings.host, self.settings.port
        try:
            # werkzeug prints what is wrong and exits; the OSError is what it was handling then.
            with redirect_stderr(StringIO()):
                return make_server(host, port, self._serve, threaded=True, request_handler=_Handler)
        except (OSError, SystemExit) as wrong:
            reason = wrong.__context__ if isinstance(wrong, SystemExit) else wrong
            if isinstance(reason, OSError) and reason.errno == errno.EADDRINUSE:
                raise SandboxError(
                    f"The sandbox cannot listen on {host}:{port}: the port is taken; choose another one "
                    "by --port."
                ) from wrong
            told = (reason.strerror if isinstance(reason, OSError) else None) or reason
            raise SandboxError(
                f"The sandbox cannot listen on {host}:{port}: {told}; choose another by --host and --port."
            ) from wrong

    # --- requests

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        # Read in full before anything is answered: an unread body would be taken for the next request of the
        # connection, and a slow upload must not hold the lock of the writers.
        content = _read_body(environ)
        environ["wsgi.input"] = BytesIO(content)
        path = str(environ.get("PATH_INFO", ""))
        target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
        if path.startswith("/_sandbox/"):
            return self._control(environ["REQUEST_METHOD"], path, content, start_response)
        if target.startswith(_TARGET):
            caller = caller_of(str(environ.get("HTTP_AUTHORIZATION", "")))
            return self._sagemaker(target.removeprefix(_TARGET), content, caller, start_response)
        return self._aws(environ, start_response)

    def _sagemaker(
        self, operation: str, content: bytes, caller: str, start_response: StartResponse
    ) -> Iterable[bytes]:
        try:
            return _respond(start_response, 200, self._service.answer(operation, content, caller), _JSON)
        except ServiceError as error:
            return _respond(start_response, error.status, error.body(), _JSON)

    def _aws(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        copies = "HTTP_X_AMZ_COPY_SOURCE" in environ
        query = str(environ.get("QUERY_STRING", ""))
        call = s3_call(str(environ["REQUEST_METHOD"]), *address(environ), query, copies=copies)
        fault = self.faults.of_call("s3", call, caller_of(str(environ.get("HTTP_AUTHORIZATION", ""))))
        if fault is None:
            return self._s3(environ, start_response)
        self._shutdown.wait(fault.seconds)
        if fault.effect == "slow":
            return self._s3(environ, start_response)
        if fault.effect == "answer lost":
            run_wsgi_app(self._s3, environ, buffered=True)
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{escape(fault.code)}</Code>'
            f"<Message>{escape(fault.message)}</Message></Error>"
        )
        return _respond(start_response, fault.status, body.encode(), "application/xml")

    def _control(
        self, method: str, path: str, content: bytes, start_response: StartResponse
    ) -> Iterable[bytes]:
        status, answer = self._controlled(method, path.removeprefix("/_sandbox/"), content)
        return _respond(
            start_response, status, json.dumps(answer, indent=2).encode() + b"\n", "application/json"
        )

    def _controlled(self, method: str, name: str, content: bytes) -> tuple[int, Any]:
        match method, name:
            case "GET", "health":
                return 200, {
                    "status": "ok",
                    "region": REGION,
                    "workteam_arn": WORKTEAM_ARN,
                    "role_arn": ROLE_ARN,
                }
            case "GET", "jobs":
                return 200, self._service.overview()
            case "POST", "faults":
                try:
                    self.faults.replace(read_faults(content))
                except SandboxError as wrong:
                    return 400, {"error": str(wrong)}
            case "PATCH", "faults":
                try:
                    self.faults.add(read_faults(content))
                except SandboxError as wrong:
                    return 400, {"error": str(wrong)}
            case "GET", "faults/met":
                return 200, self.faults.met()
            case "DELETE", "faults":
                self.faults.replace(FaultPlan())
            case "GET", "faults":
                pass
            case _:
                return 404, {"error": f"The sandbox has no {method} /_sandbox/{name}."}
        return 200, msgspec.to_builtins(self.faults.plan)


def run_sandbox(settings: SandboxSettings) -> None:
    """Serve until SIGTERM or SIGINT, then stop cleanly; writes one line, `ready <endpoint_url>`, to stdout.

    Call it from the main thread: signals are received there only.
    """
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with Sandbox(settings) as sandbox:
        sys.stdout.write(f"ready {sandbox.endpoint_url}\n")
        sys.stdout.flush()
        ended.wait()


def _read_body(environ: Environ) -> bytes:
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        return bytes(stream.read())
    return bytes(stream.read(int(environ.get("CONTENT_LENGTH") or 0)))


def _respond(start_response: StartResponse, status: int, body: bytes, content_type: str) -> Iterable[bytes]:
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]
