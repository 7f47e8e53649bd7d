"""Reading job folders into tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roundtruth.consensus.job_answers import read_job_answers
from roundtruth.errors import ConsensusError
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.storage import ObjectUri, Storage

BOX = {"label": "pen", "left": 1, "top": 2, "width": 3, "height": 4}


def response(*answers: dict[str, object]) -> str:
    return json.dumps(
        {
            "answers": [
                {"workerId": f"w{n}", "submissionTime": "2026-01-05T10:00:00Z", "answerContent": content}
                for n, content in enumerate(answers)
            ]
        }
    )


def boxes(*drawn: dict[str, object]) -> dict[str, object]:
    return {
        "boundingBox": {"boundingBoxes": list(drawn), "inputImageProperties": {"width": 20, "height": 10}}
    }


def job(tmp_path: Path, responses: dict[str, str], files: dict[str, str] | None = None) -> JobFolder:
    folder = tmp_path / "pens-1"
    texts = {
        f"annotations/worker-response/iteration-1/{row}/2026-01-05_10-00-00.json": text
        for row, text in responses.items()
    } | (files or {})
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return JobFolder(Storage(), ObjectUri.parse(str(folder)))


def line(ref: str, **label: object) -> str:
    return json.dumps({"source-ref": ref, **label})


LABEL = {
    "pens-1": {
        "annotations": [{"class_id": 1, "left": 1, "top": 2, "width": 3, "height": 4}],
        "image_size": [{"width": 20, "height": 10, "depth": 3}],
    },
    "pens-1-metadata": {
        "type": "groundtruth/object-detection",
        "class-map": {"1": "pen"},
        "objects": [{"confidence": 0.09}],
        "job-name": "labeling-job/pens-1",
    },
}


def test_images_are_named_by_the_output_manifest(tmp_path):
    manifest = f"{line('s3://b/a.jpg', **LABEL)}\nbroken\n{line('s3://b/c.jpg')}\n"
    folder = job(
        tmp_path,
        {"0": response(boxes(BOX), boxes()), "1": response(boxes()), "2": response(boxes(BOX))},
        {"manifests/output/output.manifest": manifest},
    )
    found = read_job_answers(folder)
    rows = found.answers[["source_ref", "job", "worker", "box"]].itertuples(index=False, name=None)
    assert list(rows) == [
        ("s3://b/a.jpg", "pens-1", "w0", 0),
        ("s3://b/a.jpg", "pens-1", "w1", -1),
        ("1", "pens-1", "w0", -1),
        ("s3://b/c.jpg", "pens-1", "w0", 0),
    ]
    assert found.categories == ("pen",)
    assert found.consolidated is not None
    assert found.consolidated[["source_ref", "category", "left"]].to_numpy().tolist() == [
        ["s3://b/a.jpg", "pen", 1]
    ]
    broken, unlabeled = found.problems
    assert "output.manifest:2: is not a JSON object" in broken
    assert "output.manifest:3 (s3://b/c.jpg): has no label attribute" in unlabeled


def test_images_are_named_by_an_input_manifest_where_there_is_no_other(tmp_path):
    folder = job(tmp_path, {"0": response(boxes(BOX))}, {"input.manifest": line("s3://b/a.jpg")})
    found = read_job_answers(folder)
    assert found.answers["source_ref"].tolist() == ["s3://b/a.jpg"]
    assert (found.consolidated, found.problems) == (None, ())


def test_images_without_any_manifest_are_named_by_their_row(tmp_path):
    found = read_job_answers(job(tmp_path, {"10": response(boxes()), "9": response(boxes(BOX))}))
    assert found.answers["source_ref"].tolist() == ["9", "10"]


def test_the_label_category_config_wins_over_what_was_seen(tmp_path):
    config = json.dumps({"labels": [{"label": "pencil"}, {"label": "pen"}]})
    folder = job(tmp_path, {"0": response(boxes(BOX))}, {"annotation-tool/data.json": config})
    assert read_job_answers(folder).categories == ("pencil", "pen")


def test_an_unreadable_response_is_reported_and_the_rest_goes_on(tmp_path):
    found = read_job_answers(job(tmp_path, {"0": "{", "1": response(boxes(BOX))}))
    assert len(found.answers) == 1
    assert "is not a worker response" in found.problems[0]


@pytest.mark.parametrize(
    ("content", "multi_label", "rows"),
    [
        pytest.param({"crowd-image-classifier": {"label": "pen"}}, False, ["pen"], id="one category"),
        pytest.param(
            {"crowd-image-classifier-multi-select": {"labels": ["pen", "ink"]}},
            True,
            ["pen", "ink"],
            id="several",
        ),
    ],
)
def test_classification(tmp_path, content, multi_label, rows):
    found = read_job_answers(job(tmp_path, {"0": response(content)}))
    assert (found.is_classification, found.is_multi_label) == (True, multi_label)
    assert found.answers["category"].tolist() == rows
    assert found.answers["left"].isna().all()


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        pytest.param({}, "holds no worker responses", id="no job folder"),
        pytest.param(
            {"0": response(boxes(BOX)), "1": response({"crowd-image-classifier": {"label": "pen"}})},
            "boxes as well as chosen categories",
            id="two tasks",
        ),
    ],
)
def test_folders_that_cannot_be_used(tmp_path, responses, message):
    with pytest.raises(ConsensusError, match=message):
        read_job_answers(job(tmp_path, responses))
