"""Small answer tables for the tests of consensus: boxes written as (category, left, top, width, height)."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pandas as pd

from roundtruth.annotations import ANSWERS, table
from roundtruth.consensus.job_answers import read_job_answers
from roundtruth.consensus.measure import ConsensusResult
from roundtruth.ground_truth.job_folder import JobFolder
from roundtruth.storage import ObjectUri, Storage
from tests.real_data import REAL

Box = tuple[str, float, float, float, float]
PLACE = ["left", "top", "width", "height"]


def answer(
    image: str,
    worker: str,
    *boxes: Box,
    job: str = "job-1",
    submitted: str = "2026-01-05T10:00:00.000Z",
    seconds: float | None = None,
) -> list[dict[str, object]]:
    """One worker's answer; without boxes it is an empty one."""
    shared: dict[str, object] = {
        "source_ref": image,
        "job": job,
        "worker": worker,
        "submitted": submitted,
        "seconds": seconds,
    }
    if not boxes:
        return [shared | {"box": -1}]
    return [
        shared | {"box": place, "category": box[0], **dict(zip(PLACE, box[1:], strict=True))}
        for place, box in enumerate(boxes)
    ]


def found(result: ConsensusResult) -> list[tuple[object, ...]]:
    """Image, category, votes and answers of each label."""
    columns = ["source_ref", "category", "votes", "answers"]
    return list(result.labels[columns].itertuples(index=False, name=None))


def answers(*parts: Iterable[dict[str, object]]) -> pd.DataFrame:
    """The answers table of some answers."""
    return table([row for part in parts for row in part], ANSWERS)


def pedestrians() -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The real answers, the expert's boxes, and the images that the expert looked at."""
    folder = REAL / "pedestrians-7-workers"
    job = read_job_answers(JobFolder(Storage(), ObjectUri.parse(str(folder))))
    lines = [json.loads(line) for line in (folder / "expert.jsonl").read_text().splitlines()]
    truth = [
        {"source_ref": line["source-ref"], "category": box["label"], **{name: box[name] for name in PLACE}}
        for line in lines
        for box in line["boxes"]
    ]
    return job.answers, pd.DataFrame(truth), [line["source-ref"] for line in lines]


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows in another order."""
    order = np.random.default_rng(seed).permutation(len(frame))
    return frame.iloc[order].reset_index(drop=True)
