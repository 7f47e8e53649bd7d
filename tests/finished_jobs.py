"""Finished labeling jobs for tests: output folders as Ground Truth leaves them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from roundtruth.storage import ObjectUri, Storage

Box = tuple[str, int, int, int, int]  # category, left, top, width, height
CATEGORIES = ("pencil", "pen")


def label(
    attribute: str,
    job: str,
    boxes: Sequence[Box],
    *,
    day: int = 1,
    categories: Sequence[str] = CATEGORIES,
    size: tuple[int, int] = (320, 240),
    **metadata: Any,
) -> dict[str, Any]:
    """The label and the metadata of one attribute of a line."""
    used = sorted({categories.index(box[0]) for box in boxes})
    annotations = [
        {"class_id": categories.index(name), "left": left, "top": top, "width": width, "height": height}
        for name, left, top, width, height in boxes
    ]
    return {
        attribute: {
            "image_size": [{"width": size[0], "height": size[1], "depth": 3}],
            "annotations": annotations,
        },
        f"{attribute}-metadata": {
            "objects": [{"confidence": 0.09} for _ in boxes],
            "class-map": {str(class_id): categories[class_id] for class_id in used},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": f"2024-03-{day:02}T10:00:00.000000",
            "job-name": f"labeling-job/{job}",
            **metadata,
        },
    }


def failure(attribute: str, job: str, reason: str = "the worker template failed") -> dict[str, Any]:
    """What a failed row has in place of a label."""
    return {
        f"{attribute}-metadata": {
            "failure-reason": reason,
            "job-name": f"labeling-job/{job}",
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2024-03-01T10:00:00.000000",
        }
    }


def put_job(
    storage: Storage,
    folder: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    answers: Mapping[int, Mapping[str, Sequence[Box]]] | None = None,
    categories: Sequence[str] | None = CATEGORIES,
) -> str:
    """Write a job's output folder; returns its URI.

    :param answers: row -> worker -> boxes.
    :param categories: the job's own list; None for a folder that keeps none.
    """
    uri = ObjectUri.parse(folder)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    storage.write(uri / "manifests/output/output.manifest", lines.encode())
    for row, of_row in (answers or {}).items():
        storage.write(
            uri / f"annotations/worker-response/iteration-1/{row}/2024-03-01_10:00:00.json", _response(of_row)
        )
    if categories is not None:
        config = {"document-version": "2018-11-28", "labels": [{"label": name} for name in categories]}
        storage.write(uri / "annotation-tool/data.json", json.dumps(config).encode())
    return folder


def _response(answers: Mapping[str, Sequence[Box]]) -> bytes:
    return json.dumps(
        {
            "answers": [
                {
                    "answerContent": {
                        "boundingBox": {
                            "boundingBoxes": [
                                {"label": name, "left": left, "top": top, "width": width, "height": height}
                                for name, left, top, width, height in boxes
                            ],
                            "inputImageProperties": {"width": 320, "height": 240},
                        }
                    },
                    "submissionTime": f"2024-03-01T10:00:0{number}Z",
                    "workerId": f"private.us-east-1.{worker}",
                    "timeSpentInSeconds": 20.0,
                }
                for number, (worker, boxes) in enumerate(answers.items())
            ]
        }
    ).encode()
