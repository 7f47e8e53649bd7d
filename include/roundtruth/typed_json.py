"""JSON into typed structs, from several threads at once."""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_building = threading.Lock()


def decode_json(data: bytes | str | msgspec.Raw, kind: type[T]) -> T:
    """The value of a JSON text.

    ``msgspec.json.decode(data, type=…)`` would build what it knows of a struct at its first use, and lets a
    second thread see it half built: two threads that decode a nested struct for the first time crash the
    process (msgspec 0.22, seen in the sandbox). So a decoder is built by one thread at a time, and kept.

    :raises msgspec.DecodeError: for what is no JSON; ``msgspec.ValidationError``, a kind of it, for JSON of
        another shape.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        with _building:
            decoder = _decoders.setdefault(kind, msgspec.json.Decoder(kind))
    value: T = decoder.decode(data)
    return value
