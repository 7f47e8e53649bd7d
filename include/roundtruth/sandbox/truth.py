"""What is really on an image: the file beside a sample image, or the rows of a manifest that is replayed.

The truth of `s3://bucket/images/a.jpg` is the JSON object `s3://bucket/images/a.jpg.truth.json` (no image
by its suffix, so image listings pass it by)::

    {"width": 1024, "height": 768,
     "objects": [{"label": "pen", "left": 10, "top": 20, "width": 300, "height": 42}]}

in pixels of the stored image, left-top origin, EXIF orientation not applied. Only the sandbox's workers and
the demo's summary of accuracy read it; the pipeline does not know it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from roundtruth.errors import SandboxError
from roundtruth.typed_json import decode_json

TRUTH_SUFFIX = ".truth.json"


class TrueBox(msgspec.Struct, frozen=True, kw_only=True):
    """One object on an image; pixels."""

    label: str
    left: float
    top: float
    width: float
    height: float


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """All objects on an image of `width` x `height` stored pixels; `label`: class of the whole image."""

    width: int
    height: int
    objects: tuple[TrueBox, ...]
    label: str | None = None


def truth_uri(image_uri: str) -> str:
    """Where the truth of an image lies."""
    return image_uri + TRUTH_SUFFIX


def encode_truth(truth: Truth) -> bytes:
    """The content of a truth file."""
    return msgspec.json.encode(truth)


def decode_truth(content: bytes) -> Truth:
    """Read the content of a truth file; raises SandboxError."""
    try:
        return decode_json(content, Truth)
    except msgspec.DecodeError as wrong:
        raise SandboxError(f"The truth file is not valid: {wrong}.") from wrong


def read_truths(image_uris: Iterable[str], read: Callable[[str], bytes | None]) -> dict[str, Truth]:
    """Truth by image URI, of the images that have one; `read` gives an object's bytes or None by URI."""
    contents = ((uri, read(truth_uri(uri))) for uri in image_uris)
    return {uri: decode_truth(content) for uri, content in contents if content is not None}


class ReplayedManifest:
    """The truths that an output manifest records, found by an image's file name.

    The newest label attribute of a line counts. Of several rows with the same file name the one whose key
    shares the longest tail with the image's key is taken; rows that are equally near are an error of that
    image.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_name: dict[str, list[tuple[str, Truth]]] = defaultdict(list)
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if line.strip():
                self._add(number, line)

    def find(self, image_uri: str) -> Truth | None:
        """The truth of an image; None where the manifest does not have it or has it twice."""
        rows = self._by_name.get(_file_name(image_uri), [])
        nearest = sorted(rows, key=lambda row: _common_tail(row[0], image_uri), reverse=True)
        if len(nearest) > 1:
            first, second = (_common_tail(row[0], image_uri) for row in nearest[:2])
            if first == second and nearest[0][1] != nearest[1][1]:
                return None
        return nearest[0][1] if nearest else None

    def _add(self, number: int, line: bytes) -> None:
        try:
            row = json.loads(line)
            truth = _recorded_truth(row)
            source = row["source-ref"]
        except (ValueError, KeyError, TypeError, IndexError) as wrong:
            raise SandboxError(f"{self._path}, line {number}, cannot be replayed: {wrong!r}.") from wrong
        if truth is not None:
            self._by_name[_file_name(source)].append((source, truth))


def _recorded_truth(row: dict[str, Any]) -> Truth | None:
    labels = [
        (row[f"{name}-metadata"].get("creation-date", ""), value, row[f"{name}-metadata"])
        for name, value in row.items()
        if isinstance(value, dict) and "annotations" in value and f"{name}-metadata" in row
    ]
    if not labels:
        return None  # nobody labeled this row, or they failed
    _, value, metadata = max(labels, key=lambda label: label[0])
    names = metadata["class-map"]
    size = value["image_size"][0]
    boxes = tuple(
        TrueBox(
            label=names[str(box["class_id"])],
            left=box["left"],
            top=box["top"],
            width=box["width"],
            height=box["height"],
        )
        for box in value["annotations"]
    )
    return Truth(width=size["width"], height=size["height"], objects=boxes)


def _file_name(uri: str) -> str:
    return uri.rpartition("/")[2]


def _common_tail(one: str, other: str) -> int:
    shared = 0
    for left, right in zip(reversed(one.split("/")), reversed(other.split("/")), strict=False):
        if left != right:
            break
        shared += 1
    return shared
