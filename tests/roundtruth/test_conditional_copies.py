"""Copies on condition, over HTTP: whatever S3 answers, each is made, or not, as boto3 alone would have it."""

from __future__ import annotations

import re
import ssl
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from roundtruth.errors import StorageError
from roundtruth.storage import ObjectUri, Storage
from roundtruth.stored_objects import ConditionalCopy
from tests.copy_server import Answer, CopyServer, copy_server, error
from tests.roundtruth.test_storage import ODD_KEYS
from tests.store import ACCESS_KEY, SECRET_KEY, storage

__all__ = ["storage"]

COUNT = 300  # more than a batch of two connections
VICTIM = 107
ETAG = "0123456789abcdef0123456789abcdef-2"


@pytest.fixture
def server() -> Iterator[CopyServer]:
    """A server of this test's own."""
    with copy_server() as running:
        yield running


def client(server: CopyServer, session: boto3.Session | None = None, **config: Any) -> Any:
    """A boto3 client of it; what fails is tried once more."""
    session = session or boto3.Session(ACCESS_KEY, SECRET_KEY, region_name="eu-west-1")
    config = {"retries": {"total_max_attempts": 2, "mode": "standard"}} | config
    return session.client("s3", endpoint_url=server.address, config=Config(**config))


def storage_of(s3_client: Any) -> Storage:
    return Storage(None, s3_client, concurrency=2)


def copies(count: int = COUNT, bucket: str = "b") -> list[ConditionalCopy]:
    return [
        ConditionalCopy(
            ObjectUri("from", f"images/{number}.jpg"), ObjectUri(bucket, f"to/{number}.jpg"), ETAG
        )
        for number in range(count)
    ]


ANSWERS = {
    "made": ([Answer()], True, 1),
    "made, in chunks": ([Answer(how="in chunks")], True, 1),
    "made, in pieces": ([Answer(how="in pieces")], True, 1),
    "made, and the connection closes": ([Answer(how="and closes")], True, 1),
    "made, without a length": ([Answer(how="without a length")], True, 2),
    "another ETag": ([Answer(status=412, body=error("PreconditionFailed"))], False, 1),
    "200 that holds an error": ([Answer(body=error("InternalError"))], True, 2),
    "200 that holds an error, twice": ([Answer(body=error("InternalError"))] * 2, True, 3),
    "another ETag, the end of its head later": ([Answer(status=412, body=b"", how="in pieces")], False, 1),
    "another ETag, in no chunk": ([Answer(status=412, body=b"", how="in chunks")], False, 1),
    "200 without a body": ([Answer(body=b"")], True, 2),
    "slow down": ([Answer(status=503, body=error("SlowDown"))], True, 2),
    "slow down, twice": ([Answer(status=503, body=error("SlowDown"))] * 2, True, 3),
    "slow down, then another ETag": (
        [Answer(status=503, body=error("SlowDown")), Answer(status=412, body=error("PreconditionFailed"))],
        False,
        2,
    ),
    "500": ([Answer(status=500, body=error("InternalError"))], True, 2),
    "expired token": ([Answer(status=400, body=error("ExpiredToken"))], True, 2),
    "hung up": ([Answer(how="nothing, and it hangs up")], True, 2),
    "silence": ([Answer(how="never")], True, 2),
    "no such key": ([Answer(status=404, body=error("NoSuchKey"))] * 2, False, 2),
}


@pytest.mark.parametrize(("answers", "made", "requests"), ANSWERS.values(), ids=ANSWERS)
def test_each_answer(server: CopyServer, answers: list[Answer], made: bool, requests: int) -> None:
    server.answers[f"b/to/{VICTIM}.jpg"] = answers
    found = list(storage_of(client(server, read_timeout=0.5)).copy_many_if_unchanged(copies()))
    assert found == [made if number == VICTIM else True for number in range(COUNT)]
    sent = server.of(f"b/to/{VICTIM}.jpg")
    assert [request.by_boto3 for request in sent] == [False, True, True][:requests]
    assert all(request.is_signed_with(SECRET_KEY) for request in server.requests)
    assert {request.headers["x-amz-copy-source-if-match"] for request in server.requests} == {f'"{ETAG}"'}
    assert len({request.path for request in server.requests}) == COUNT
    again = len(server.requests) - COUNT
    assert again == requests - 1, "nothing is sent twice but what was not answered"


def test_boto3_makes_the_first_copy_and_what_was_refused(server: CopyServer) -> None:
    server.answers["b/to/200.jpg"] = [Answer(status=500, body=error("InternalError"))]
    assert all(storage_of(client(server)).copy_many_if_unchanged(copies()))
    by_boto3 = [request.path for request in server.requests if request.by_boto3]
    assert by_boto3 == ["b/to/0.jpg", "b/to/200.jpg"]


