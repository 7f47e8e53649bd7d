"""Manifests cut into parts of whole lines, decoded one by one or side by side, kept as columns on disk.

A part is small, so memory does not grow with a manifest; its columns lie in a scratch folder between the two
times a conversion needs them, because reading them back costs next to nothing and decoding costs most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from roundtruth.errors import StorageError
from roundtruth.ground_truth.label_columns import LabelColumns, read_label_columns
from roundtruth.ground_truth.records import LineProblem
from roundtruth.storage import ObjectUri, Storage

PART_BYTES = 2 << 20  # some 2,000 lines: enough for numpy, little for memory
COPY_BYTES = 16 << 20  # of an object in S3 at once


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some lines of a manifest: bytes ``start`` to ``end`` of a file on this machine."""

    manifest: int  # its place among the manifests
    name: str  # the manifest as it was given
    path: Path
    start: int
    end: int
    first_line: int  # 1-based
    columns: Path  # where its labels are kept, each kind under a suffix of its own


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """One label attribute or the newest, and names of classes that a line leaves open."""

    label_attribute: str | None
    other_names: dict[int, str]


@dataclass(frozen=True, kw_only=True)
class DecodedPart:
    """What all parts together must know of one; its labels are in the files ``part.columns``."""

    part: Part
    numbers: bytes  # int64: the lines with a source-ref, usable or not
    digests: bytes  # theirs, 16 bytes each
    usable: bytes  # bool
    names: dict[str, dict[tuple[int, str], int]]
    problems: list[LineProblem] = field(default_factory=list)


class _Texts(msgspec.Struct, array_like=True):
    source_refs: list[str]
    jobs: list[str]
    created: list[str]


# What is kept of a part: texts, a row a line and a row a box; the latter two are read at any place.
_TEXTS, _LINES, _BOXES = ".texts", ".lines", ".boxes"
_LINE = np.dtype([("number", "i8"), ("width", "i8"), ("height", "i8"), ("end", "i8")])  # end: of its boxes
_BOX = np.dtype([("class_id", "i8"), ("edges", "f8", 4)])
_decoder = msgspec.msgpack.Decoder(_Texts)


def cut_manifests(storage: Storage, manifests: tuple[ObjectUri, ...], scratch: Path) -> list[Part]:
    """The parts of all manifests, in order; those in S3 are copied to the scratch folder.

    :raises StorageError: when a manifest is not there.
    """
    parts: list[Part] = []
    for place, manifest in enumerate(manifests):
        path = _local_path(storage, manifest, scratch / f"{place}.manifest")
        for number, (start, end, first_line) in enumerate(_ranges(path)):
            columns = scratch / f"{place}-{number:06d}"
            parts.append(
                Part(
                    manifest=place,
                    name=str(manifest),
                    path=path,
                    start=start,
                    end=end,
                    first_line=first_line,
                    columns=columns,
                )
            )
    return parts


def decode_part(part: Part, decoding: Decoding, repeated: dict[int, int] | None = None) -> DecodedPart:
    """Decode a part and keep its columns; ``repeated``: lines whose image stood on an earlier line."""
    with part.path.open("rb") as file:
        file.seek(part.start)
        lines = file.read(part.end - part.start).split(b"\n")
    columns = read_label_columns(
        lines,
        file=part.name,
        first_line=part.first_line,
        label_attribute=decoding.label_attribute,
        other_names=decoding.other_names,
        repeated=repeated,
    )
    _keep(columns, part.columns)
    numbers = np.array([number for number, _ in columns.digests], dtype=np.int64)
    return DecodedPart(
        part=part,
        numbers=numbers.tobytes(),
        digests=b"".join(digest for _, digest in columns.digests),
        usable=np.isin(numbers, columns.numbers, assume_unique=True).tobytes(),
        names=columns.names,
        problems=columns.problems,
    )


def read_columns(part: Part) -> LabelColumns:
    """The labels of a part that was decoded."""
    texts = _decoder.decode(part.columns.with_suffix(_TEXTS).read_bytes())
    lines = np.fromfile(part.columns.with_suffix(_LINES), dtype=_LINE)
    boxes = np.fromfile(part.columns.with_suffix(_BOXES), dtype=_BOX)
    return LabelColumns(
        numbers=lines["number"],
        source_refs=texts.source_refs,
        jobs=texts.jobs,
        created=texts.created,
        widths=lines["width"],
        heights=lines["height"],
        counts=np.diff(lines["end"], prepend=0),
        class_ids=boxes["class_id"],
        edges=boxes["edges"],
    )


class KeptLine(NamedTuple):
    """One line of a part that was decoded: its image's size in pixels, its boxes."""

    width: int
    height: int
    class_ids: NDArray[np.int64]
    edges: NDArray[np.float64]


def read_line(part: Part, place: int) -> KeptLine:
    """The usable line at a place (0-based) of a part, without reading the others."""
    lines, boxes = _mapped(part.columns)
    start = int(lines["end"][place - 1]) if place else 0
    own = boxes[start : int(lines["end"][place])]
    return KeptLine(int(lines["width"][place]), int(lines["height"][place]), own["class_id"], own["edges"])


@lru_cache(maxsize=10_000)  # far fewer than a process may map, and each is some kilobytes of addresses
def _mapped(columns: Path) -> tuple[NDArray[np.void], NDArray[np.void]]:
    def mapped(suffix: str, kind: np.dtype[np.void]) -> NDArray[np.void]:
        path = columns.with_suffix(suffix)
        # Nothing can be mapped of an empty file.
        return np.memmap(path, dtype=kind, mode="r") if path.stat().st_size else np.empty(0, dtype=kind)

    return mapped(_LINES, _LINE), mapped(_BOXES, _BOX)


def _keep(columns: LabelColumns, path: Path) -> None:
    lines = np.empty(len(columns.numbers), dtype=_LINE)
    lines["number"], lines["width"], lines["height"] = columns.numbers, columns.widths, columns.heights
    lines["end"] = np.cumsum(columns.counts)
    boxes = np.empty(len(columns.class_ids), dtype=_BOX)
    boxes["class_id"], boxes["edges"] = columns.class_ids, columns.edges
    texts = _Texts(source_refs=columns.source_refs, jobs=columns.jobs, created=columns.created)
    path.with_suffix(_TEXTS).write_bytes(msgspec.msgpack.encode(texts))
    path.with_suffix(_LINES).write_bytes(lines.tobytes())
    path.with_suffix(_BOXES).write_bytes(boxes.tobytes())


def _ranges(path: Path) -> Iterator[tuple[int, int, int]]:
    """Start, end and first line (1-based) of each part; each ends behind a line."""
    start, first_line = 0, 1
    with path.open("rb") as file:
        while block := file.read(PART_BYTES):
            block += file.readline()
            end = start + len(block)
            yield start, end, first_line
            start, first_line = end, first_line + block.count(b"\n")


def _local_path(storage: Storage, manifest: ObjectUri, copy: Path) -> Path:
    path = Path(manifest.key)
    if not manifest.is_local:
        with copy.open("wb") as file:
            start = 0
            while block := storage.read_range(manifest, start, COPY_BYTES):
                file.write(block)
                start += len(block)
                if len(block) < COPY_BYTES:
                    break
        return copy
    if path.is_dir():
        raise StorageError(
            f"{manifest} is a folder; name its output.manifest, which in a job's folder is "
            "manifests/output/output.manifest."
        )
    if not path.is_file():
        raise StorageError(f"{manifest} does not exist; name an output.manifest.")
    return path
