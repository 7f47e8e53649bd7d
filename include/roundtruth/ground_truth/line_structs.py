"""Structs that lines of an output manifest are decoded into at once, made for the keys that they have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from roundtruth.ground_truth.manifests import METADATA


class NoLine(msgspec.Struct, forbid_unknown_fields=True):
    """Fits no line, for there is no key that it knows."""

    nothing: int


def line_type(keys: Iterable[str], attribute: str) -> type:
    """A struct of exactly these keys, which decodes no line with others.

    It has ``source_ref``, the label's ``label`` and ``metadata``; the rest is not looked into.
    """
    fields: list[tuple[str, Any]] = []
    rename: dict[str, str] = {}
    known = {
        "source-ref": ("source_ref", str),
        attribute: ("label", _BoxLabel),
        attribute + METADATA: ("metadata", _Metadata),
    }
    for place, key in enumerate(keys):
        name, kind = known.get(key, (f"other_{place}", msgspec.Raw))
        fields.append((name, kind))
        rename[name] = key
    return msgspec.defstruct("_Line", fields, rename=rename, forbid_unknown_fields=True)


class _Annotation(msgspec.Struct, gc=False):
    class_id: int
    left: float
    top: float
    width: float
    height: float


class _ImageSize(msgspec.Struct, gc=False):
    width: int
    height: int


class _BoxLabel(msgspec.Struct):
    annotations: list[_Annotation]
    image_size: list[_ImageSize]


class _Object(msgspec.Struct, gc=False):
    confidence: float | None = None


class _Metadata(msgspec.Struct, rename="kebab"):
    """The same fields as manifests.py reads, so that the same lines are broken."""

    type: str = ""
    failure_reason: Any = None
    class_map: dict[int, str] = {}
    objects: list[_Object] = []
    job_name: str = ""
    class_name: str = ""
    human_annotated: str = "yes"
    creation_date: str = ""
    confidence: float | None = None
    confidence_map: dict[str, float] = {}
