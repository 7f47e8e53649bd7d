"""The AWS JSON 1.1 protocol of the SageMaker API: requests checked against botocore's model, answers, errors.

Messages have the form that AWS gives: "1 validation error detected: Value 'x' at 'labelingJobName' failed to
satisfy constraint: Member must ..."
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape

Body = dict[str, Any]


class ServiceError(Exception):
    """An error answer of the service: its code (`__type`), message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> bytes:
        """The JSON of the error answer."""
        return json.dumps({"__type": self.code, "message": self.message}).encode()


def invalid(message: str) -> ServiceError:
    """A ValidationException: a rule of the request is broken."""
    return ServiceError("ValidationException", message)


def not_found(message: str) -> ServiceError:
    """The modelled ResourceNotFound."""
    return ServiceError("ResourceNotFound", message)


@functools.cache
def operation_model(name: str) -> OperationModel:
    """Botocore's model of one SageMaker operation; raises ServiceError where there is none."""
    model = _service_model()
    if name not in model.operation_names:
        raise ServiceError("UnknownOperationException", f"The operation {name} does not exist in SageMaker.")
    return model.operation_model(name)


def read_request(operation: str, content: bytes) -> Body:
    """Decode and check one request; timestamps become aware datetimes, unknown members are dropped.

    Raises ServiceError with SerializationException (a type is wrong) or ValidationException (a constraint).
    """
    shape = operation_model(operation).input_shape
    try:
        body = json.loads(content or b"{}")
    except ValueError as wrong:
        raise ServiceError("SerializationException", f"Could not parse request body: {wrong}") from wrong
    problems: list[str] = []
    read = _read(shape, body, "", problems)
    if problems:
        plural = "error" if len(problems) == 1 else "errors"
        raise invalid(f"{len(problems)} validation {plural} detected: {'; '.join(problems)}")
    return dict(read)


def write_answer(answer: Body) -> bytes:
    """Encode an answer; datetimes become epoch seconds, members that are None are left out."""
    return json.dumps(_plain(answer)).encode()


@functools.cache
def _service_model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def _read(shape: Shape | None, value: Any, path: str, problems: list[str]) -> Any:
    if shape is None:
        return {}
    expected, name = _JSON_TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and shape.type_name != "boolean"):
        raise ServiceError("SerializationException", f"{path or 'The request'} is not {name}")
    if shape.type_name == "structure":
        return _read_structure(shape, value, path, problems)
    if shape.type_name == "list":
        problems.extend(_length_problems(shape, value, path))
        return [
            _read(shape.member, item, f"{path}.{index}.member", problems)
            for index, item in enumerate(value, start=1)
        ]
    if shape.type_name == "timestamp":
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    problems.extend(_scalar_problems(shape, value, path))
    return value


def _read_structure(shape: Any, value: Body, path: str, problems: list[str]) -> Body:
    read = {}
    for name, member in shape.members.items():
        # AWS prints paths in the spelling of its Java model.
        below = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
        if value.get(name) is not None:
            read[name] = _read(member, value[name], below, problems)
        elif name in shape.required_members:
            problems.append(f"Value null at '{below}' failed to satisfy constraint: Member must not be null")
    return read


_JSON_TYPES: dict[str, tuple[Any, str]] = {
    "structure": (dict, "an object"),
    "map": (dict, "an object"),
    "list": (list, "a list"),
    "string": (str, "a string"),
    "integer": (int, "an integer"),
    "long": (int, "an integer"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": (bool, "a boolean"),
    "timestamp": ((int, float), "a timestamp"),
}


def _length_problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < least:
        yield _problem(value, path, f"Member must have length greater than or equal to {least}")
    if most is not None and len(value) > most:
        yield _problem(value, path, f"Member must have length less than or equal to {most}")


def _scalar_problems(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "string":
        yield from _length_problems(shape, value, path)
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).fullmatch(value):
            yield _problem(value, path, f"Member must satisfy regular expression pattern: {pattern}")
        if shape.enum and value not in shape.enum:
            yield _problem(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        return
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and value < least:
        yield _problem(value, path, f"Member must have value greater than or equal to {least}")
    if most is not None and value > most:
        yield _problem(value, path, f"Member must have value less than or equal to {most}")


def _problem(value: Any, path: str, rule: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {rule}"


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # The model's patterns are Java's; `re` lacks only \p{Category}, which stands in character classes there.
    return re.compile(re.sub(r"\\p\{(\w)\}", lambda found: _category(found.group(1)), pattern))


@functools.cache
def _category(letter: str) -> str:
    """The characters of a Unicode category as ranges for a character class."""
    codes = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == letter)
    runs = (list(run) for _, run in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]))
    return "".join(f"\\U{run[0][1]:08x}-\\U{run[-1][1]:08x}" for run in runs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    return value
