"""Whole jobs over HTTP: the output folder's layout and shapes, as documented and as in real files."""

from __future__ import annotations

import datetime
import json
import re

import pytest

from tests.sandbox_job import (
    CLASSIFIER,
    LAMBDA,
    PUBLIC_TEAM,
    TEMPLATE,
    changed,
    job_request,
    list_keys,
    put_images,
    put_manifest,
    put_template,
    read_rows,
    wait_for_job,
)

SECOND = r"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.json"


@pytest.fixture
def images(s3_client, bucket):
    return put_images(s3_client, bucket, 13)


def run_job(sagemaker_client, request):
    sagemaker_client.create_labeling_job(**request)
    return wait_for_job(sagemaker_client, request["LabelingJobName"])


def read(s3_client, bucket, key):
    return s3_client.get_object(Bucket=bucket, Key=key)["Body"].read()


def test_a_whole_bounding_box_job(sagemaker_client, s3_client, bucket, images):
    name = "Pens-Job-1"
    request = job_request(s3_client, bucket, name, images)
    rows = [{"source-ref": uri, "extra": {"n": number, "한": "😀"}} for number, uri in enumerate(images)]
    put_manifest(s3_client, bucket, rows)
    job = run_job(sagemaker_client, request)

    assert job["LabelingJobStatus"] == "Completed"
    counters = {"TotalLabeled": 13, "HumanLabeled": 13, "MachineLabeled": 0, "FailedNonRetryableError": 0}
    assert job["LabelCounters"] == {**counters, "Unlabeled": 0}
    output = f"s3://{bucket}/out/{name}/manifests/output/output.manifest"
    assert job["LabelingJobOutput"] == {"OutputDatasetS3Uri": output}
    for field, value in request.items():
        assert job[field] == value, field

    keys = list_keys(s3_client, bucket, f"out/{name}/")
    patterns = [
        r"annotation-tool/data\.json",
        r"annotation-tool/template\.liquid",
        rf"annotations/consolidated-annotation/consolidation-request/iteration-1/{SECOND}",
        rf"annotations/consolidated-annotation/consolidation-response/iteration-1/{SECOND}",
        r"annotations/intermediate/1/annotations\.manifest",
        rf"annotations/worker-response/iteration-1/(\d|1[0-2])/{SECOND}",
        r"manifests/output/output\.manifest",
    ]
    assert [key for key in keys if not any(re.fullmatch(pattern, key) for pattern in patterns)] == []
    answered = [key.split("/")[3] for key in keys if "worker-response" in key]
    assert sorted(answered, key=int) == [str(number) for number in range(13)]
    assert read(s3_client, bucket, f"out/{name}/annotation-tool/template.liquid") == TEMPLATE.encode()
    assert json.loads(read(s3_client, bucket, f"out/{name}/annotation-tool/data.json")) == {
        "document-version": "2018-11-28",
        "labels": [{"label": "pencil"}, {"label": "pen"}],
    }

    raw = read(s3_client, bucket, f"out/{name}/manifests/output/output.manifest")
    assert raw.endswith(b"\n")
    assert b"\r" not in raw
    written = read_rows(s3_client, output)
    assert [{key: row[key] for key in ("source-ref", "extra")} for row in written] == rows
    for row in written:
        check_box_row(row, name)
    assert sum(len(row["pens"]["annotations"]) for row in written) > 10


def check_box_row(row, name):
    assert set(row) == {"source-ref", "extra", "pens", "pens-metadata"}
    assert row["pens"]["image_size"] == [{"width": 320, "height": 240, "depth": 3}]
    metadata = row["pens-metadata"]
    used = {str(box["class_id"]): ("pencil", "pen")[box["class_id"]] for box in row["pens"]["annotations"]}
    assert metadata["class-map"] == used
    assert len(metadata["objects"]) == len(row["pens"]["annotations"])
    assert all(0 <= one["confidence"] <= 1 for one in metadata["objects"])
    assert metadata["type"] == "groundtruth/object-detection"
    assert metadata["human-annotated"] == "yes"
    assert metadata["job-name"] == f"labeling-job/{name.lower()}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", metadata["creation-date"])
    for box in row["pens"]["annotations"]:
        assert set(box) == {"class_id", "left", "top", "width", "height"}
        assert box["left"] >= 0
        assert box["top"] >= 0
        assert box["left"] + box["width"] <= 320
        assert box["top"] + box["height"] <= 240