def test_after_slow_down_the_rest_of_a_batch_is_left_to_boto3(server: CopyServer) -> None:
    server.answers["b/to/10.jpg"] = [Answer(status=503, body=error("SlowDown"))]
    assert all(storage_of(client(server)).copy_many_if_unchanged(copies()))
    by_boto3 = {int(re.sub(r"\D", "", request.path)) for request in server.requests if request.by_boto3}
    assert {0, *range(13, 65)} <= by_boto3 <= {0, *range(10, 65)}  # of two at once, batches of 64


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=403, body=error("AccessDenied")), "AccessDenied"),
        (Answer(status=503, body=error("SlowDown")), "SlowDown"),
        (Answer(body=error("InternalError")), "InternalError"),
    ],
    ids=["no rights", "slow down for ever", "200 with an error for ever"],
)
def test_what_stays_refused_is_raised_behind_the_copies_before_it(
    server: CopyServer, answer: Answer, words: str
) -> None:
    for number in range(100, COUNT):
        server.answers[f"b/to/{number}.jpg"] = [answer] * 9
    retries = {"total_max_attempts": 1, "mode": "standard"}
    outcomes = storage_of(client(server, retries=retries)).copy_many_if_unchanged(copies())
    found = list(islice(outcomes, 100))
    with pytest.raises(StorageError, match=rf"Cannot copy s3://from/images/100.jpg .*{words}"):
        next(outcomes)
    assert found == [True] * 100


@pytest.mark.parametrize("place", range(len(ODD_KEYS)))
def test_odd_keys(server: CopyServer, place: int) -> None:
    key = ODD_KEYS[place]
    plain = copies(2)
    odd = ConditionalCopy(ObjectUri("from", key), ObjectUri("b", f"to/{key}"), ETAG)
    assert list(storage_of(client(server)).copy_many_if_unchanged([*plain, odd, *plain[:1]])) == [True] * 4
    by_boto3 = list(storage_of(client(server)).copy_many_if_unchanged([odd]))
    assert by_boto3 == [True]
    ours, boto3s = server.of(f"b/to/{key}")
    assert not ours.by_boto3
    assert ours.is_signed_with(SECRET_KEY)
    assert ours.url == boto3s.url
    assert ours.headers["x-amz-copy-source"] == boto3s.headers["x-amz-copy-source"]


def test_odd_keys_in_a_whole_s3(storage: Storage, bucket: str) -> None:
    wanted, etags = [], []
    for key in [*ODD_KEYS, "a//b.jpg", "./c"]:
        source = ObjectUri(bucket, f"images/{key}")
        storage._s3_client.put_object(Bucket=bucket, Key=source.key, Body=key.encode())
        found = storage.head(source)
        assert found is not None
        etags.append(found.etag)
        wanted.append(ConditionalCopy(source, ObjectUri(bucket, f"copies/{key}"), found.etag))
    assert list(storage.copy_many_if_unchanged(wanted)) == [True] * len(wanted)
    assert [storage.read(copy.target) for copy in wanted] == [storage.read(copy.source) for copy in wanted]
    storage.write(wanted[3].source, b"replaced")
    again = list(storage.copy_many_if_unchanged(wanted))
    assert again == [number != 3 for number in range(len(wanted))]
    assert storage.read(wanted[3].target) == ODD_KEYS[3].encode()


def test_two_buckets_are_not_confused(server: CopyServer) -> None:
    both = [*copies(20, "one"), *copies(20, "two")]
    assert all(storage_of(client(server)).copy_many_if_unchanged(both))
    assert sorted(request.path for request in server.requests) == sorted(
        f"{copy.target.bucket}/{copy.target.key}" for copy in both
    )


def test_credentials_are_refreshed_while_copies_are_made(server: CopyServer) -> None:
    made = 0

    def refresh() -> dict[str, str]:
        nonlocal made
        made += 1
        soon = datetime.now(UTC) + timedelta(seconds=5)  # under botocore's ten minutes: refreshed at each use
        return {
            "access_key": f"AKIA{made}",
            "secret_key": f"secret-{made}",
            "token": f"token-{made}",
            "expiry_time": soon.isoformat(),
        }

    inside = botocore.session.get_session()
    inside._credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "made up")
    session = boto3.Session(botocore_session=inside, region_name="eu-west-1")
    assert all(storage_of(client(server, session)).copy_many_if_unchanged(copies(50)))
    tokens = {request.headers["x-amz-security-token"] for request in server.requests}
    assert len(tokens) > 10
    for request in server.requests:
        assert request.is_signed_with(request.headers["x-amz-security-token"].replace("token", "secret"))


