"""The files a labeling job starts from, opened and checked as AWS does after the job was created.

What is wrong here takes the job from Initializing to Failed with a FailureReason. AWS documents the rules
but not the words; the words are ours, in its `ClientError: ...` form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from roundtruth.sandbox import constants
from roundtruth.sandbox.adjustment import audited_attribute, initial_boxes
from roundtruth.sandbox.job_rules import Request, is_public, task_of
from roundtruth.sandbox.s3 import SandboxS3
from roundtruth.sandbox.truth import TrueBox

# The element that the worker's page must hold, and the least number of labels, by task.
_TASKS = {
    "BoundingBox": ("crowd-bounding-box", 1),
    "AdjustmentBoundingBox": ("crowd-bounding-box", 1),
    "ImageMultiClass": ("crowd-image-classifier", 2),
}


class JobFailedError(Exception):
    """The job fails; the message is its FailureReason."""


@dataclass(frozen=True, kw_only=True)
class JobInput:
    """A job's files: manifest lines and rows in order, label names in order of their ids, worker page."""

    task: str
    lines: tuple[bytes, ...]
    rows: tuple[dict[str, Any], ...]
    labels: tuple[str, ...]
    label_config: bytes
    template: bytes
    to_label: tuple[int, ...]  # indices of the rows that the job labels
    limited: bool  # whether StoppingConditions left rows out
    initial: tuple[tuple[TrueBox, ...], ...] | None = None  # adjustment: the boxes of each row that are there

    @property
    def is_boxes(self) -> bool:
        """Whether workers draw boxes."""
        return self.task.endswith("BoundingBox")


