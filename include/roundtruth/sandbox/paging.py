"""Sorting, filtering by time and paging of the List operations."""

from __future__ import annotations

import base64
import binascii
import datetime
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from roundtruth.sandbox.protocol import Body, invalid

Item = TypeVar("Item")

_PAGE = 10  # results a page when MaxResults is not given


def page(
    request: Body, items: Sequence[Item], sort_keys: dict[str, Callable[[Item], Any]]
) -> tuple[list[Item], str | None]:
    """One page of the items in the request's order, and the token of the next page.

    `sort_keys` by SortBy; the first is the default. The token holds the place in the list and the request it
    belongs to; a token of another request is a ValidationException, as is one that was made up.
    """
    key = sort_keys[request.get("SortBy", next(iter(sort_keys)))]
    ordered = sorted(items, key=key, reverse=request.get("SortOrder", "Ascending") == "Descending")
    asked = {
        name: str(value) for name, value in sorted(request.items()) if name not in {"NextToken", "MaxResults"}
    }
    start = _read_token(request["NextToken"], asked) if "NextToken" in request else 0
    end = start + request.get("MaxResults", _PAGE)
    return ordered[start:end], _token(end, asked) if end < len(ordered) else None


def within(request: Body, prefix: str, moment: float) -> bool:
    """Whether a time (epoch seconds) lies between the request's `<prefix>After` and `<prefix>Before`."""
    time = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    after, before = request.get(f"{prefix}After"), request.get(f"{prefix}Before")
    return (after is None or time > after) and (before is None or time < before)


def _token(start: int, asked: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([start, asked]).encode()).decode()


def _read_token(token: str, asked: dict[str, str]) -> int:
    try:
        start, belongs_to = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, TypeError) as wrong:
        raise invalid("The NextToken is not valid.") from wrong
    if belongs_to != asked:
        raise invalid("The NextToken belongs to a request with other parameters.")
    return int(start)