def test_credentials_that_cannot_be_refreshed(server: CopyServer) -> None:
    def refresh() -> dict[str, str]:
        return {}

    soon = {"access_key": "AKIA1", "secret_key": "one", "token": "1"}
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    inside = botocore.session.get_session()
    credentials = RefreshableCredentials.create_from_metadata(
        soon | {"expiry_time": until}, refresh, "made up"
    )
    inside._credentials = credentials
    session = boto3.Session(botocore_session=inside, region_name="eu-west-1")
    found = storage_of(client(server, session)).copy_many_if_unchanged(copies(50))
    assert next(found)
    credentials._expiry_time = datetime.now(UTC) - timedelta(hours=1)
    with pytest.raises(StorageError, match=r"Cannot copy s3://from/images/\d.jpg: .*refresh failed"):
        list(found)


def test_headers_that_somebodys_client_adds_are_sent_and_signed(server: CopyServer) -> None:
    s3_client = client(server)

    def encrypt(params: dict[str, Any], **_: Any) -> None:
        params |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:key/{1}  2"}

    s3_client.meta.events.register("before-parameter-build.s3.CopyObject", encrypt)
    assert all(storage_of(s3_client).copy_many_if_unchanged(copies(20)))
    assert sum(request.by_boto3 for request in server.requests) == 1
    for request in server.requests:
        assert request.headers["x-amz-server-side-encryption"] == "aws:kms"
        assert request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:aws:kms:key/{1}  2"
        assert request.is_signed_with(SECRET_KEY)


def test_behind_a_proxy_all_are_made_by_boto3(server: CopyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_client = client(server)  # which looks for proxies now
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert all(storage_of(s3_client).copy_many_if_unchanged(copies(20)))
    assert all(request.by_boto3 for request in server.requests)


def test_an_etag_that_no_header_can_hold_is_not_sent(server: CopyServer) -> None:
    bad = ConditionalCopy(ObjectUri("from", "x"), ObjectUri("b", "y"), 'a"\r\nx-amz-acl: public-read')
    found = storage_of(client(server)).copy_many_if_unchanged([*copies(3), bad])
    with pytest.raises(StorageError, match="Cannot copy s3://from/x"):
        list(found)
    assert server.of("b/y") == []


def test_no_copies_at_all(server: CopyServer) -> None:
    assert list(storage_of(client(server)).copy_many_if_unchanged([])) == []
    assert server.requests == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    unlocked = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unlocked) + made.public_bytes(pem)
    )
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[CopyServer]:
    """The same server over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with copy_server(context) as running:
        yield running


@pytest.mark.parametrize("how", ["with a length", "in chunks", "in pieces", "and closes"])
def test_over_tls(
    tls_server: CopyServer, certificate: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    tls_server.answers[f"b/to/{VICTIM}.jpg"] = [Answer(how=how)]
    found = list(storage_of(client(tls_server)).copy_many_if_unchanged(copies()))
    assert found == [True] * COUNT
    assert [request.path for request in tls_server.requests if request.by_boto3] == ["b/to/0.jpg"]
    assert all(request.is_signed_with(SECRET_KEY) for request in tls_server.requests)


def test_a_client_that_looks_at_no_certificate_makes_all_copies_itself(tls_server: CopyServer) -> None:
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name="eu-west-1")
    careless = session.client("s3", endpoint_url=tls_server.address, verify=False)
    with warnings.catch_warnings(action="ignore"):  # urllib3 warns at each request
        assert list(storage_of(careless).copy_many_if_unchanged(copies(5))) == [True] * 5
    assert all(request.by_boto3 for request in tls_server.requests)


def test_a_server_that_the_client_does_not_trust_gets_nothing(tls_server: CopyServer) -> None:
    with pytest.raises(StorageError, match=r"Cannot copy s3://from/images/0\.jpg"):
        list(storage_of(client(tls_server)).copy_many_if_unchanged(copies(5)))
    assert tls_server.requests == []


def test_silent_connections_are_waited_for_at_once(tls_server: CopyServer, certificate: Path) -> None:
    """TLS makes a new connection readable before anything is answered."""
    session = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name="eu-west-1")
    silent = [f"b/to/{number}.jpg" for number in range(1, 9)]
    tls_server.answers.update({path: [Answer(how="never")] for path in silent})
    config = Config(read_timeout=2, retries={"total_max_attempts": 1})
    s3_client = session.client("s3", endpoint_url=tls_server.address, config=config, verify=str(certificate))
    began = time.monotonic()
    assert all(Storage(None, s3_client, concurrency=8).copy_many_if_unchanged(copies(9)))
    assert time.monotonic() - began < 8 * 2, "one after the other they would take eight times as long"
    assert all(len(tls_server.of(path)) == 2 for path in silent)
