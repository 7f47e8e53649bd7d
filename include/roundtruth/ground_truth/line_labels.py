"""All labels on a manifest's lines: which attributes, of which jobs; chained jobs leave several on a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from roundtruth.ground_truth.manifests import METADATA

JOB = "labeling-job/"


@dataclass(frozen=True, kw_only=True)
class LineLabel:
    """One label attribute that Ground Truth wrote on a line, labeled or failed."""

    attribute: str
    job_name: str  # without `labeling-job/`, as Ground Truth wrote it; empty where the metadata names none
    task: str  # object-detection, …; empty where a failed row does not say
    adjusts: bool  # an adjustment job wrote it: its workers began from the boxes of an earlier label


class _Metadata(msgspec.Struct, rename="kebab"):
    type: Any = ""
    job_name: Any = ""
    failure_reason: Any = None
    adjustment_status: Any = None


_line_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_metadata_decoder = msgspec.json.Decoder(_Metadata)


def read_line_labels(lines: Iterable[bytes]) -> Iterator[tuple[int, tuple[LineLabel, ...]]]:
    """The number (1-based) and the labels of each line with text, in the line's order.

    A line that is no JSON object, and metadata that Ground Truth did not write, give no label: what is wrong
    with them, ``read_output_manifest`` says.
    """
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix(b"\xef\xbb\xbf")
        if text:
            yield number, tuple(_labels(text))


def _labels(text: bytes) -> Iterator[LineLabel]:
    try:
        values = _line_decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    for key in values:
        if not key.endswith(METADATA):
            continue
        try:
            metadata = _metadata_decoder.decode(values[key])
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue
        kind = str(metadata.type or "")
        if metadata.failure_reason is None and not kind.startswith("groundtruth/"):
            continue
        yield LineLabel(
            attribute=key.removesuffix(METADATA),
            job_name=metadata.job_name.removeprefix(JOB) if isinstance(metadata.job_name, str) else "",
            task=kind.removeprefix("groundtruth/"),
            adjusts=metadata.adjustment_status is not None,
        )