def read_job_input(s3: SandboxS3, request: Request) -> JobInput:
    """Read and check everything that a job starts from; raises JobFailedError."""
    task = task_of(request)
    if task not in _TASKS:
        raise JobFailedError(
            f"The sandbox has no workers for the task type {task}; it knows {', '.join(sorted(_TASKS))}."
        )
    source = request["InputConfig"]["DataSource"].get("S3DataSource")
    if source is None:
        raise JobFailedError("The sandbox has no streaming labeling jobs; give a ManifestS3Uri.")
    if is_public(request):
        _check_public(request)
    output_bucket = split_uri(request["OutputConfig"]["S3OutputPath"])[0]
    if not s3.has_bucket(output_bucket):
        raise JobFailedError(
            f"ClientError: The output bucket {output_bucket} does not exist or is not accessible."
        )
    lines = tuple(
        line for line in _read(s3, source["ManifestS3Uri"], "manifest").splitlines() if line.strip()
    )
    rows = tuple(_row(number, line) for number, line in enumerate(lines, start=1))
    if not rows:
        raise JobFailedError(f"ClientError: The manifest {source['ManifestS3Uri']} is empty.")
    if len(rows) > constants.MAX_OBJECTS:
        raise JobFailedError(
            f"ClientError: The manifest has {len(rows)} objects; the limit is {constants.MAX_OBJECTS}."
        )
    config = _read(s3, request["LabelCategoryConfigS3Uri"], "label category configuration")
    template = _read(s3, request["HumanTaskConfig"]["UiConfig"]["UiTemplateS3Uri"], "UI template")
    element, least_labels = _TASKS[task]
    if f"<{element}" not in template.decode("utf-8", "replace"):
        raise JobFailedError(f"ClientError: The UI template must have a {element} element.")
    to_label, limited = _rows_to_label(request, rows)
    labels = _labels(config, least_labels, task)
    return JobInput(
        task=task,
        lines=lines,
        rows=rows,
        labels=labels,
        initial=_initial(request, template, rows, labels) if task.startswith("Adjustment") else None,
        label_config=config,
        template=template,
        to_label=to_label,
        limited=limited,
    )


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URI (the model's pattern has been checked)."""
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def _check_public(request: Request) -> None:
    # "To use the public workforce, input data must be free of PII": the job fails, the call does not.
    classifiers = request["InputConfig"].get("DataAttributes", {}).get("ContentClassifiers", [])
    if "FreeOfPersonallyIdentifiableInformation" not in classifiers:
        raise JobFailedError(
            "ClientError: The public workforce needs the content classifier "
            "FreeOfPersonallyIdentifiableInformation."
        )


def _read(s3: SandboxS3, uri: str, what: str) -> bytes:
    content = s3.read(*split_uri(uri))
    if content is None:
        raise JobFailedError(f"ClientError: The {what} {uri} does not exist or is not accessible.")
    return content


def _row(number: int, line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8")
        row = json.loads(text)
    except ValueError as wrong:
        raise JobFailedError(
            f"ClientError: Line {number} of the manifest is not valid JSON: {wrong}"
        ) from wrong
    if len(text) > constants.MAX_LINE_CHARACTERS:
        raise JobFailedError(
            f"ClientError: Line {number} of the manifest has more than "
            f"{constants.MAX_LINE_CHARACTERS} characters."
        )
    if not isinstance(row, dict) or not ({"source-ref", "source"} & row.keys()):
        raise JobFailedError(f"ClientError: Line {number} of the manifest has neither source-ref nor source.")
    for key, value in row.items():
        if key.startswith("$"):
            raise JobFailedError(
                f"ClientError: Line {number} of the manifest has the key {key}; no key may start with $."
            )
        if isinstance(value, str) and len(value) > constants.MAX_ATTRIBUTE_CHARACTERS:
            raise JobFailedError(
                f"ClientError: Line {number} of the manifest: {key} has more than "
                f"{constants.MAX_ATTRIBUTE_CHARACTERS} characters."
            )
    return row


def _labels(config: bytes, least: int, task: str) -> tuple[str, ...]:
    try:
        labels = tuple(entry["label"] for entry in json.loads(config)["labels"])
    except (ValueError, KeyError, TypeError) as wrong:
        raise JobFailedError(
            "ClientError: The label category configuration is not valid JSON of labels."
        ) from wrong
    if not all(
        isinstance(label, str) and 0 < len(label) <= constants.MAX_LABEL_CHARACTERS for label in labels
    ):
        raise JobFailedError(f"ClientError: Labels must be 1 to {constants.MAX_LABEL_CHARACTERS} characters.")
    if len(set(labels)) < len(labels):
        raise JobFailedError("ClientError: The labels of the label category configuration must be unique.")
    if len(labels) < least:
        raise JobFailedError(f"ClientError: The task type {task} needs at least {least} label(s).")
    if task.endswith("BoundingBox") and len(labels) > constants.MAX_BOX_LABELS:
        raise JobFailedError(
            f"ClientError: A bounding box job may have {constants.MAX_BOX_LABELS} labels, not {len(labels)}."
        )
    return labels


def _initial(
    request: Request, template: bytes, rows: tuple[dict[str, Any], ...], labels: tuple[str, ...]
) -> tuple[tuple[TrueBox, ...], ...]:
    attribute = audited_attribute(template.decode("utf-8", "replace"))
    if attribute is None:
        raise JobFailedError(
            "ClientError: The UI template of an adjustment job must take its initial-value from "
            "task.input.manifestLine.<label attribute>.annotations."
        )
    if attribute == request["LabelAttributeName"]:
        raise JobFailedError(
            f"ClientError: LabelAttributeName {attribute} is that of the label that is adjusted."
        )
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(initial_boxes(row, attribute))
        except (KeyError, TypeError, ValueError) as wrong:
            raise JobFailedError(
                f"ClientError: Line {number} of the manifest has no bounding boxes under {attribute}."
            ) from wrong
    missing = sorted({box.label for boxes in found for box in boxes} - set(labels))
    if missing:
        raise JobFailedError(
            f"ClientError: The label category configuration lacks {missing[0]} of the label that is adjusted."
        )
    return tuple(found)


def _rows_to_label(request: Request, rows: tuple[dict[str, Any], ...]) -> tuple[tuple[int, ...], bool]:
    # Chaining: with the label attribute of an earlier job only the rows that lack it are labeled (2.1).
    attribute = request["LabelAttributeName"]
    lacking = tuple(index for index, row in enumerate(rows) if attribute not in row)
    conditions = request.get("StoppingConditions", {})
    most = conditions.get("MaxHumanLabeledObjectCount", len(rows))
    if "MaxPercentageOfInputDatasetLabeled" in conditions:
        most = min(most, len(rows) * conditions["MaxPercentageOfInputDatasetLabeled"] // 100)
    return lacking[:most], most < len(lacking)
