"""The server as a process: it may be killed at any moment, and goes on where it was."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from roundtruth.errors import SandboxError
from roundtruth.sandbox import BUCKET, WORKTEAM_ARN, SandboxSettings
from roundtruth.sandbox.server import Sandbox
from tests.sandbox_job import (
    changed,
    job_request,
    list_keys,
    put_images,
    read_rows,
    wait_for_job,
)
from tests.sandbox_process import sandbox_process

ODD_KEYS = ["a b/c:d#%e+.jpg", "한글/😀.png", "zero\u200bwidth", "..", "a//b/", "x" * 900]


def labels_of(sandbox, job):
    rows = read_rows(sandbox.s3, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    return [
        {key: value for key, value in row.items() if not key.endswith("-metadata")}
        | {"objects": row["pens-metadata"]["objects"]}
        for row in rows
    ]


def start_slow_job(sandbox, count):
    uris = put_images(sandbox.s3, BUCKET, count)
    request = job_request(sandbox.s3, BUCKET, "Slow", uris)
    sandbox.sagemaker.create_labeling_job(**request)
    return request


def test_a_killed_sandbox_goes_on_and_labels_the_same(tmp_path):
    options = ("--seed", "5", "--workers", "mixed")
    faults = tmp_path / "faults.json"  # so that it is killed in the middle, however busy this machine is
    faults.write_text('{"jobs": [{"stall": true, "after": 0.4}]}')
    slow = ("--state", str(tmp_path / "a"), "--speed", "2000", "--faults", str(faults))
    with sandbox_process(*slow, *options) as sandbox:
        request = start_slow_job(sandbox, 18)
        wait_for_job(sandbox.sagemaker, "slow", lambda job: job["LabelCounters"]["TotalLabeled"] >= 6)
        before = {
            key: sandbox.s3.head_object(Bucket=BUCKET, Key=f"out/Slow/{key}")["ETag"]
            for key in list_keys(sandbox.s3, BUCKET, "out/Slow/")
            if "worker-response" in key
        }
        head = sandbox.s3.head_object(Bucket=BUCKET, Key="images/1.jpg")
        sandbox.kill()
    with sandbox_process("--state", str(tmp_path / "a"), "--speed", "2000", *options) as sandbox:
        found = sandbox.sagemaker.describe_labeling_job(LabelingJobName="SLOW")
        assert found["LabelCounters"]["TotalLabeled"] >= 6
        assert found["HumanTaskConfig"] == request["HumanTaskConfig"]
        job = wait_for_job(sandbox.sagemaker, "slow")
        assert (job["LabelingJobStatus"], job["LabelCounters"]["TotalLabeled"]) == ("Completed", 18)
        answers = [key for key in list_keys(sandbox.s3, BUCKET, "out/Slow/") if "worker-response" in key]
        assert len({key.split("/")[3] for key in answers}) == len(answers) == 18
        for key, etag in before.items():  # what was there was not written again
            assert sandbox.s3.head_object(Bucket=BUCKET, Key=f"out/Slow/{key}")["ETag"] == etag
        again = sandbox.s3.head_object(Bucket=BUCKET, Key="images/1.jpg")
        assert (again["ETag"], again["LastModified"]) == (head["ETag"], head["LastModified"])
        with pytest.raises(sandbox.sagemaker.exceptions.ResourceInUse):
            sandbox.sagemaker.create_labeling_job(**changed(request, "LabelingJobName", "sLow"))
        killed = labels_of(sandbox, job)
    with sandbox_process("--speed", "20000", *options) as sandbox:
        start_slow_job(sandbox, 18)
        assert labels_of(sandbox, wait_for_job(sandbox.sagemaker, "slow")) == killed


def test_what_s3_held_survives_sigkill(tmp_path):
    with sandbox_process("--state", str(tmp_path), "--bucket", "kept") as sandbox:
        s3 = sandbox.s3
        for key in ODD_KEYS:
            s3.put_object(
                Bucket="kept", Key=key, Body=key.encode(), ContentType="text/odd", Metadata={"who": "me"}
            )
        s3.put_object(Bucket="kept", Key="gone", Body=b"1")
        s3.put_object(Bucket="kept", Key="gone-too", Body=b"1")
        s3.put_object(Bucket="kept", Key="twice", Body=b"old")
        s3.put_object(Bucket="kept", Key="twice", Body=b"new")
        s3.copy_object(Bucket="kept", Key="copy", CopySource={"Bucket": "kept", "Key": ODD_KEYS[0]})
        s3.delete_object(Bucket="kept", Key="gone")
        s3.delete_objects(Bucket="kept", Delete={"Objects": [{"Key": "gone-too"}]})
        upload = s3.create_multipart_upload(Bucket="kept", Key="parts", ContentType="text/parts")["UploadId"]
        parts = [
            {"PartNumber": number, "ETag": s3.upload_part(
                Bucket="kept", Key="parts", UploadId=upload, PartNumber=number, Body=body
            )["ETag"]}
            for number, body in ((1, b"a" * 5 * 1024 * 1024), (2, b"b"))
        ]  # fmt: skip
        s3.complete_multipart_upload(
            Bucket="kept", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
        )
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "AllowedHeaders": [], "MaxAgeSeconds": 5}
        s3.put_bucket_cors(Bucket="kept", CORSConfiguration={"CORSRules": [rule]})
        s3.create_bucket(Bucket="second")
        s3.create_bucket(Bucket="third")
        s3.delete_bucket(Bucket="third")
        listed = s3.list_objects_v2(Bucket="kept")["Contents"]
        cors = s3.get_bucket_cors(Bucket="kept")["CORSRules"]
        sandbox.kill()
    with sandbox_process("--state", str(tmp_path), "--bucket", "kept") as sandbox:
        s3 = sandbox.s3
        assert s3.list_objects_v2(Bucket="kept")["Contents"] == listed
        assert sorted(item["Key"] for item in listed) == sorted([*ODD_KEYS, "copy", "parts", "twice"])
        for key in ODD_KEYS:
            got = s3.get_object(Bucket="kept", Key=key)
            assert (got["Body"].read(), got["ContentType"]) == (key.encode(), "text/odd")
            assert got["Metadata"] == {"who": "me"}
        assert s3.get_object(Bucket="kept", Key="twice")["Body"].read() == b"new"
        assert s3.head_object(Bucket="kept", Key="parts")["ContentLength"] == 5 * 1024 * 1024 + 1
        assert s3.get_bucket_cors(Bucket="kept")["CORSRules"] == cors
        assert [found["Name"] for found in s3.list_buckets()["Buckets"]] == ["kept", "second"]


def test_a_port_that_is_taken(sandbox):
    port = sandbox.endpoint_url.rpartition(":")[2]
    command = [sys.executable, "-m", "roundtruth.sandbox", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "error: The sandbox cannot listen on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": "replay"}, "give both or neither"),
        ({"replay": Path("x")}, "give both or neither"),
        ({"speed": 0.0}, "must be above 0"),
        ({"workers": "replay", "replay": Path("/nowhere/output.manifest")}, "is not a file"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(SandboxError, match=message):
        SandboxSettings(**settings)


def test_one_sandbox_a_process(sandbox):
    with pytest.raises(SandboxError, match="runs in this process already"):
        Sandbox(SandboxSettings()).start()


def test_controls(sandbox, sagemaker_client):
    def get(name, **options):
        request = urllib.request.Request(f"{sandbox.endpoint_url}/_sandbox/{name}", **options)
        return json.load(urllib.request.urlopen(request))

    assert get("health") == {
        "status": "ok",
        "region": "us-east-1",
        "workteam_arn": WORKTEAM_ARN,
        "role_arn": "arn:aws:iam::123456789012:role/RoundtruthGroundTruthExecution",
    }
    assert isinstance(get("jobs"), list)
    for name, body in (
        ("nothing", None),
        ("faults", b'{"call": []}'),
        ("faults", b'{"calls": [{"share": 2}]}'),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(name, data=body)
        assert "error" in json.loads(refused.value.read())