def test_worker_responses_and_consolidations(sagemaker_client, s3_client, bucket, images):
    name = "answers"
    before = datetime.datetime.now(datetime.UTC)
    run_job(sagemaker_client, job_request(s3_client, bucket, name, images))
    prefix = f"out/{name}/annotations/"
    keys = list_keys(s3_client, bucket, prefix)
    rows = read_rows(s3_client, f"s3://{bucket}/out/{name}/manifests/output/output.manifest")

    people = {}
    for key in (key for key in keys if key.startswith("worker-response")):
        answers = json.loads(read(s3_client, bucket, prefix + key))["answers"]
        assert len({answer["workerId"] for answer in answers}) == 3
        for answer in answers:
            assert set(answer) == {
                "acceptanceTime",
                "answerContent",
                "submissionTime",
                "timeSpentInSeconds",
                "workerId",
                "workerMetadata",
            }
            assert re.fullmatch(r"private\.us-east-1\.[0-9a-f]{16}", answer["workerId"])
            identity = answer["workerMetadata"]["identityData"]
            assert set(identity) == {"identityProviderType", "issuer", "sub"}
            assert people.setdefault(answer["workerId"], identity["sub"]) == identity["sub"]
            content = answer["answerContent"]["boundingBox"]
            assert content["inputImageProperties"] == {"width": 320, "height": 240}
            assert all(
                set(box) == {"height", "label", "left", "top", "width"} for box in content["boundingBoxes"]
            )
            assert {box["label"] for box in content["boundingBoxes"]} <= {"pencil", "pen"}
            submitted = datetime.datetime.fromisoformat(answer["submissionTime"])
            accepted = datetime.datetime.fromisoformat(answer["acceptanceTime"])
            assert before - datetime.timedelta(seconds=1) < submitted < datetime.datetime.now(datetime.UTC)
            spent = (submitted - accepted).total_seconds()
            assert spent == pytest.approx(answer["timeSpentInSeconds"], abs=0.002)

    requests = [key for key in keys if "consolidation-request" in key]
    asked = [one for key in requests for one in json.loads(read(s3_client, bucket, prefix + key))]
    given = [
        one
        for key in requests
        for one in json.loads(read(s3_client, bucket, prefix + key.replace("-request", "-response")))
    ]
    assert sorted(int(one["datasetObjectId"]) for one in asked) == list(range(13))
    for one in asked:
        assert one["dataObject"] == {"s3Uri": images[int(one["datasetObjectId"])]}
        assert len(one["annotations"]) == 3
        assert "boundingBox" in json.loads(one["annotations"][0]["annotationData"]["content"])
    for one in given:
        row = rows[int(one["datasetObjectId"])]
        assert one["consolidatedAnnotation"]["content"] == {
            key: row[key] for key in ("pens", "pens-metadata")
        }


def test_jobs_over_the_same_images_get_other_answers(sagemaker_client, s3_client, bucket, images):
    labels = []
    for name in ("first", "second"):
        job = run_job(sagemaker_client, job_request(s3_client, bucket, name, images))
        rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
        labels.append([row["pens"] for row in rows])
    assert labels[0] != labels[1]


def test_a_public_job_has_a_first_batch_of_ten(sagemaker_client, s3_client, bucket, images):
    request = changed(
        job_request(s3_client, bucket, "mturk", images), "HumanTaskConfig.WorkteamArn", PUBLIC_TEAM
    )
    request["HumanTaskConfig"]["PublicWorkforceTaskPrice"] = {
        "AmountInUsd": {"Cents": 3, "TenthFractionsOfACent": 6}
    }
    request["InputConfig"]["DataAttributes"] = {
        "ContentClassifiers": ["FreeOfPersonallyIdentifiableInformation"]
    }
    assert run_job(sagemaker_client, request)["LabelingJobStatus"] == "Completed"
    keys = list_keys(s3_client, bucket, "out/mturk/annotations/worker-response/")
    assert sorted(int(key.split("/")[1]) for key in keys if key.startswith("iteration-1/")) == list(range(10))
    assert sorted(int(key.split("/")[1]) for key in keys if key.startswith("iteration-2/")) == [10, 11, 12]
    answer = json.loads(read(s3_client, bucket, "out/mturk/annotations/worker-response/" + keys[0]))[
        "answers"
    ][0]
    assert re.fullmatch(r"public\.us-east-1\.[A-Z2-7]{26}", answer["workerId"])
    assert "workerMetadata" not in answer


