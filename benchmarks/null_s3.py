"""An S3 that answers at once, or after a fixed latency, whatever is asked: it shows a client's own limit.

Run: python null_s3.py [--latency 0.02] [--slow-down 3]; prints its port, serves until its input ends.

GET gives the same object for each key (a range of it, if asked for), PUT takes anything, also a copy,
DELETE and HEAD succeed, and a listing has as many keys as its prefix says (keys-100000/ has a hundred
thousand). moto answers some 200 requests a second and would hide what the client costs. ``--slow-down``
answers every so manieth request with 503 Slow Down, as S3 does when a prefix is asked too much. With
``--objects`` there is a bucket for each folder in that folder, and other keys are missing.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import sys
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import uvloop

MOMENT = "2026-01-05T08:00:00.000Z"
HTTP_MOMENT = b"Mon, 05 Jan 2026 08:00:00 GMT"
ETAG = "9e107d9d372bb6826bd81d3542a419d6"
_PAGE = 1000
_KEYS = re.compile(r"keys-(\d+)/")
_COPIED = (
    f'<CopyObjectResult><LastModified>{MOMENT}</LastModified><ETag>"{ETAG}"</ETag></CopyObjectResult>'
).encode()


class NullS3(asyncio.Protocol):
    """One connection."""

    content = b"x" * 290
    objects: ClassVar[dict[str, tuple[bytes, str]]] = {}  # path -> bytes, ETag
    latency = 0.0
    slow_down = 0
    requests = 0
    refused = 0

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's is no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer += data
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].decode("latin-1")
            fields = {}
            for line in head.split("\r\n")[1:]:
                name, _, value = line.partition(": ")
                fields[name.lower()] = value
            length = int(fields.get("content-length", 0))
            if fields.get("expect") and len(self._buffer) == end + 4 and length:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
                fields.pop("expect")
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            method, target, _ = head.split("\r\n", 1)[0].split(" ")
            answer = self._answer(method, target, fields)
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)

    def _answer(self, method: str, target: str, fields: dict[str, str]) -> bytes:
        NullS3.requests += 1
        if self.slow_down and NullS3.requests % self.slow_down == 0:
            NullS3.refused += 1
            return _response(
                b"503 Slow Down", b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>"
            )
        query = parse_qs(urlsplit(target).query) if "?" in target else {}
        if method == "GET" and "list-type" in query:
            return _response(b"200 OK", _listing(query))
        if method == "PUT":
            return _response(b"200 OK", _COPIED if "x-amz-copy-source" in fields else b"")
        if method in {"GET", "HEAD"}:
            content, etag = self.content, ETAG
            if self.objects:
                found = self.objects.get(unquote(urlsplit(target).path))
                if found is None:
                    return _response(b"404 Not Found", b"<Error><Code>NoSuchKey</Code></Error>")
                content, etag = found
            return self._object(method, fields.get("range", ""), content, etag)
        return _response(b"204 No Content", b"")

    def _object(self, method: str, asked: str, content: bytes, etag: str) -> bytes:
        status, more = b"200 OK", b""
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            end = min(int(last or len(content)), len(content) - 1)
            more = b"Content-Range: bytes %d-%d/%d\r\n" % (int(first), end, len(content))
            content, status = content[int(first) : end + 1], b"206 Partial Content"
        return _response(status, content, more, body=method == "GET", etag=etag)


def _response(
    status: bytes, content: bytes, more: bytes = b"", *, body: bool = True, etag: str = ETAG
) -> bytes:
    head = b'HTTP/1.1 %s\r\nContent-Length: %d\r\nETag: "%s"\r\nLast-Modified: %s\r\n%s\r\n' % (
        status,
        len(content),
        etag.encode(),
        HTTP_MOMENT,
        more,
    )
    return head + content if body else head


def _listing(query: dict[str, list[str]]) -> bytes:
    """A page of a listing; the token is the number of keys before it."""
    prefix = unquote(query.get("prefix", [""])[0])
    asked = _KEYS.search(prefix)
    total = int(asked[1]) if asked else 0
    start = int(query.get("continuation-token", ["0"])[0])
    end = min(start + _PAGE, total)
    entries = "".join(
        f"<Contents><Key>{prefix}{place // 1000:04d}/photo-{place:07d}.jpg</Key><LastModified>{MOMENT}"
        f'</LastModified><ETag>"{place:032x}"</ETag><Size>290</Size></Contents>'
        for place in range(start, end)
    )
    more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < total else ""
    return (
        f"<ListBucketResult><Prefix>{prefix}</Prefix><IsTruncated>{str(end < total).lower()}</IsTruncated>"
        f"{more}{entries}</ListBucketResult>"
    ).encode()


async def serve() -> None:
    """Serve on a free port of this machine."""
    server = await asyncio.get_running_loop().create_server(NullS3, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


def main() -> None:
    """Start."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--latency", type=float, default=0.0, help="seconds")
    arguments.add_argument("--slow-down", type=int, default=0, help="refuse every so manieth request")
    arguments.add_argument("--content", type=Path, help="what every object holds")
    arguments.add_argument("--objects", type=Path, help="a folder of buckets that are there")
    chosen = arguments.parse_args()
    NullS3.latency, NullS3.slow_down = chosen.latency, chosen.slow_down
    if chosen.content:
        NullS3.content = chosen.content.read_bytes()
    for path in chosen.objects.rglob("*") if chosen.objects else ():
        if path.is_file():
            data = path.read_bytes()
            name = f"/{path.relative_to(chosen.objects).as_posix()}"
            NullS3.objects[name] = data, hashlib.md5(data, usedforsecurity=False).hexdigest()
    uvloop.run(serve())


if __name__ == "__main__":
    main()
