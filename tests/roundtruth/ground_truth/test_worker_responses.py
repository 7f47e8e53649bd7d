from __future__ import annotations

import json
import re
from typing import Any

import pytest

from roundtruth.errors import ManifestError
from roundtruth.ground_truth.records import AnswerBox, WorkerAnswer
from roundtruth.ground_truth.worker_responses import read_worker_response

BOX = {"height": 2832, "label": "bird", "left": 681, "top": 599.5, "width": 1364}
SIZE = {"height": 3726, "width": 2662}


def answer(content: Any, **changes: Any) -> dict[str, Any]:
    return {
        "acceptanceTime": "2020-12-28T18:59:15.191Z",
        "answerContent": content,
        "submissionTime": "2020-12-28T18:59:58.321Z",
        "timeSpentInSeconds": 40.543,
        "workerId": "private.us-east-1.7a",
        "workerMetadata": {"identityData": {"identityProviderType": "Cognito", "issuer": "i", "sub": "s"}},
    } | changes


def response(*answers: dict[str, Any]) -> bytes:
    return json.dumps({"answers": list(answers)}).encode()


def test_box_answer() -> None:
    data = response(answer({"boundingBox": {"boundingBoxes": [BOX], "inputImageProperties": SIZE}}))
    answers, problems = read_worker_response(b"\xef\xbb\xbf" + data, file="r.json")
    assert problems == ()
    assert answers == (
        WorkerAnswer(
            worker_id="private.us-east-1.7a",
            submission_time="2020-12-28T18:59:58.321Z",
            seconds=40.543,
            boxes=(AnswerBox(label="bird", left=681, top=599.5, width=1364, height=2832),),
            image_width=2662,
            image_height=3726,
        ),
    )


def test_shape_of_2019() -> None:
    old = {
        "answerContent": {"crowd-image-classifier": {"label": "robin"}},
        "submissionTime": "2019-04-18T16:13:05Z",
        "workerId": "public.us-east-1.A",
    }
    ((found,), _) = read_worker_response(response(old), file="r.json")
    assert (found.worker_id, found.labels, found.seconds, found.boxes) == (
        "public.us-east-1.A",
        ("robin",),
        None,
        (),
    )


@pytest.mark.parametrize(
    ("content", "boxes", "labels"),
    [
        pytest.param({"boundingBox": {"boundingBoxes": [], "inputImageProperties": SIZE}}, 0, (), id="empty"),
        pytest.param(
            {"boundingBox": {"boundingBoxes": None, "inputImageProperties": SIZE}}, 0, (), id="null"
        ),
        pytest.param({"boundingBox": {"inputImageProperties": SIZE}}, 0, (), id="absent"),
        pytest.param({"annotatedResult": {"boundingBoxes": [BOX, BOX]}}, 2, (), id="custom element name"),
        pytest.param(
            {"boundingBox": {"boundingBoxes": [BOX], "initialValueModified": True}}, 1, (), id="adjustment"
        ),
        pytest.param(
            {"comment": {"text": "blurred"}, "x": {"boundingBoxes": [BOX]}}, 1, (), id="more fields"
        ),
        pytest.param({"free": True, "x": {"boundingBoxes": [BOX]}}, 1, (), id="a field that is no element"),
        pytest.param({"crowd-classifier": {"label": "a"}}, 0, ("a",), id="classifier"),
        pytest.param({"crowd-classifier": {"labels": ["a", "b"]}}, 0, ("a", "b"), id="many classes"),
        pytest.param({"crowd-classifier": {"labels": []}}, 0, (), id="no class"),
    ],
)
def test_shapes(content: Any, boxes: int, labels: tuple[str, ...]) -> None:
    ((found,), _) = read_worker_response(response(answer(content)), file="r.json")
    assert len(found.boxes) == boxes
    assert found.labels == labels


BROKEN = [
    pytest.param({}, "holds nothing, neither boxes nor labels", id="empty form"),
    pytest.param({"text": {"text": "hello"}}, "holds text, neither", id="another form"),
    pytest.param(
        {"seg": {"labeledImage": {"pngImageData": "…"}, "inputImageProperties": SIZE}},
        "holds seg",
        id="masks",
    ),
    pytest.param({"b": {"boundingBoxes": [{"label": "x"}]}}, "broken b: .*left", id="a box without a place"),
    pytest.param({"b": {"boundingBoxes": "none"}}, "broken b", id="boxes as text"),
]


@pytest.mark.parametrize(("content", "words"), BROKEN)
def test_broken_answer_is_named_by_place_not_worker_and_spares_the_others(content: Any, words: str) -> None:
    good = answer({"b": {"boundingBoxes": [BOX]}}, workerId="worker-2")
    data = response(answer(content, workerId="worker-1"), good)
    answers, (problem,) = read_worker_response(data, file="r.json")
    assert re.search(rf"r.json: answer 1 of the file .*{words}", str(problem))
    assert "worker-1" not in str(problem)
    assert [one.worker_id for one in answers] == ["worker-2"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no answers"),
        pytest.param(b'{"answers":null}', id="null"),
        pytest.param(b'{"answers":[{"answerContent":{}}]}', id="no worker"),
        pytest.param(b'{"answers":[{"workerId":"w","answerContent":"{}"}]}', id="content as text"),
        pytest.param(b'{"answers":[{"workerId":"\xff","answerContent":{}}]}', id="not UTF-8"),
    ],
)
def test_file_that_is_no_response(data: bytes) -> None:
    answers, (problem,) = read_worker_response(data, file="r.json")
    assert answers == ()
    assert isinstance(problem, ManifestError)
    assert "r.json is not a worker response" in str(problem)


def test_response_without_answers() -> None:
    assert read_worker_response(b'{"answers":[]}', file="r.json") == ((), ())