def test_one_worker_has_confidence_zero_and_whole_pixels(sagemaker_client, s3_client, bucket, images):
    request = job_request(s3_client, bucket, "alone", images)
    run_job(sagemaker_client, changed(request, "HumanTaskConfig.NumberOfHumanWorkersPerDataObject", 1))
    rows = read_rows(s3_client, f"s3://{bucket}/out/alone/manifests/output/output.manifest")
    assert {one["confidence"] for row in rows for one in row["pens-metadata"]["objects"]} == {0}
    assert all(isinstance(box["left"], int) for row in rows for box in row["pens"]["annotations"])


def test_chaining_labels_only_rows_that_lack_the_attribute(sagemaker_client, s3_client, bucket, images):
    done = {"pens": {"image_size": [{"width": 320, "height": 240, "depth": 3}], "annotations": []}}
    done["pens-metadata"] = {"job-name": "labeling-job/earlier", "class-map": {}, "objects": []}
    request = job_request(s3_client, bucket, "chained", images)
    rows = [{"source-ref": uri, **(done if number % 2 else {})} for number, uri in enumerate(images)]
    put_manifest(s3_client, bucket, rows)
    job = run_job(sagemaker_client, request)
    assert job["LabelCounters"]["HumanLabeled"] == 7
    written = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    assert written[1::2] == rows[1::2]
    assert {row["pens-metadata"]["job-name"] for row in written[::2]} == {"labeling-job/chained"}


@pytest.mark.parametrize(
    ("conditions", "labeled"),
    [({"MaxHumanLabeledObjectCount": 4}, 4), ({"MaxPercentageOfInputDatasetLabeled": 50}, 6)],
)
def test_stopping_conditions(sagemaker_client, s3_client, bucket, images, conditions, labeled):
    request = {**job_request(s3_client, bucket, f"some-{labeled}", images), "StoppingConditions": conditions}
    job = run_job(sagemaker_client, request)
    assert (job["LabelingJobStatus"], job["LabelCounters"]["HumanLabeled"]) == ("Stopped", labeled)
    rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    assert ["pens" in row for row in rows] == [number < labeled for number in range(13)]


def test_objects_that_cannot_be_labeled(sagemaker_client, s3_client, bucket, images):
    s3_client.put_object(Bucket=bucket, Key="images/empty.jpg", Body=b"")
    s3_client.put_object(Bucket=bucket, Key="images/text.jpg", Body=b"no image")
    s3_client.delete_object(Bucket=bucket, Key="images/2.jpg.truth.json")
    uris = [images[0], f"s3://{bucket}/images/none.jpg", f"s3://{bucket}/images/empty.jpg"]
    uris += [f"s3://{bucket}/images/text.jpg", f"s3://{bucket}/input.manifest", images[2], images[3]]
    job = run_job(sagemaker_client, job_request(s3_client, bucket, "partly", uris))
    assert job["LabelingJobStatus"] == "Completed"  # "Complete with labeling errors"
    assert job["LabelCounters"]["HumanLabeled"] == 2
    assert job["LabelCounters"]["FailedNonRetryableError"] == 5
    rows = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])
    said = [
        "does not exist",
        "not a readable image",
        "not a readable image",
        "not an image format",
        "knows no truth",
    ]
    for row, words in zip(rows[1:6], said, strict=True):
        assert set(row) == {"source-ref", "pens-metadata"}
        assert words in row["pens-metadata"]["failure-reason"]
    assert "pens" in rows[0]
    assert "pens" in rows[6]


def test_image_classification(sagemaker_client, s3_client, bucket, images):
    request = job_request(s3_client, bucket, "classes", images)
    task = request["HumanTaskConfig"]
    task["PreHumanTaskLambdaArn"] = f"{LAMBDA}PRE-ImageMultiClass"
    task["AnnotationConsolidationConfig"] = {
        "AnnotationConsolidationLambdaArn": f"{LAMBDA}ACS-ImageMultiClass"
    }
    put_template(s3_client, bucket, CLASSIFIER)
    job = run_job(sagemaker_client, request)
    assert job["LabelingJobStatus"] == "Completed"
    row = read_rows(s3_client, job["LabelingJobOutput"]["OutputDatasetS3Uri"])[1]
    assert row["pens"] in {0, 1}
    assert row["pens-metadata"]["class-name"] == ("pencil", "pen")[row["pens"]]
    assert row["pens-metadata"]["type"] == "groundtruth/image-classification"
    key = list_keys(s3_client, bucket, "out/classes/annotations/worker-response/iteration-1/1/")[0]
    answers = json.loads(
        read(s3_client, bucket, f"out/classes/annotations/worker-response/iteration-1/1/{key}")
    )
    assert answers["answers"][0]["answerContent"]["crowd-image-classifier"]["label"] in {"pencil", "pen"}
