"""Adjustment jobs: workers begin with the boxes of an earlier label; a version's manifest seeds one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from roundtruth.datasets.assemble import assemble_candidate
from roundtruth.datasets.publish import publish_version
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.ground_truth.manifests import read_output_manifest
from roundtruth.ground_truth.records import LabeledImage
from roundtruth.sandbox.adjustment import adjust, audited_attribute
from roundtruth.sandbox.truth import TrueBox, Truth, encode_truth, truth_uri
from roundtruth.sandbox.workers import Answer
from roundtruth.storage import ObjectUri
from tests.roundtruth.datasets.recorded_rounds import project_in, put_round, storage_of
from tests.sandbox_job import LAMBDA, job_request, put_template, read_rows, wait_for_job

# As the developer guide has it (sms-verification-data), for the label attribute of our manifests.
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-bounding-box name="boundingBox" src="{{ task.input.taskObject | grant_read_access }}"
labels="{{ task.input.labels | to_json | escape }}" header="Adjust" initial-value="[
{% for box in task.input.manifestLine.roundtruth.annotations %}
  {% capture class_id %}{{ box.class_id }}{% endcapture %}
  {% assign label = task.input.manifestLine.roundtruth-metadata.class-map[class_id] %}
  { label: {{label | to_json}}, left: {{box.left}}, top: {{box.top}},
    width: {{box.width}}, height: {{box.height}} },
{% endfor %} ]"></crowd-bounding-box></crowd-form>"""


def adjustment_request(s3: Any, bucket: str, name: str, manifest_uri: str, labels_uri: str) -> dict[str, Any]:
    request = job_request(s3, bucket, name)
    request["LabelAttributeName"] = "adjusted"
    request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"] = manifest_uri
    request["LabelCategoryConfigS3Uri"] = labels_uri
    human = request["HumanTaskConfig"]
    human["UiConfig"]["UiTemplateS3Uri"] = put_template(s3, bucket, TEMPLATE, "adjust.liquid")
    human["PreHumanTaskLambdaArn"] = f"{LAMBDA}PRE-AdjustmentBoundingBox"
    human["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"] = (
        f"{LAMBDA}ACS-AdjustmentBoundingBox"
    )
    return request


def test_a_version_s_manifest_seeds_an_adjustment_job(
    sandbox: Any, s3_client: Any, sagemaker_client: Any, bucket: str
) -> None:
    storage = storage_of(sandbox.endpoint_url)
    project = project_in(bucket, dataset={"name": "pens", "formats": ["yolo", "manifest"]})
    right, wrong = ("pen", 40.0, 30.0, 80.0, 60.0), ("pencil", 150.0, 100.0, 90.0, 50.5)
    published = {"right.jpg": [right], "wrong.jpg": [wrong], "missed 연필.jpg": []}
    refs = put_round(storage, project, "2026-01-05", published, size=(320, 240))
    there = {
        "right.jpg": [right],
        "wrong.jpg": [("pencil", 180.0, 130.0, 90.0, 50.0)],  # the published box is off by 30 pixels
        "missed 연필.jpg": [right],
    }
    for key, boxes in there.items():
        edges = ("label", "left", "top", "width", "height")
        objects = tuple(TrueBox(**dict(zip(edges, box, strict=True))) for box in boxes)
        truth = encode_truth(Truth(width=320, height=240, objects=objects))
        storage.write(ObjectUri.parse(truth_uri(refs[key])), truth)
    candidate = assemble_candidate(storage, project)
    assert candidate is not None
    version = publish_version(storage, project, candidate).uri

    name = f"adjust-{bucket[-10:]}"
    request = adjustment_request(
        s3_client,
        bucket,
        name,
        str(version / "manifest/output.manifest"),
        str(version / "manifest/label-categories.json"),
    )
    sagemaker_client.create_labeling_job(**request)
    job = wait_for_job(sagemaker_client, name)
    assert (job["LabelingJobStatus"], job.get("FailureReason")) == ("Completed", None)
    uri = job["LabelingJobOutput"]["OutputDatasetS3Uri"]
    rows = {row["source-ref"]: row for row in read_rows(s3_client, uri)}
    before = {
        row["source-ref"]: row for row in read_rows(s3_client, str(version / "manifest/output.manifest"))
    }
    assert rows.keys() == before.keys() == set(refs.values())
    for ref, row in rows.items():
        assert row.items() >= before[ref].items()  # the label that was adjusted stays on the line
        assert row["adjusted-metadata"]["type"] == "groundtruth/object-detection"
    status = {key: rows[ref]["adjusted-metadata"]["adjustment-status"] for key, ref in refs.items()}
    assert (status["wrong.jpg"], status["missed 연필.jpg"]) == ("adjusted", "adjusted")

    # Our reader takes the adjusted label, which is the newest on the line; classes keep the version's ids.
    data = storage.read(ObjectUri.parse(uri))
    found = {
        record.source_ref: record
        for record in read_output_manifest(data.splitlines(), file=uri)
        if isinstance(record, LabeledImage)
    }
    assert {record.label_attribute for record in found.values()} == {"adjusted"}
    pencils = [box for box in found[refs["wrong.jpg"]].boxes if box.class_id == 0]
    assert any(box.left == pytest.approx(180, abs=10) for box in pencils)
    assert any(box.class_id == 1 for box in found[refs["right.jpg"]].boxes)
    output = JobFolder(storage, ObjectUri.parse(f"s3://{bucket}/out/{name}"))
    assert output.problems == []


