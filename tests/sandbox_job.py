"""A labeling job for tests: its files in S3, its request, and waiting for its end."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from roundtruth.sandbox import ROLE_ARN, WORKTEAM_ARN
from roundtruth.sandbox.truth import TrueBox, Truth, encode_truth, truth_uri

LAMBDA = "arn:aws:lambda:us-east-1:432418664414:function:"
PUBLIC_TEAM = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-bounding-box name="boundingBox" src="{{ task.input.taskObject | grant_read_access }}"
labels="{{ task.input.labels | to_json | escape }}" header="Draw">
</crowd-bounding-box></crowd-form>"""
CLASSIFIER = (
    '<crowd-form><crowd-image-classifier name="crowd-image-classifier"></crowd-image-classifier></crowd-form>'
)
TERMINAL = {"Completed", "Failed", "Stopped"}


def put_images(
    s3: Any, bucket: str, count: int, size: tuple[int, int] = (320, 240), prefix: str = "images/"
) -> list[str]:
    """Put images `images/<i>.jpg` with i % 4 boxes of pencil and pen in turn; returns their URIs."""
    content = BytesIO()
    Image.new("RGB", size, (200, 180, 150)).save(content, "JPEG")
    uris = []
    for number in range(count):
        boxes = tuple(
            TrueBox(
                label=("pencil", "pen")[place % 2],
                left=20 + 70 * place,
                top=30 + 40 * place,
                width=60,
                height=45,
            )
            for place in range(number % 4)
        )
        key = f"{prefix}{number}.jpg"
        truth = Truth(width=size[0], height=size[1], objects=boxes)
        s3.put_object(Bucket=bucket, Key=key, Body=content.getvalue())
        s3.put_object(Bucket=bucket, Key=truth_uri(key), Body=encode_truth(truth))
        uris.append(f"s3://{bucket}/{key}")
    return uris


def put_manifest(s3: Any, bucket: str, rows: Sequence[dict[str, Any]], key: str = "input.manifest") -> str:
    """Put a manifest of these rows; returns its URI."""
    body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    return f"s3://{bucket}/{key}"


def put_labels(
    s3: Any, bucket: str, labels: Sequence[str] = ("pencil", "pen"), key: str = "labels.json"
) -> str:
    """Put a label category config; returns its URI."""
    config = {"document-version": "2018-11-28", "labels": [{"label": label} for label in labels]}
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(config))
    return f"s3://{bucket}/{key}"


def put_template(s3: Any, bucket: str, template: str = TEMPLATE, key: str = "template.liquid") -> str:
    """Put a worker page; returns its URI."""
    s3.put_object(Bucket=bucket, Key=key, Body=template.encode())
    return f"s3://{bucket}/{key}"


def job_request(s3: Any, bucket: str, name: str, uris: Sequence[str] = ()) -> dict[str, Any]:
    """A valid bounding box request over these images, its files put in S3."""
    return {
        "LabelingJobName": name,
        "LabelAttributeName": "pens",
        "InputConfig": {
            "DataSource": {
                "S3DataSource": {
                    "ManifestS3Uri": put_manifest(s3, bucket, [{"source-ref": uri} for uri in uris])
                }
            }
        },
        "OutputConfig": {"S3OutputPath": f"s3://{bucket}/out/"},
        "RoleArn": ROLE_ARN,
        "LabelCategoryConfigS3Uri": put_labels(s3, bucket),
        "HumanTaskConfig": {
            "WorkteamArn": WORKTEAM_ARN,
            "UiConfig": {"UiTemplateS3Uri": put_template(s3, bucket)},
            "PreHumanTaskLambdaArn": f"{LAMBDA}PRE-BoundingBox",
            "TaskTitle": "Pens and pencils",
            "TaskDescription": "Draw a box around each pen and pencil",
            "NumberOfHumanWorkersPerDataObject": 3,
            "TaskTimeLimitInSeconds": 300,
            "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": f"{LAMBDA}ACS-BoundingBox"},
        },
    }


def changed(request: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The request with the member at the dotted path set, or taken away when the value is None."""
    request = copy.deepcopy(request)
    *above, last = path.split(".")
    inside = request
    for name in above:
        inside = inside.setdefault(name, {})
    if value is None:
        inside.pop(last, None)
    else:
        inside[last] = value
    return request


def wait_for_job(
    sagemaker: Any,
    name: str,
    until: Callable[[dict[str, Any]], bool] = lambda job: job["LabelingJobStatus"] in TERMINAL,
    seconds: float = 30.0,
) -> dict[str, Any]:
    """Describe the job until it is at its end, or as `until` says."""
    deadline = time.monotonic() + seconds
    while True:
        job: dict[str, Any] = sagemaker.describe_labeling_job(LabelingJobName=name)
        if until(job):
            return job
        assert time.monotonic() < deadline, (
            f"{name} is still {job['LabelingJobStatus']}: {job['LabelCounters']}"
        )
        time.sleep(0.03)


def read_rows(s3: Any, uri: str) -> list[dict[str, Any]]:
    """The rows of a manifest in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    return [json.loads(line) for line in body.splitlines()]


def list_keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    """All keys below a prefix, without it."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])]
