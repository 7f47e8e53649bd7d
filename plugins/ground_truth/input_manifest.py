"""Write the input manifest of a labeling job: JSON Lines, checked against the limits of Ground Truth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ground_truth.exceptions import InputManifestError

# Developer guide, input-data-limits.md and sms-data-input.md.
MAX_OBJECTS = 100_000
MAX_LINE_CHARACTERS = 100_000
MAX_ATTRIBUTE_CHARACTERS = 20_000

_SOURCE_REF, _SOURCE = "source-ref", "source"
_SHOWN_PROBLEMS = 10


def manifest_bytes(rows: Iterable[str | Mapping[str, Any]]) -> bytes:
    """Write the rows as an input manifest, in their order: UTF-8, one JSON object a line, LF at its end.

    The same rows give the same bytes. ``source-ref`` (or ``source``) comes first, other attributes keep
    their order.

    :param rows: One entry an object to label: its S3 URI, or a mapping with ``source-ref`` (an S3 URI) or
        ``source`` (text to label) and any further attributes, which Ground Truth passes through to the
        output.
    :raises InputManifestError: listing the rows that break a limit, and which; or when there is no row.
    """
    lines: list[str] = []
    problems: list[str] = []
    first_line: dict[str, int] = {}
    for number, entry in enumerate(rows, start=1):
        row = {_SOURCE_REF: entry} if isinstance(entry, str) else dict(entry)
        line, found = _line(row)
        found += _duplicate(row.get(_SOURCE_REF), number, first_line)
        problems += [f"row {number}: {problem}" for problem in found]
        lines.append(line)
    if not lines:
        raise InputManifestError("There is no object to label: the input manifest would be empty.")
    if len(lines) > MAX_OBJECTS:
        problems.insert(
            0, f"{len(lines)} objects, at most {MAX_OBJECTS} are allowed: split them over several jobs"
        )
    if problems:
        raise InputManifestError(_summary(problems))
    return "".join(lines).encode("utf-8")


def read_rows(content: bytes, *, name: str) -> list[str | dict[str, Any]]:
    """Read rows from a JSON array, or from JSON Lines (a manifest); entries are S3 URIs or objects.

    :param content: The bytes of the file, UTF-8.
    :param name: What errors call the file.
    :raises InputManifestError: when it is neither, naming the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputManifestError(f"{name} is not UTF-8: {error}.") from error
    if text.lstrip().startswith("["):
        rows = _parsed(text, name)
    else:
        # Not splitlines(): it also splits at U+2028 and others, which JSON strings may hold.
        lines = enumerate(text.split("\n"), start=1)
        rows = [_parsed(line, f"{name}, line {number}") for number, line in lines if line.strip()]
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, str | dict):
            raise InputManifestError(
                f"{name}, entry {number}: expected an S3 URI or an object, not {row!r:.80}."
            )
    return list(rows)


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputManifestError(f"{name} is not JSON: {error}.") from error


def _line(row: dict[str, Any]) -> tuple[str, list[str]]:
    """The manifest line of a row and what is wrong with it."""
    problems = _source_problems(row)
    first = [key for key in (_SOURCE_REF, _SOURCE) if key in row]
    parts: list[str] = []
    for key in [*first, *(key for key in row if key not in first)]:
        try:
            value = json.dumps(row[key], ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            problems.append(f"attribute {key!r} cannot be written as JSON: {error}")
            continue
        if str(key).startswith("$"):
            problems.append(f"attribute {key!r} starts with $, which is reserved")
        if len(value) > MAX_ATTRIBUTE_CHARACTERS:
            problems.append(
                f"attribute {key!r} has {len(value)} characters, at most {MAX_ATTRIBUTE_CHARACTERS}"
            )
        parts.append(f"{json.dumps(str(key), ensure_ascii=False)}: {value}")
    line = "{" + ", ".join(parts) + "}"
    if len(line) > MAX_LINE_CHARACTERS:
        problems.append(f"the line has {len(line)} characters, at most {MAX_LINE_CHARACTERS}")
    return line + "\n", problems


def _source_problems(row: dict[str, Any]) -> list[str]:
    if (_SOURCE_REF in row) == (_SOURCE in row):
        return [f"needs exactly one of {_SOURCE_REF!r} and {_SOURCE!r}"]
    if _SOURCE in row:
        return [] if isinstance(row[_SOURCE], str) else [f"{_SOURCE!r} must be a text"]
    uri = row[_SOURCE_REF]
    if not isinstance(uri, str) or not uri.startswith("s3://") or not all(uri[5:].partition("/")[::2]):
        return [f"{_SOURCE_REF!r} must be an S3 URI of an object, not {uri!r:.120}"]
    return []


def _duplicate(uri: Any, number: int, first_line: dict[str, int]) -> list[str]:
    if not isinstance(uri, str):
        return []
    first = first_line.setdefault(uri, number)
    return [] if first == number else [f"{uri} stands in row {first} already: people would label it twice"]


def _summary(problems: list[str]) -> str:
    shown = "\n  ".join(problems[:_SHOWN_PROBLEMS])
    rest = len(problems) - _SHOWN_PROBLEMS
    return f"The input manifest breaks rules of Ground Truth {len(problems)} times:\n  {shown}" + (
        f"\n  and {rest} more" if rest > 0 else ""
    )
