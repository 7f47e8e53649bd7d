"""An S3 that only copies, for tests: it answers as it is told, and keeps every request it got."""

from __future__ import annotations

import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

DONE = b"<CopyObjectResult><ETag>&quot;0&quot;</ETag></CopyObjectResult>"


def error(code: str) -> bytes:
    """The body of a refusal."""
    return f"<Error><Code>{code}</Code><Message>made up</Message></Error>".encode()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered to a copy; ``how`` is one of the ways in which servers write it."""

    status: int = 200
    body: bytes = DONE
    how: str = "with a length"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: the target's path as it came, and the headers by their names in lower case."""

    url: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """Bucket and key of the target."""
        return unquote(self.url.split("/", 3)[3])

    @property
    def by_boto3(self) -> bool:
        """Whether boto3 sent it, which counts its tries in a header."""
        return "amz-sdk-invocation-id" in self.headers

    def is_signed_with(self, secret_key: str) -> bool:
        """Whether botocore signs the same headers with this key as the request says."""
        credential, names, signature = (
            part.partition("=")[2] for part in self.headers["authorization"].split(", ")
        )
        access_key, day, region, service, _ = credential.split("/")
        auth = S3SigV4Auth(Credentials(access_key, secret_key), service, region)
        signed = {name: self.headers[name] for name in names.split(";")}
        request = AWSRequest(method="PUT", url=self.url, headers=signed)
        request.context["timestamp"] = self.headers["x-amz-date"]
        assert self.headers["x-amz-date"].startswith(day)
        assert {name for name in self.headers if name.startswith("x-amz-")} <= signed.keys()
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return bool(auth.signature(text, request) == signature)


@dataclass
class CopyServer:
    """``answers``: path -> what is answered to the first requests of it; then, and to others: done."""

    address: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def of(self, path: str) -> list[Request]:
        """The requests of one target."""
        return [request for request in self.requests if request.path == path]


@contextmanager
def copy_server(tls: ssl.SSLContext | None = None) -> Iterator[CopyServer]:
    """A server on this machine as long as the context, over TLS where it is told how."""
    scheme = "https" if tls else "http"
    lock = threading.Lock()
    times: dict[str, int] = defaultdict(int)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            """Each bucket is there."""
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PUT(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(url=f"{scheme}://{headers['host']}{self.path}", headers=headers)
            with lock:
                server.requests.append(request)
                planned = server.answers.get(request.path, [])
                number = times[request.path]
                times[request.path] += 1
            self._answer(planned[number] if number < len(planned) else Answer())

        def _answer(self, answer: Answer) -> None:
            head, body = f"HTTP/1.1 {answer.status} X\r\n", answer.body
            if answer.how == "nothing, and it hangs up":
                self.close_connection = True
                return
            if answer.how == "never":
                closed.wait()
                self.close_connection = True
                return
            if answer.how == "in chunks":
                head += "Transfer-Encoding: chunked\r\n"
                body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
            elif answer.how != "without a length":
                head += f"Content-Length: {len(body)}\r\n"
            if answer.how in {"and closes", "without a length"}:
                head += "Connection: close\r\n"
                self.close_connection = True
            whole = f"{head}\r\n".encode() + body
            last = max(30, len(whole) - 20)
            pieces = (whole[:30], whole[30:last], whole[last:]) if answer.how == "in pieces" else (whole,)
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()
                if answer.how == "in pieces":
                    closed.wait(0.02)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    closed = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.block_on_close = False
        if tls:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        server = CopyServer(f"{scheme}://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            closed.set()
            http.shutdown()
            thread.join()
