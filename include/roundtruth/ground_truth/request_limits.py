"""Check a CreateLabelingJob request before it is sent: botocore's model, then the limits AWS only documents.

The sandbox checks requests too, with code of its own: one misreading must not pass on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import botocore.session

from roundtruth.errors import LabelingRequestError

# Smallest prices Mechanical Turk takes for a box task, in US dollars (botocore, PublicWorkforceTaskPrice).
BOX_PRICES = (0.036, 0.048, 0.060, 0.072, *(round(0.12 * step, 3) for step in range(1, 11)))
PUBLIC_AVAILABILITY = 43_200  # seconds: 12 hours (botocore, TaskAvailabilityLifetimeInSeconds)
PRIVATE_AVAILABILITY = 2_592_000  # seconds: 30 days
TASK_TIME_LIMIT = 28_800  # seconds: 8 hours for images (botocore, TaskTimeLimitInSeconds)

Request = dict[str, Any]


def check_request(request: Request) -> None:
    """Check a request without calling AWS.

    :raises LabelingRequestError: one sentence that lists every field, its value and the limit it breaks.
    """
    problems = [*model_problems(request), *_documented_problems(request)]
    if problems:
        name = request.get("LabelingJobName", "?")
        raise LabelingRequestError(f"CreateLabelingJob request of {name!r}: {'; '.join(problems)}.")


def model_problems(request: Request) -> list[str]:
    """What breaks botocore's model: required fields, types, lengths, ranges, patterns, enums.

    botocore itself checks only the first two and lower bounds before it sends a request.
    """
    return list(_shape_problems(_input_shape(), request, ""))


@cache
def _input_shape() -> Any:
    session = botocore.session.Session()
    return session.get_service_model("sagemaker").operation_model("CreateLabelingJob").input_shape


def _shape_problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    expected: Any = {"structure": dict, "list": list, "string": str, "integer": int}[shape.type_name]
    if not isinstance(value, expected) or isinstance(value, bool):
        yield f"{path} must be of type {shape.type_name}, not {type(value).__name__}"
    elif shape.type_name == "structure":
        yield from _structure_problems(shape, value, path)
    elif shape.type_name == "list":
        yield from _range_problems(shape, len(value), "entries", path)
        for index, entry in enumerate(value):
            yield from _shape_problems(shape.member, entry, f"{path}[{index}]")
    elif shape.type_name == "string":
        yield from _string_problems(shape, value, path)
    else:
        yield from _range_problems(shape, value, "", path)


def _structure_problems(shape: Any, value: Request, path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in shape.required_members:
        if name not in value:
            yield f"{prefix}{name} is required"
    for name, member in value.items():
        if name in shape.members:
            yield from _shape_problems(shape.members[name], member, f"{prefix}{name}")
        else:
            yield f"{prefix}{name} is no field of CreateLabelingJob"


def _string_problems(shape: Any, value: str, path: str) -> Iterator[str]:
    yield from _range_problems(shape, len(value), "characters", path)
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_python_pattern(pattern), value):
        yield f"{path} {_short(value)} must match {pattern}"
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        yield f"{path} {_short(value)} must be one of {', '.join(enum)}"


def _range_problems(shape: Any, value: int, unit: str, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    found = f"{value} {unit}".rstrip()
    if least is not None and value < least:
        yield (
            f"{path} has {found}, at least {least} are needed" if unit else f"{path} {value} is below {least}"
        )
    if most is not None and value > most:
        yield f"{path} has {found}, at most {most} are allowed" if unit else f"{path} {value} is above {most}"


def _python_pattern(pattern: str) -> str:
    # The model's patterns are Java's; of theirs, `re` lacks only \p{L}, \p{Z} and \p{N}, used in one class.
    return pattern.replace(r"\p{L}\p{Z}\p{N}_", r"\w\s")


def _documented_problems(request: Request) -> Iterator[str]:
    for rule in _RULES:
        yield from rule(request)


def _label_attribute(request: Request) -> Iterator[str]:
    name = str(request.get("LabelAttributeName", ""))
    if name.endswith(("-metadata", "-ref")) or name in {"source", "source-ref"}:
        yield (
            f"LabelAttributeName {name!r} must not end in -metadata or -ref "
            "and must not be source or source-ref for box jobs"
        )


def _one_ui(request: Request) -> Iterator[str]:
    ui = _structure(request, "HumanTaskConfig", "UiConfig")
    if ("UiTemplateS3Uri" in ui) == ("HumanTaskUiArn" in ui):
        yield "HumanTaskConfig.UiConfig needs exactly one of UiTemplateS3Uri and HumanTaskUiArn"


def _times(request: Request) -> Iterator[str]:
    task = _structure(request, "HumanTaskConfig")
    limit, lifetime = task.get("TaskTimeLimitInSeconds"), task.get("TaskAvailabilityLifetimeInSeconds")
    if isinstance(limit, int) and limit > TASK_TIME_LIMIT:
        yield f"HumanTaskConfig.TaskTimeLimitInSeconds {limit} is above {TASK_TIME_LIMIT} (8 hours)"
    most = PUBLIC_AVAILABILITY if _is_public(request) else PRIVATE_AVAILABILITY
    if isinstance(lifetime, int) and lifetime > most:
        field = "HumanTaskConfig.TaskAvailabilityLifetimeInSeconds"
        yield f"{field} {lifetime} is above {most} for this work team"


def _price(request: Request) -> Iterator[str]:
    price = _structure(request, "HumanTaskConfig").get("PublicWorkforceTaskPrice")
    if not _is_public(request):
        if price is not None:
            yield "HumanTaskConfig.PublicWorkforceTaskPrice goes with the public work team only"
        return
    if price is None:
        yield "HumanTaskConfig.PublicWorkforceTaskPrice is required for the public work team"
        return
    amount = _structure(request, "HumanTaskConfig", "PublicWorkforceTaskPrice", "AmountInUsd")
    worth = {"Dollars": 1, "Cents": 0.01, "TenthFractionsOfACent": 0.001}
    usd = round(sum(amount[name] * worth[name] for name in worth if isinstance(amount.get(name), int)), 3)
    if usd not in BOX_PRICES:
        steps = ", ".join(f"{step:.3f}" for step in BOX_PRICES)
        yield f"HumanTaskConfig.PublicWorkforceTaskPrice {usd:.3f} USD must be one of {steps}"


def _public_data(request: Request) -> Iterator[str]:
    classifiers = _structure(request, "InputConfig", "DataAttributes").get("ContentClassifiers")
    if _is_public(request) and "FreeOfPersonallyIdentifiableInformation" not in (classifiers or ()):
        yield (
            "InputConfig.DataAttributes.ContentClassifiers needs FreeOfPersonallyIdentifiableInformation "
            "for the public work team"
        )


def _tags(request: Request) -> Iterator[str]:
    tags = request.get("Tags")
    keys = [str(tag.get("Key")) for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"Tags has the key {key!r} more than once"
    for key in keys:
        if key.lower().startswith("aws:"):
            yield f"Tags key {key!r} must not begin with aws:"


_RULES: tuple[Callable[[Request], Iterator[str]], ...] = (
    _label_attribute,
    _one_ui,
    _times,
    _price,
    _public_data,
    _tags,
)


def _structure(request: Request, *path: str) -> Request:
    """A structure of the request; empty where it is missing or of another type, which the model reports."""
    found: Any = request
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _is_public(request: Request) -> bool:
    return ":workteam/public-crowd/" in str(_structure(request, "HumanTaskConfig").get("WorkteamArn", ""))


def _short(value: str) -> str:
    return repr(value if len(value) <= 60 else f"{value[:57]}...")
