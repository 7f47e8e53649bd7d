"""Copies on condition of the source's ETag, many at once: obstore cannot set one, and boto3 is slow.

One thread keeps all connections busy: 64 threads of Python wait for each other more than for S3. Whatever S3
answers but "copied" and "it has another ETag" is left to boto3, copy by copy: that tries again, waits when S3
asks to slow down, follows a bucket to its region, and says what is wrong. Made twice, it is the same copy.
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from itertools import groupby, islice
from selectors import EVENT_READ, DefaultSelector
from typing import Any
from urllib.request import getproxies, proxy_bypass

from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import get_cert_path

from roundtruth.copy_requests import CopyRequests, SeenRequest, seen_requests
from roundtruth.parallel import run_in_order
from roundtruth.stored_objects import ConditionalCopy, ObjectUri

BATCH = 32  # copies a connection, before those that are left to boto3 have their turn
_log = logging.getLogger(__name__)
# Done, failed though the status says done, no such source, S3's own failure: each of one copy. Whatever is
# refused otherwise (slow down, no rights, another region) would be refused to the next ones, too.
_OF_ONE_COPY = {b"200", b"404", b"500"}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def copy_many(
    s3_client: Any,
    copies: Iterable[ConditionalCopy],
    copy_if_unchanged: Callable[[ObjectUri, ObjectUri, str], bool],
    *,
    concurrency: int,
) -> Iterator[bool]:
    """Make copies within S3; tells of each, in their order, whether it was made: the source had the ETag.

    :param s3_client: boto3's; without it, the copies are all made by the next.
    :param copy_if_unchanged: copies source to target by boto3 while it has an ETag, and raises what is wrong;
        it is run in threads.
    :param concurrency: how many requests are in flight at once.
    """

    def by_boto3(copy: ConditionalCopy) -> bool:
        return copy_if_unchanged(copy.source, copy.target, copy.etag)

    if s3_client is None:
        yield from run_in_order(by_boto3, copies, concurrency=concurrency)
        return
    for _, of_a_bucket in groupby(copies, key=lambda copy: copy.target.bucket):
        yield from _copy_into_bucket(s3_client, of_a_bucket, by_boto3, concurrency)


def _copy_into_bucket(
    s3_client: Any,
    copies: Iterator[ConditionalCopy],
    by_boto3: Callable[[ConditionalCopy], bool],
    concurrency: int,
) -> Iterator[bool]:
    first = next(copies)
    with seen_requests(s3_client) as seen:
        made = by_boto3(first)
    requests = _repeated(s3_client, seen, first)
    yield made
    if requests is None:
        _log.info("boto3 makes the copies into %s: its requests cannot be repeated.", first.target.bucket)
        yield from run_in_order(by_boto3, copies, concurrency=concurrency)
        return
    silence = s3_client.meta.config.read_timeout
    with closing(_Connections(requests, concurrency, silence, _trusted(s3_client))) as connections:
        while some := list(islice(copies, BATCH * concurrency)):
            outcomes = connections.send(some)
            left = [copy for copy, outcome in zip(some, outcomes, strict=True) if outcome is None]
            if left:
                _log.info(
                    "boto3 makes %d of %d copies again, which S3 did not answer plainly.",
                    len(left),
                    len(some),
                )
            with closing(run_in_order(by_boto3, left, concurrency=concurrency)) as rest:
                yield from (next(rest) if outcome is None else outcome for outcome in outcomes)


def _repeated(s3_client: Any, seen: list[SeenRequest], copy: ConditionalCopy) -> CopyRequests | None:
    """Requests like the one that was seen, or None where only boto3 knows how.

    A proxy in between, a certificate of ours, and a server that may show any certificate are such cases.
    """
    try:
        requests = CopyRequests.like(seen[-1], copy) if seen else None
    except (BotoCoreError, ClientError):  # credentials cannot be refreshed: boto3 will say so
        return None
    config = s3_client.meta.config
    if requests is None or config.proxies or config.client_cert:
        return None
    if requests.scheme == "https" and not _trusted(s3_client):
        return None
    by_proxy = {requests.scheme, "all"} & getproxies().keys() and not proxy_bypass(requests.host)
    return None if by_proxy else requests


def _trusted(s3_client: Any) -> str | None:
    """The file of the certificates that boto3's client trusts; None where it is told to look at none.

    AWS_CA_BUNDLE, its configuration or ``verify`` names it; else it is botocore's own.
    """
    # The client does not say it elsewhere, and another one here could trust whom its owner does not.
    return get_cert_path(s3_client._endpoint.http_session._verify) or None


class _Connections:
    """As many connections as there may be requests in flight; one that breaks is opened anew for a batch."""

    def __init__(self, requests: CopyRequests, count: int, silence: float, trusted: str | None) -> None:
        """Open nothing yet; a server that is silent for so many seconds is given up."""
        self._requests = requests
        self._silence = silence
        self._trusted = trusted
        self._count = count
        self._all: list[HTTPConnection] = []
        self._outcomes: list[bool | None] = []
        self._waiting: Iterator[tuple[int, ConditionalCopy]] = iter(())
        self._asked: dict[HTTPConnection, int] = {}  # connection -> place of its copy in the batch
        self._begun: dict[HTTPConnection, bytes] = {}  # connection -> what has come of its answer

    def close(self) -> None:
        """Close them."""
        for connection in self._all:
            connection.close()

    def send(self, copies: list[ConditionalCopy]) -> list[bool | None]:
        """Make copies: whether the source had the ETag, or None: to be asked again, by boto3."""
        self._outcomes = [None] * len(copies)
        self._waiting = iter(enumerate(copies))
        self._asked, self._begun = {}, {}
        with DefaultSelector() as selector:
            for connection in self._opened(len(copies)):
                if self._ask(connection):
                    selector.register(connection.sock, EVENT_READ, connection)
            while self._asked and (answered := selector.select(self._silence)):
                for key, _ in answered:
                    connection = key.data
                    waits = not self._take(connection) or self._ask(connection)
                    if waits and connection.sock is key.fileobj:
                        continue
                    selector.unregister(key.fileobj)
                    if waits:  # S3 closes a connection now and then; this is a new one
                        selector.register(connection.sock, EVENT_READ, connection)
        for connection in self._asked:  # nobody answered
            connection.close()
        return self._outcomes

    def _opened(self, count: int) -> list[HTTPConnection]:
        """So many open connections, or those that can be opened; at once, as each takes round trips."""
        if not self._all:
            self._all = self._made()
        used = self._all[:count]
        closed = [connection for connection in used if connection.sock is None]
        if closed:
            with ThreadPoolExecutor(len(closed)) as pool:
                list(pool.map(_open, closed))
        return [connection for connection in used if connection.sock is not None]

    def _made(self) -> list[HTTPConnection]:
        host = self._requests.host
        if self._requests.scheme != "https":
            return [HTTPConnection(host, timeout=self._silence) for _ in range(self._count)]
        # One for all: to read botocore's certificates takes 40 ms.
        context = ssl.create_default_context(cafile=self._trusted)
        return [HTTPSConnection(host, timeout=self._silence, context=context) for _ in range(self._count)]

    def _ask(self, connection: HTTPConnection) -> bool:
        """Send the next request, if there is one; False where the connection has nothing to wait for."""
        for place, copy in self._waiting:
            if not (copy.etag.isascii() and copy.etag.isprintable()):
                continue  # no such thing as S3 makes: left to boto3
            try:
                if connection.sock is None:
                    connection.connect()
                connection.sock.sendall(self._requests.request(copy))
            except (OSError, BotoCoreError, ClientError):  # the last two: credentials cannot be refreshed
                connection.close()
                return False
            self._asked[connection] = place
            return True
        return False

    def _take(self, connection: HTTPConnection) -> bool:
        """Read what has come of an answer; tells whether the connection waits for no more of it."""
        try:
            # What TLS itself says makes a connection readable, too: nothing of the answer may be there.
            connection.sock.settimeout(0)
            received = connection.sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            received = b""
        finally:
            connection.sock.settimeout(self._silence)
        answer = self._begun.pop(connection, b"") + received
        head, end, body = answer.partition(b"\r\n\r\n")
        if received and not (end and _is_whole(head, body)):
            self._begun[connection] = answer
            return False
        place = self._asked.pop(connection)
        if not received or _closes(head):
            connection.close()
        if received:
            self._note(place, head[9:12], body)
        return True

    def _note(self, place: int, status: bytes, body: bytes) -> None:
        if status == b"200" and b"</CopyObjectResult>" in body:  # S3 may begin with 200, and then fail
            self._outcomes[place] = True
        elif status == b"412":
            self._outcomes[place] = False
        elif status not in _OF_ONE_COPY:
            self._waiting = iter(())


def _is_whole(head: bytes, body: bytes) -> bool:
    """Whether nothing of an answer is missing: as long as it says, or its last, empty chunk is there.

    An answer that says neither is whole when the server closes; it is left to boto3.
    """
    length = _LENGTH.search(head)
    return len(body) >= int(length[1]) if length else (b"\r\n" + body).endswith(b"\r\n0\r\n\r\n")


def _closes(head: bytes) -> bool:
    return b"\r\nconnection: close" in head.lower() or not head.startswith(b"HTTP/1.1 ")


def _open(connection: HTTPConnection) -> None:
    try:
        connection.connect()
    except OSError:
        connection.close()
