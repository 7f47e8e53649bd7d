"""Requests of copies beside those that botocore makes and signs, for each way of naming a bucket."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from roundtruth.copy_requests import CopyRequests, SeenRequest, seen_requests
from roundtruth.stored_objects import ConditionalCopy, ObjectUri
from tests.copy_server import DONE

MOMENT = "20260105T080000Z"
ACCESS_KEY, SECRET_KEY = "AKIAROUNDTRUTHTEST00", "this/secret+is=made-up"
KEYS = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=40)


class _Body:
    def stream(self, **_: Any) -> list[bytes]:
        return [DONE]


def seen_of(copy: ConditionalCopy, *, token: str | None = None, **options: Any) -> list[SeenRequest]:
    """What a client that sends nothing shows of a copy."""
    s3_client = boto3.Session(ACCESS_KEY, SECRET_KEY, token, "eu-west-1").client("s3", **options)

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, {}, _Body())

    s3_client.meta.events.register("before-send.s3.CopyObject", answer)
    with seen_requests(s3_client) as seen:
        s3_client.copy_object(
            Bucket=copy.target.bucket,
            Key=copy.target.key,
            CopySource={"Bucket": copy.source.bucket, "Key": copy.source.key},
            CopySourceIfMatch=f'"{copy.etag}"',
        )
    _KEPT.append(s3_client)  # its signer holds it by a weak reference only
    return seen


_KEPT: list[Any] = []


def copy_of(source: str, target: str, bucket: str = "labels") -> ConditionalCopy:
    return ConditionalCopy(ObjectUri("photos", source), ObjectUri(bucket, target), "0" * 32)


def parsed(request: bytes) -> tuple[str, dict[str, str]]:
    """The path, and the headers."""
    head, _, body = request.decode("latin-1").partition("\r\n\r\n")
    assert body == ""
    start, *lines = head.split("\r\n")
    method, path, version = start.split(" ")
    assert (method, version) == ("PUT", "HTTP/1.1")
    return path, dict(line.split(": ", 1) for line in lines)


CLIENTS = {
    "an endpoint of one's own": ({"endpoint_url": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000/labels/"),
    "AWS": ({}, "https://labels.s3.eu-west-1.amazonaws.com/"),
    "by path": (
        {"config": Config(s3={"addressing_style": "path"})},
        "https://s3.eu-west-1.amazonaws.com/labels/",
    ),
    "dual stack": (
        {"config": Config(s3={"use_dualstack_endpoint": True})},
        "https://labels.s3.dualstack.eu-west-1.amazonaws.com/",
    ),
    "a session's token": ({"token": "FwoGZX{IvYXdzE}A=="}, "https://labels.s3.eu-west-1.amazonaws.com/"),
    "an endpoint with a path": ({"endpoint_url": "https://s3.local/a/b"}, "https://s3.local/a/b/labels/"),
}


@pytest.mark.parametrize(("options", "folder"), CLIENTS.values(), ids=CLIENTS)
def test_the_next_copy_is_asked_for_as_boto3_would(options: dict[str, Any], folder: str) -> None:
    first, second = copy_of("a/1.jpg", "to/1.jpg"), copy_of("한글/é #1%+&?=~.jpg", "to/볼펜 😀//.x.jpg")
    requests = CopyRequests.like(seen_of(first, **options)[-1], first)
    assert requests is not None
    path, headers = parsed(requests.request(second, MOMENT))
    assert f"{requests.scheme}://{headers['host']}{path}".startswith(folder)
    boto3s = seen_of(second, **options)[-1]
    assert f"{requests.scheme}://{headers['host']}{path}" == boto3s.url
    assert authorization(boto3s, options.get("token")) == headers["authorization"]
    assert headers.get("x-amz-security-token") == options.get("token")
    assert headers["x-amz-copy-source"] == boto3s.headers["x-amz-copy-source"]
    assert headers["x-amz-copy-source-if-match"] == f'"{second.etag}"'


def authorization(seen: SeenRequest, token: str | None = None, moment: str = MOMENT) -> str:
    """What botocore signs for a moment."""
    auth = S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, token), seen.service, seen.region)
    request = AWSRequest(method="PUT", url=seen.url, headers=seen.headers)
    request.context["timestamp"] = moment
    auth._modify_request_before_signing(request)
    text = auth.string_to_sign(request, auth.canonical_request(request))
    auth._inject_signature_to_request(request, auth.signature(text, request))
    return str(request.headers["Authorization"])


FIRST = copy_of("a/1.jpg", "to/1.jpg")
SEEN = seen_of(FIRST, endpoint_url="http://127.0.0.1:9000", token="a token")[-1]
LIKE_IT = CopyRequests.like(SEEN, FIRST)


@settings(max_examples=300, deadline=None)
@given(
    source=KEYS,
    target=KEYS,
    etag=st.from_regex(r"[0-9a-f]{32}(-[1-9]{1,4})?", fullmatch=True),
    moment=st.datetimes().map(lambda one: f"{one:%m%dT%H%M%SZ}"),
)
def test_any_key_is_signed_as_botocore_signs_it(source: str, target: str, etag: str, moment: str) -> None:
    assert LIKE_IT is not None
    moment = f"2026{moment}"
    copy = ConditionalCopy(ObjectUri("photos", source), ObjectUri("labels", target), etag)
    path, headers = parsed(LIKE_IT.request(copy, moment))
    theirs = SeenRequest(
        url=f"http://{headers['host']}{path}",
        headers={
            "x-amz-copy-source": headers["x-amz-copy-source"],
            "x-amz-copy-source-if-match": f'"{etag}"',
        },
        region=SEEN.region,
        service=SEEN.service,
        signer=SEEN.signer,
    )
    assert headers["authorization"] == authorization(theirs, "a token", moment)
    assert path.isascii()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"config": Config(signature_version=UNSIGNED)}, id="unsigned"),
        pytest.param({"config": Config(signature_version="s3")}, id="signature version 2"),
    ],
)
def test_another_signature_is_not_repeated(options: dict[str, Any]) -> None:
    assert seen_of(FIRST, **options) == []


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("http://127.0.0.1:9000/labels/to/1.jpg?versionId=1", {}, id="a query"),
        pytest.param("http://127.0.0.1:9000/labels/another.jpg", {}, id="another key"),
        pytest.param(SEEN.url, {"x-amz-copy-source": "photos/a%2F1.jpg"}, id="another way to quote"),
        pytest.param(SEEN.url, {"x-amz-copy-source-if-match": "0"}, id="another condition"),
    ],
)
def test_a_request_that_is_made_otherwise_is_not_repeated(url: str, headers: dict[str, str]) -> None:
    seen = SeenRequest(
        url=url, headers=SEEN.headers | headers, region=SEEN.region, service=SEEN.service, signer=SEEN.signer
    )
    assert CopyRequests.like(seen, FIRST) is None


def test_only_requests_of_this_thread_are_seen() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with seen_requests(_KEPT[0]) as seen, ThreadPoolExecutor(1) as pool:
        pool.submit(
            _KEPT[0].copy_object, Bucket="labels", Key="k", CopySource={"Bucket": "photos", "Key": "k"}
        ).result()
    assert seen == []
