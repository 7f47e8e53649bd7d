"""The label category config: the full list of a job's categories; a category's id is its place in it.

Format: developer guide, sms-label-cat-config-attributes; a finished job keeps its own as
annotation-tool/data.json.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roundtruth.errors import ManifestError

DOCUMENT_VERSION = "2018-11-28"


class _Label(msgspec.Struct):
    label: str


class _Config(msgspec.Struct):
    labels: list[_Label]


_decoder = msgspec.json.Decoder(_Config)


def decode_label_categories(data: bytes, *, file: str) -> tuple[str, ...]:
    """Read the names as they are written (stray spaces included), in order of their ids.

    Finished jobs without `document-version` exist, so it is not asked for.

    :raises ManifestError: when the file is no label category config.
    """
    try:
        config = _decoder.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file} is not a label category config: {error}.") from error
    if not config.labels:
        raise ManifestError(f"{file} lists no labels; a label category config needs at least one.")
    return tuple(entry.label for entry in config.labels)


def encode_label_categories(names: Sequence[str]) -> bytes:
    """Write the config of a box or image classification job; the same names give the same bytes."""
    content = {"document-version": DOCUMENT_VERSION, "labels": [{"label": name} for name in names]}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
