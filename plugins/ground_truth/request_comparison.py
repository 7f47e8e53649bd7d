"""Tell whether an existing labeling job was created from a given CreateLabelingJob request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_ABSENT = object()

_COMPARED = (
    "LabelAttributeName",
    "InputConfig",
    "OutputConfig",
    "RoleArn",
    "LabelCategoryConfigS3Uri",
    "StoppingConditions",
    "LabelingJobAlgorithmsConfig",
    "HumanTaskConfig",
)

# What AWS fills in where a request is silent (botocore, HumanTaskConfig). 864,000 is the older default of
# TaskAvailabilityLifetimeInSeconds for private and vendor teams (developer guide of 2023).
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "HumanTaskConfig.MaxConcurrentTaskCount": (1000,),
    "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds": (21_600, 864_000, 2_592_000),
}


def differences(request: dict[str, Any], description: dict[str, Any]) -> list[str]:
    """Compare every field of a request that DescribeLabelingJob gives back, field by field.

    Lists are compared without order: in this API each is a set (classifiers, keywords, subnets, security
    groups). An empty field is the same as an absent one, and a documented default the same as silence. Tags
    may be added to any job later, so a job may carry more of them than the request, but not other values.

    :param request: The keyword arguments of ``create_labeling_job``.
    :param description: What ``describe_labeling_job`` returned.
    :return: One line a field that differs, ``path: theirs / ours``; empty when the requests are the same.
    """
    found: list[str] = []
    for field in _COMPARED:
        found.extend(_compare(field, description.get(field, _ABSENT), request.get(field, _ABSENT)))
    found.extend(_compare_tags(description.get("Tags", []), request.get("Tags", [])))
    return found


def _compare(path: str, theirs: Any, ours: Any) -> Iterator[str]:
    theirs, ours = _normal(path, theirs), _normal(path, ours)
    if isinstance(theirs, dict) or isinstance(ours, dict):
        yield from _compare_structures(path, theirs, ours)
    elif theirs != ours and not (ours is _ABSENT and theirs in _DEFAULTS.get(path, ())):
        yield _line(path, theirs, ours)


def _compare_structures(path: str, theirs: Any, ours: Any) -> Iterator[str]:
    their_fields = theirs if isinstance(theirs, dict) else {}
    our_fields = ours if isinstance(ours, dict) else {}
    for name in sorted(their_fields.keys() | our_fields.keys()):
        yield from _compare(f"{path}.{name}", their_fields.get(name, _ABSENT), our_fields.get(name, _ABSENT))


def _compare_tags(theirs: list[dict[str, str]], ours: list[dict[str, str]]) -> Iterator[str]:
    their_tags = {tag["Key"]: tag["Value"] for tag in theirs}
    for tag in sorted(ours, key=lambda tag: tag["Key"]):
        value = their_tags.get(tag["Key"], _ABSENT)
        if value != tag["Value"]:
            yield _line(f"Tags[{tag['Key']}]", value, tag["Value"])


def _normal(path: str, value: Any) -> Any:
    if value is None or value in ("", [], {}):
        return _ABSENT
    if isinstance(value, list):
        return sorted(value, key=repr)
    if path == "OutputConfig.S3OutputPath" and isinstance(value, str):
        return value.rstrip("/")  # Ground Truth puts <job name>/ below it, with or without the slash
    return value


def _line(path: str, theirs: Any, ours: Any) -> str:
    return f"{path}: {_shown(theirs)} / {_shown(ours)}"


def _shown(value: Any) -> str:
    return "(absent)" if value is _ABSENT else json.dumps(value, ensure_ascii=False, default=str)
