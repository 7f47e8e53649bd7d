"""The images of a job as its workers would see them: their stored size and what is on them, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, UnidentifiedImageError

from roundtruth.errors import SandboxError
from roundtruth.sandbox import constants
from roundtruth.sandbox.input_data import split_uri
from roundtruth.sandbox.s3 import SandboxS3
from roundtruth.sandbox.truth import ReplayedManifest, Truth, decode_truth, truth_uri


@dataclass(frozen=True, kw_only=True)
class JobImage:
    """One manifest row's image: its truth, or the reason why it cannot be labeled."""

    uri: str
    truth: Truth | None = None
    failure: str | None = None


def read_image(s3: SandboxS3, row: dict[str, Any], replay: ReplayedManifest | None) -> JobImage:
    """Look at one row's image.

    An image of which the sandbox knows no truth fails: an empty answer would make it a negative, which it
    is not.
    """
    uri = row.get("source-ref")
    if not isinstance(uri, str):
        return JobImage(uri="", failure="ClientError: The row has no source-ref; image tasks need one.")
    try:
        width, height = _stored_size(s3, uri)
        truth = _truth(s3, uri, replay)
        if truth is None:
            raise SandboxError(
                f"The sandbox knows no truth of {uri}: there is no {truth_uri(uri)}, nor a replayed row."
            )
        if (truth.width, truth.height) != (width, height):
            raise SandboxError(
                f"{uri} is {width}x{height}, but its truth is for {truth.width}x{truth.height}."
            )
    except SandboxError as wrong:
        return JobImage(uri=uri, failure=f"ClientError: {wrong}")
    return JobImage(uri=uri, truth=truth)


def _stored_size(s3: SandboxS3, uri: str) -> tuple[int, int]:
    if not uri.startswith("s3://"):
        raise SandboxError(f"{uri} is not an s3:// URI.")
    content = s3.read(*split_uri(uri))
    if content is None:
        raise SandboxError(f"The object {uri} does not exist or is not accessible.")
    if not uri.lower().endswith(constants.IMAGE_SUFFIXES):
        raise SandboxError(
            f"{uri} is not an image format of Ground Truth: {', '.join(constants.IMAGE_SUFFIXES)}."
        )
    if len(content) > constants.MAX_IMAGE_BYTES:
        raise SandboxError(f"{uri} has {len(content)} bytes; the limit is {constants.MAX_IMAGE_BYTES}.")
    try:
        with Image.open(BytesIO(content)) as image:
            return image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as wrong:
        raise SandboxError(f"The object {uri} is not a readable image.") from wrong


def _truth(s3: SandboxS3, uri: str, replay: ReplayedManifest | None) -> Truth | None:
    if replay is not None:
        return replay.find(uri)
    content = s3.read(*split_uri(truth_uri(uri)))
    return None if content is None else decode_truth(content)
