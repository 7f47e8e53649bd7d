"""The request of a copy on condition of an ETag, as boto3 makes it, at a tenth of the CPU.

boto3 makes the first copy into a bucket. What it sent is repeated for the others with another key, source and
condition, and signed anew: address, region, token and whatever headers somebody's client adds stay as they
are. Before anything is sent, our request of that first copy is compared with what botocore's own signer makes
of it; where they differ, or another signature is asked for (S3 Express, none), there is nothing to repeat.

Imported where it is used: botocore loads urllib3, which is too slow for Dag parsing.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from botocore.auth import AUTH_TYPE_MAPS, S3SigV4Auth
from botocore.awsrequest import AWSRequest

from roundtruth.stored_objects import ConditionalCopy

ALGORITHM = "AWS4-HMAC-SHA256"
EVENT = "before-sign.s3.CopyObject"
# The SDK's own count of tries: no server needs it, and it is another one in each request.
_LEFT_OUT = "amz-sdk-"
_MADE_ANEW = {
    "authorization",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-date",
    "x-amz-security-token",
}
# What a request may say of its signature; credentials of its own (S3 Express) are not repeated.
_KNOWN = {"signing_name", "region", "disableDoubleEncoding"}
# botocore signs all headers but what proxies change: SIGNED_HEADERS_BLACKLIST of botocore/auth.py.
_NOT_SIGNED = {"expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"}


@dataclass(frozen=True, kw_only=True)
class SeenRequest:
    """What boto3 was about to sign, for which region and service, and the signer with today's credentials."""

    url: str
    headers: dict[str, str]
    region: str
    service: str
    signer: Callable[[], Any]


@contextmanager
def seen_requests(s3_client: Any) -> Iterator[list[SeenRequest]]:
    """The requests of copies that boto3 signs in this thread within the context, the last try last.

    Those that botocore signs in another way than S3SigV4Auth does are left out: they cannot be repeated here.
    """
    seen: list[SeenRequest] = []
    thread = threading.get_ident()

    def look(request: Any, signing_name: str, region_name: str, request_signer: Any, **more: Any) -> None:
        own: dict[str, Any] = request.context.get("signing", {})  # as RequestSigner.sign takes it
        ours = threading.get_ident() == thread and own.keys() <= _KNOWN
        if not ours or AUTH_TYPE_MAPS.get(more["signature_version"]) is not S3SigV4Auth:
            return
        service, region = own.get("signing_name", signing_name), own.get("region", region_name)
        signer = partial(
            request_signer.get_auth_instance,
            signing_name=service,
            region_name=region,
            signature_version=more["signature_version"],
        )
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
            if not name.lower().startswith(_LEFT_OUT)
        }
        one = SeenRequest(url=request.url, headers=headers, region=region, service=service, signer=signer)
        seen.append(one)

    events = s3_client.meta.events
    events.register(EVENT, look)
    try:
        yield seen
    finally:
        events.unregister(EVENT, look)


class CopyRequests:
    """Requests of copies into one bucket, like one that was seen; ``scheme`` and ``host`` say where to."""

    @classmethod
    def like(cls, seen: SeenRequest, copy: ConditionalCopy) -> CopyRequests | None:
        """Requests like that of this copy; None where ours of it is not the same to the last letter."""
        theirs = AWSRequest(method="PUT", url=seen.url, headers=seen.headers)
        seen.signer().add_auth(theirs)
        headers = {name.lower(): value for name, value in theirs.headers.items()}
        requests = cls(seen, copy, headers)
        start, *lines = requests.request(copy, headers["x-amz-date"]).decode("latin-1").split("\r\n")
        ours = dict(line.split(": ", 1) for line in lines if line)
        address = f"{requests.scheme}://{ours.pop('host')}{start.split(' ')[1]}"
        return requests if address == seen.url and ours == headers | {"content-length": "0"} else None

    def __init__(self, seen: SeenRequest, copy: ConditionalCopy, signed: Mapping[str, str]) -> None:
        """Take what stays the same from the request of one copy and its signed headers."""
        self._signer, self._region, self._service = seen.signer, seen.region, seen.service
        address = urlsplit(seen.url)
        self.scheme, self.host = address.scheme, address.netloc
        self._folder = address.path.removesuffix(quote(copy.target.key))
        self._constant = {name: value for name, value in signed.items() if name not in _MADE_ANEW}
        self._credentials: Any = None
        self._template = _Template("", "", "")
        self._key: tuple[str, bytes] = ("", b"")

    def request(self, copy: ConditionalCopy, moment: str = "") -> bytes:
        """The request of one copy, signed now, or for a moment (UTC, %Y%m%dT%H%M%SZ)."""
        credentials = self._signer().credentials  # fresh ones, where they expire
        if credentials != self._credentials:
            self._template = self._made_for(credentials.token)
            self._credentials, self._key = credentials, ("", b"")
        moment = moment or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        fields = {
            "path": self._folder + quote(copy.target.key),
            "source": quote(f"{copy.source.bucket}/{copy.source.key}"),
            "etag": copy.etag,
            "moment": moment,
        }
        scope = f"{moment[:8]}/{self._region}/{self._service}/aws4_request"
        digest = hashlib.sha256(self._template.canonical.format_map(fields).encode()).hexdigest()
        text = f"{ALGORITHM}\n{moment}\n{scope}\n{digest}"
        fields["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={self._template.names}, "
            f"Signature={hmac.digest(self._signing_key(moment[:8]), text.encode(), 'sha256').hex()}"
        )
        return self._template.request.format_map(fields).encode("latin-1")

    def _made_for(self, token: str | None) -> _Template:
        """What is signed and what is sent, by signature version 4.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        """
        constant = self._constant | {"host": self.host}
        if token:
            constant["x-amz-security-token"] = token
        headers = {name: value.replace("{", "{{").replace("}", "}}") for name, value in constant.items()}
        headers["x-amz-copy-source"] = "{source}"
        headers["x-amz-copy-source-if-match"] = '"{etag}"'
        headers["x-amz-date"] = "{moment}"
        signed = sorted(headers.keys() - _NOT_SIGNED)
        lines = [f"{name}:{' '.join(headers[name].split())}" for name in signed]
        names = ";".join(signed)
        canonical = ["PUT", "{path}", "", *lines, "", names, headers["x-amz-content-sha256"]]
        headers |= {"authorization": "{authorization}", "content-length": "0"}
        request = ["PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return _Template("\n".join(canonical), names, "\r\n".join(request))

    def _signing_key(self, day: str) -> bytes:
        """It is the same all day for the same secret."""
        made_for, key = self._key
        if made_for != day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = day, key
        return key


class _Template(NamedTuple):
    """What is signed, the names of the signed headers, and what is sent; with fields to be filled in."""

    canonical: str
    names: str
    request: str
