"""Conditional writes: of writers at the same time exactly one wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import obstore
import pytest
from botocore.exceptions import ClientError
from obstore.store import S3Store

from roundtruth.sandbox import REGION
from tests.sandbox_fixture import client


def code_of(call, **arguments):
    """The HTTP status of a call, whether it fails or not."""
    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_one_of_many_creates(sandbox, bucket):
    def create(number):
        s3 = client("s3", sandbox.endpoint_url)
        return code_of(s3.put_object, Bucket=bucket, Key="key", Body=str(number), IfNoneMatch="*")

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(create, range(16)))
    assert sorted(codes) == [200] + [412] * 15


def test_one_of_many_replaces(sandbox, s3_client, bucket):
    etag = s3_client.put_object(Bucket=bucket, Key="latest.json", Body=b"0")["ETag"]

    def replace(number):
        s3 = client("s3", sandbox.endpoint_url)
        return code_of(s3.put_object, Bucket=bucket, Key="latest.json", Body=f"new {number}", IfMatch=etag)

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(replace, range(16)))
    assert sorted(codes) == [200] + [412] * 15


def test_if_match_needs_the_object(s3_client, bucket):
    assert code_of(s3_client.put_object, Bucket=bucket, Key="none", Body=b"", IfMatch='"abc"') == 404


@pytest.mark.parametrize(
    ("condition", "target", "status"),
    [
        ({"IfNoneMatch": "*"}, "there", 412),
        ({"IfNoneMatch": "*"}, "new", 200),
        ({"IfMatch": '"0000"'}, "there", 412),
    ],
)
def test_copies_look_at_conditions(s3_client, bucket, condition, target, status):
    for key in ("source", "there"):
        s3_client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    source = {"Bucket": bucket, "Key": "source"}
    assert code_of(s3_client.copy_object, Bucket=bucket, Key=target, CopySource=source, **condition) == status


def test_finished_uploads_look_at_conditions(s3_client, bucket):
    def finish(key, **condition):
        upload = s3_client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        part = s3_client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"new")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        return code_of(
            s3_client.complete_multipart_upload,
            Bucket=bucket, Key=key, UploadId=upload, MultipartUpload=parts, **condition,
        )  # fmt: skip

    s3_client.put_object(Bucket=bucket, Key="there", Body=b"old")
    assert finish("there", IfNoneMatch="*") == 412
    assert finish("there", IfMatch='"0000"') == 412
    assert finish("new", IfNoneMatch="*") == 200


def test_obstore_creates_and_updates(sandbox, bucket):
    store = S3Store(
        bucket,
        endpoint=sandbox.endpoint_url,
        region=REGION,
        access_key_id="a",
        secret_access_key="b",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    first = obstore.put(store, "a b:#%한😀.txt", b"1", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "a b:#%한😀.txt", b"2", mode="create")
    obstore.put(store, "a b:#%한😀.txt", b"3", mode={"e_tag": first["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "a b:#%한😀.txt", b"4", mode={"e_tag": first["e_tag"]})
    assert bytes(obstore.get(store, "a b:#%한😀.txt").bytes()) == b"3"
    assert [item["path"] for batch in obstore.list(store) for item in batch] == ["a b:#%한😀.txt"]
    obstore.put(store, "large", b"x" * 12_000_000)
    assert obstore.head(store, "large")["size"] == 12_000_000


def test_other_services_are_motos(sandbox):
    identity = client("sts", sandbox.endpoint_url).get_caller_identity()
    assert identity["Account"] == "123456789012"
