"""The output folder of a labeling job, in Ground Truth's layout and shapes (developer guide; real files)."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roundtruth.sandbox.consolidation import consolidate_boxes, consolidate_labels
from roundtruth.sandbox.input_data import JobInput, split_uri
from roundtruth.sandbox.job_rules import Request
from roundtruth.sandbox.s3 import SandboxS3
from roundtruth.sandbox.truth import TrueBox, Truth
from roundtruth.sandbox.workers import Answer, Worker

_TYPES = {
    "BoundingBox": "groundtruth/object-detection",
    "AdjustmentBoundingBox": "groundtruth/object-detection",
    "ImageMultiClass": "groundtruth/image-classification",
}


@dataclass(frozen=True, kw_only=True)
class GivenAnswer:
    """A worker's answer, the seconds it took, and when it was submitted (UTC)."""

    worker: Worker
    answer: Answer
    seconds: float
    submitted: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class LabeledObject:
    """A row that is through: its answers and its image's truth (for the size), or why it failed."""

    index: int
    iteration: int
    uri: str
    answers: tuple[GivenAnswer, ...] = ()
    truth: Truth | None = None
    failure: str | None = None


class JobOutput:
    """Writes one job's output folder, and reads back what an earlier process wrote of it."""

    def __init__(self, s3: SandboxS3, request: Request, job_input: JobInput, *, public: bool) -> None:
        self._s3 = s3
        self._input = job_input
        self._public = public
        self._attribute = str(request["LabelAttributeName"])
        self._job_name = f"labeling-job/{request['LabelingJobName'].lower()}"
        root = request["OutputConfig"]["S3OutputPath"].rstrip("/")
        self._bucket, self._root = split_uri(f"{root}/{request['LabelingJobName']}")
        self.manifest_uri = f"s3://{self._bucket}/{self._root}/manifests/output/output.manifest"
        self._lines = list(job_input.lines)
        self._iterations: dict[int, int] = {}
        self._answered: frozenset[str] = frozenset()  # `iteration-1/0`, of an earlier process
        self._last_batch = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    def begin(self) -> dict[int, bool]:
        """Write what workers get to see; tells which rows are through already, labeled (True) or failed."""
        self._write("annotation-tool/data.json", self._input.label_config)
        self._write("annotation-tool/template.liquid", self._input.template, "text/plain")
        self._answered = self._folders("annotations/worker-response/")
        return dict(self._resume())

    def write_answers(self, labeled: LabeledObject) -> None:
        """Write the worker-response file of one object, unless an earlier process has."""
        folder = f"iteration-{labeled.iteration}/{labeled.index}"
        if not labeled.answers or folder in self._answered:
            return
        last = max(given.submitted for given in labeled.answers)
        answers = [self._answer(given, labeled.truth) for given in labeled.answers]
        self._write(f"annotations/worker-response/{folder}/{_stamp(last)}.json", _json({"answers": answers}))

    def consolidate(self, batch: Sequence[LabeledObject], now: datetime.datetime) -> None:
        """Write the consolidation of some objects and the output manifest as it is with them."""
        for iteration in sorted({labeled.iteration for labeled in batch}):
            members = [labeled for labeled in batch if labeled.iteration == iteration]
            self._consolidate_iteration(iteration, members, now)
        self.write_manifest()

    def write_manifest(self) -> None:
        """Write the output manifest: rows in input order, those not labeled (yet) as they came."""
        self._write(
            "manifests/output/output.manifest", b"\n".join(self._lines) + b"\n", "application/octet-stream"
        )

    def finish(self) -> None:
        """Write the intermediate manifests, one an iteration, when the job ends."""
        for iteration in sorted(set(self._iterations.values())):
            rows = [
                self._lines[index]
                for index in sorted(self._iterations)
                if self._iterations[index] == iteration
            ]
            self._write(
                f"annotations/intermediate/{iteration}/annotations.manifest", b"\n".join(rows) + b"\n"
            )

    def _consolidate_iteration(
        self, iteration: int, members: Sequence[LabeledObject], now: datetime.datetime
    ) -> None:
        # Files are named by the second; a fast sandbox has several batches in one.
        self._last_batch = max(now, self._last_batch + datetime.timedelta(seconds=1)).replace(microsecond=0)
        answered = [labeled for labeled in members if labeled.failure is None]
        labels = {labeled.index: self._label(labeled, now) for labeled in members}
        folder, name = (
            "annotations/consolidated-annotation",
            f"iteration-{iteration}/{_stamp(self._last_batch)}.json",
        )
        if answered:
            requests = [self._consolidation_request(labeled) for labeled in answered]
            responses = [
                {"datasetObjectId": str(one.index), "consolidatedAnnotation": {"content": labels[one.index]}}
                for one in answered
            ]
            self._write(f"{folder}/consolidation-request/{name}", _json(requests))
            self._write(f"{folder}/consolidation-response/{name}", _json(responses))
        for labeled in members:
            self._iterations[labeled.index] = iteration
            self._lines[labeled.index] = _json({**self._input.rows[labeled.index], **labels[labeled.index]})

    def _label(self, labeled: LabeledObject, now: datetime.datetime) -> dict[str, Any]:
        metadata: dict[str, Any] = {}
        label: dict[str, Any] = {}
        if labeled.failure is not None:
            metadata["failure-reason"] = labeled.failure
        elif self._input.is_boxes:
            label[self._attribute], metadata = self._box_label(labeled)
        else:
            label[self._attribute], metadata = self._image_label(labeled)
        metadata["type"] = _TYPES[self._input.task]
        if labeled.failure is None:
            metadata["human-annotated"] = "yes"
        metadata["creation-date"] = now.replace(tzinfo=None).isoformat(timespec="microseconds")
        metadata["job-name"] = self._job_name
        return {**label, f"{self._attribute}-metadata": metadata}

    def _box_label(self, labeled: LabeledObject) -> tuple[dict[str, Any], dict[str, Any]]:
        boxes = consolidate_boxes([given.answer.boxes or () for given in labeled.answers])
        ids = [self._input.labels.index(one.box.label) for one in boxes]
        annotations = [
            {
                "class_id": class_id,
                "top": one.box.top,
                "left": one.box.left,
                "height": one.box.height,
                "width": one.box.width,
            }
            for class_id, one in zip(ids, boxes, strict=True)
        ]
        truth = labeled.truth
        size = {"width": truth.width, "height": truth.height, "depth": 3} if truth else {}
        metadata = {
            "objects": [{"confidence": one.confidence} for one in boxes],
            "class-map": {str(class_id): self._input.labels[class_id] for class_id in sorted(set(ids))},
        }
        if self._input.initial is not None:
            adjusted = any(given.answer.modified for given in labeled.answers)
            metadata["adjustment-status"] = "adjusted" if adjusted else "unadjusted"
        return {"image_size": [size], "annotations": annotations}, metadata

    def _image_label(self, labeled: LabeledObject) -> tuple[int, dict[str, Any]]:
        label, confidence = consolidate_labels([given.answer.label for given in labeled.answers])
        return self._input.labels.index(label), {"class-name": label, "confidence": confidence}

    def _answer(self, given: GivenAnswer, truth: Truth | None) -> dict[str, Any]:
        accepted = given.submitted - datetime.timedelta(seconds=given.seconds)
        answer = {
            "acceptanceTime": _milliseconds(accepted),
            "answerContent": self._content(given.answer, truth),
            "submissionTime": _milliseconds(given.submitted),
            "timeSpentInSeconds": given.seconds,
            "workerId": given.worker.worker_id(self._public),
        }
        return answer if self._public else {**answer, "workerMetadata": given.worker.metadata()}

    def _content(self, answer: Answer, truth: Truth | None) -> dict[str, Any]:
        if not self._input.is_boxes:
            return {"crowd-image-classifier": {"label": answer.label}}
        boxes = None if answer.boxes is None else [_box(box) for box in answer.boxes]
        size = {"height": truth.height, "width": truth.width} if truth else {}
        modified = {} if answer.modified is None else {"initialValueModified": answer.modified}
        return {"boundingBox": {"boundingBoxes": boxes, "inputImageProperties": size, **modified}}

    def _consolidation_request(self, labeled: LabeledObject) -> dict[str, Any]:
        return {
            "datasetObjectId": str(labeled.index),
            "dataObject": {"s3Uri": labeled.uri},
            "annotations": [
                {
                    "workerId": given.worker.worker_id(self._public),
                    "annotationData": {"content": json.dumps(self._content(given.answer, labeled.truth))},
                }
                for given in labeled.answers
            ],
        }

    def _resume(self) -> list[tuple[int, bool]]:
        content = self._s3.read(*split_uri(self.manifest_uri))
        if content is None:
            return []
        through = []
        metadata, to_label = f"{self._attribute}-metadata", frozenset(self._input.to_label)
        for index, line in zip(range(len(self._lines)), content.splitlines(), strict=False):
            row = json.loads(line)
            if index in to_label and row.get(metadata, {}).get("job-name") == self._job_name:
                self._lines[index] = line
                self._iterations[index] = 2 if f"iteration-2/{index}" in self._answered else 1
                through.append((index, self._attribute in row))
        return through

    def _folders(self, below: str) -> frozenset[str]:
        prefix = f"{self._root}/{below}"
        keys = self._s3.keys(self._bucket, prefix)
        return frozenset(key.removeprefix(prefix).rpartition("/")[0] for key in keys)

    def _write(self, name: str, content: bytes, content_type: str = "application/json") -> None:
        self._s3.write(self._bucket, f"{self._root}/{name}", content, content_type)


def _box(box: TrueBox) -> dict[str, Any]:
    return {"height": box.height, "label": box.label, "left": box.left, "top": box.top, "width": box.width}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%d_%H:%M:%S")


def _milliseconds(moment: datetime.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
