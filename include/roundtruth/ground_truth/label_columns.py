"""Box labels of an output manifest as columns: what ``manifests.read_line`` reads, for many lines at once.

A line is decoded into one typed struct that is made for the keys of the manifest's lines; the numbers of all
boxes then become numpy columns, without an object of ours a box. Whatever such a struct does not fit (other
keys, a second label on the line, numbers written as strings, anything broken) goes through ``read_line``,
which knows it all: both give the same labels and the same problems.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from roundtruth.ground_truth.line_structs import NoLine, line_type
from roundtruth.ground_truth.manifests import METADATA, read_line
from roundtruth.ground_truth.records import LabeledImage, LineProblem, ProblemKind
from roundtruth.typed_json import decode_json

BOX_TYPE = "groundtruth/object-detection"
SHAPES = 8  # kinds of lines that get a struct of their own; manifests have one or two
DIGEST = 16  # bytes of the SHA-256 of a source-ref, which tell images apart
_NOTHING: dict[int, str] = {}
_DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError)


@dataclass(kw_only=True)
class LabelColumns:
    """The usable lines of a part of a manifest, in order, one entry a line, and the boxes of all of them.

    ``problems`` holds the other lines. ``digests`` pairs the number of every line with a source-ref, usable
    or not, with the digest of it.
    """

    numbers: NDArray[np.int64]  # 1-based, of the line in the whole manifest
    source_refs: list[str]
    jobs: list[str]  # of the line, as LabeledImage.job_name
    created: list[str]  # as the line writes it
    widths: NDArray[np.int64]  # of the stored image, in pixels
    heights: NDArray[np.int64]
    counts: NDArray[np.int64]  # boxes of the line
    class_ids: NDArray[np.int64]  # of all boxes, line after line; the job's own ids
    edges: NDArray[np.float64]  # box × (left, top, width, height), in pixels
    names: dict[str, dict[tuple[int, str], int]] = field(default_factory=dict)
    """Job -> (class id, name) of a box -> the first line that says so."""
    problems: list[LineProblem] = field(default_factory=list)
    digests: list[tuple[int, bytes]] = field(default_factory=list)


def source_ref_digest(source_ref: str) -> bytes:
    """What tells an image from all others, in few bytes."""
    # surrogatepass: a key that is no valid UTF-8 is told apart too.
    return hashlib.sha256(source_ref.encode("utf-8", "surrogatepass")).digest()[:DIGEST]


def read_label_columns(
    lines: Iterable[bytes],
    *,
    file: str,
    first_line: int = 1,
    label_attribute: str | None = None,
    other_names: dict[int, str] | None = None,
    repeated: dict[int, int] | None = None,
) -> LabelColumns:
    """Read lines of an output manifest; each line with text gives one label or one problem.

    :param lines: as ``read_output_manifest`` takes them.
    :param first_line: the 1-based number of the first of them.
    :param other_names: the names of classes that the line's class map does not name.
    :param repeated: line -> the earlier line with the same source-ref: a problem, nothing is learned from it.
    """
    texts = list(lines)
    arguments = (file, label_attribute, other_names or {}, repeated or {})
    try:
        return _Reader(*arguments, shapes=SHAPES).read(texts, first_line)
    except (OverflowError, FloatingPointError):
        # An id over 64 bits, or a number over 1e308: only read_line says on which line.
        return _Reader(*arguments, shapes=0).read(texts, first_line)


class _Reader:
    def __init__(
        self,
        file: str,
        attribute: str | None,
        other_names: dict[int, str],
        repeated: dict[int, int],
        *,
        shapes: int,
    ) -> None:
        self._file = file
        self._attribute = attribute
        self._other_names = other_names
        self._repeated = repeated
        self._max_shapes = shapes
        self._decoders: dict[frozenset[str], msgspec.json.Decoder[Any]] = {}
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(NoLine)
        self._names: dict[str, dict[tuple[int, str], int]] = {}
        self._known: dict[str, dict[int, str]] = {}
        self._rows: list[tuple[int, str, str, str, int, int, int]] = []
        self._boxes: list[Any] = []
        self._problems: list[LineProblem] = []
        self._digests: list[tuple[int, bytes]] = []

    def read(self, lines: Sequence[bytes], first_line: int) -> LabelColumns:
        """All lines as columns.

        :raises ArithmeticError: when a number does not fit them.
        """
        for number, line in enumerate(lines, start=first_line):
            if number in self._repeated:
                self._say_repeated(line, number)
            elif not self._read_fast(line, number):
                self._read_slowly(line, number)
        boxes = self._boxes
        edges = np.empty((len(boxes), 4))
        edges[:, 0] = [box.left for box in boxes]
        edges[:, 1] = [box.top for box in boxes]
        edges[:, 2] = [box.width for box in boxes]
        edges[:, 3] = [box.height for box in boxes]
        if not np.isfinite(edges).all():
            raise FloatingPointError("a box is not finite")
        rows = tuple(zip(*self._rows, strict=True)) or ((),) * 7
        numbers, refs, jobs, created, widths, heights, counts = rows
        return LabelColumns(
            numbers=np.array(numbers, dtype=np.int64),
            source_refs=list(refs),
            jobs=list(jobs),
            created=list(created),
            widths=np.array(widths, dtype=np.int64),
            heights=np.array(heights, dtype=np.int64),
            counts=np.array(counts, dtype=np.int64),
            class_ids=np.array([box.class_id for box in boxes], dtype=np.int64),
            edges=edges,
            names=self._names,
            problems=self._problems,
            digests=self._digests,
        )

    def _read_fast(self, line: bytes, number: int) -> bool:
        try:
            row = self._decoder.decode(line)
        except _DECODE_ERRORS:
            return False
        metadata, label = row.metadata, row.label
        if metadata.type != BOX_TYPE or metadata.failure_reason is not None or not label.image_size:
            return False
        size = label.image_size[0]
        if size.width < 1 or size.height < 1 or not row.source_ref:
            return False
        job = metadata.job_name.removeprefix("labeling-job/")
        self._keep(
            number,
            row.source_ref,
            job,
            metadata.creation_date,
            size.width,
            size.height,
            label.annotations,
            metadata.class_map,
        )
        return True

    def _read_slowly(self, line: bytes, number: int) -> None:
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not text:
            return
        record = read_line(text, number, self._file, self._attribute)
        if isinstance(record, LineProblem):
            if record.source_ref is not None:
                self._digests.append((number, source_ref_digest(record.source_ref)))
            self._problems.append(record)
        elif record.image_width is None or record.image_height is None:
            self._refuse(
                record, ProblemKind.UNSUPPORTED, f"{record.label_attribute} holds classes, not boxes"
            )
        elif record.image_width < 1 or record.image_height < 1:
            self._refuse(record, ProblemKind.BROKEN, "image_size is 0: shares of it cannot be taken")
        elif any(not -(2**63) <= box.class_id < 2**63 for box in record.boxes):
            self._refuse(record, ProblemKind.BROKEN, "a class_id has more than 64 bits")
        else:
            self._keep(
                number,
                record.source_ref,
                record.job_name,
                record.creation_date,
                record.image_width,
                record.image_height,
                record.boxes,
                record.class_map,
            )
            self._learn_shape(text, record)

    def _keep(
        self,
        number: int,
        source_ref: str,
        job: str,
        created: str,
        width: int,
        height: int,
        boxes: Sequence[Any],
        class_map: dict[int, str],
    ) -> None:
        self._digests.append((number, source_ref_digest(source_ref)))
        known = self._known.get(job, _NOTHING)
        used = {box.class_id for box in boxes}
        if job not in self._known or not (class_map.items() <= known.items() and used <= class_map.keys()):
            unnamed = self._learn(job, [box.class_id for box in boxes], class_map, number)
            if unnamed is not None:
                reason = f"class-map does not name class {unnamed}; give the job's file by --label-categories"
                self._problem(number, ProblemKind.UNKNOWN_CLASS, reason, source_ref)
                return
        self._rows.append((number, source_ref, job, created, width, height, len(boxes)))
        self._boxes += boxes

    def _learn(self, job: str, used: Sequence[int], class_map: dict[int, str], number: int) -> int | None:
        """Learn the names of the classes on a line; the lowest one without a name, if there is one."""
        named = self._other_names | class_map
        unnamed = [one for one in used if one not in named]
        if unnamed:
            return min(unnamed)
        known, learned = self._known.setdefault(job, {}), self._names.setdefault(job, {})
        for class_id in used:
            name = named[class_id]
            known.setdefault(class_id, name)
            learned.setdefault((class_id, name), number)
        return None

    def _learn_shape(self, text: bytes, record: LabeledImage) -> None:
        """Make the struct for lines with the keys of this one, unless they may hold a second label."""
        keys = decode_json(text, dict[str, msgspec.Raw]).keys()
        shape = frozenset(keys)
        if shape in self._decoders:
            self._decoder = self._decoders[shape]
            return
        name = record.label_attribute
        one_label = self._attribute is not None or sum(key.endswith(METADATA) for key in keys) == 1
        if not one_label or len(self._decoders) >= self._max_shapes:
            return
        self._decoder = self._decoders[shape] = msgspec.json.Decoder(line_type(keys, name))

    def _say_repeated(self, line: bytes, number: int) -> None:
        record = read_line(line.strip().removeprefix(b"\xef\xbb\xbf"), number, self._file, self._attribute)
        reason = f"line {self._repeated[number]} has the same source-ref; the first one counts"
        self._problem(number, ProblemKind.DUPLICATE, reason, record.source_ref or "")

    def _refuse(self, record: LabeledImage, kind: ProblemKind, reason: str) -> None:
        self._digests.append((record.line_number, source_ref_digest(record.source_ref)))
        self._problem(record.line_number, kind, reason, record.source_ref)

    def _problem(self, number: int, kind: ProblemKind, reason: str, source_ref: str) -> None:
        self._problems.append(
            LineProblem(file=self._file, line_number=number, kind=kind, reason=reason, source_ref=source_ref)
        )