BOX = TrueBox(label="pen", left=10, top=10, width=100, height=50)


def shifted(by: float) -> TrueBox:
    return TrueBox(label="pen", left=10 + by, top=10, width=100, height=50)


@pytest.mark.parametrize(
    ("drawn", "objects", "expected", "modified"),
    [
        pytest.param([shifted(2)], [BOX], [BOX], False, id="right: left alone"),
        pytest.param([shifted(30)], [shifted(30)], [shifted(30)], True, id="off: corrected"),
        pytest.param([], [], [], True, id="nothing there: taken away"),
        pytest.param([], [BOX], [BOX], False, id="overlooked: left alone"),
        pytest.param([shifted(300)], [BOX, shifted(300)], [BOX, shifted(300)], True, id="missing: added"),
    ],
)
def test_what_a_worker_makes_of_a_box(
    drawn: list[TrueBox], objects: list[TrueBox], expected: list[TrueBox], modified: bool
) -> None:
    image = Truth(width=640, height=480, objects=tuple(objects))
    answer = adjust([BOX], Answer(boxes=tuple(drawn), label="pen"), image)
    assert (answer.boxes, answer.modified) == (tuple(expected), modified)


def test_the_attribute_comes_from_the_page() -> None:
    assert audited_attribute(TEMPLATE) == "roundtruth"
    assert audited_attribute(TEMPLATE.replace("initial-value", "data")) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"page": "initial-value"}, "must take its initial-value from", id="page without boxes"),
        pytest.param(
            {"attribute": "roundtruth"}, "is that of the label that is adjusted", id="same attribute"
        ),
        pytest.param(
            {"rows": [{"source-ref": "s3://b/a.jpg"}]}, "Line 1 .* no bounding boxes", id="no label"
        ),
        pytest.param({"labels": ["pencil"]}, "configuration lacks pen", id="a label is missing"),
    ],
)
def test_an_adjustment_job_that_cannot_begin(
    s3_client: Any, sagemaker_client: Any, bucket: str, change: dict[str, Any], reason: str
) -> None:
    rows = change.get("rows") or [
        {
            "source-ref": "s3://b/a.jpg",
            "roundtruth": {
                "image_size": [{"width": 9, "height": 9, "depth": 3}],
                "annotations": [{"class_id": 1, "left": 1, "top": 1, "width": 5, "height": 5}],
            },
            "roundtruth-metadata": {"class-map": {"1": "pen"}, "type": "groundtruth/object-detection"},
        }
    ]
    config = {"labels": [{"label": label} for label in change.get("labels", ["pencil", "pen"])]}
    s3_client.put_object(Bucket=bucket, Key="m", Body="".join(json.dumps(row) + "\n" for row in rows))
    s3_client.put_object(Bucket=bucket, Key="l", Body=json.dumps(config))
    name = f"no-{bucket[-10:]}"
    request = adjustment_request(s3_client, bucket, name, f"s3://{bucket}/m", f"s3://{bucket}/l")
    request["LabelAttributeName"] = change.get("attribute", "adjusted")
    if "page" in change:
        s3_client.put_object(
            Bucket=bucket, Key="adjust.liquid", Body=TEMPLATE.replace(change["page"], "data")
        )
    sagemaker_client.create_labeling_job(**request)
    failed = wait_for_job(sagemaker_client, name)
    assert failed["LabelingJobStatus"] == "Failed"
    assert re.search(reason, failed["FailureReason"])
