"""A dataset's tree on this machine: paths that cannot leave it, whole files or none, checked images."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from roundtruth.errors import DatasetError

# Images have no SHA-256 in a version's index; what was read under the right ETag is remembered here,
# a line `sha256<TAB>etag<TAB>path` each.
CHECKED_IMAGES = ".roundtruth/images.tsv"


def local_path(target: Path, path: str) -> Path:
    """The place of a tree's file under a folder.

    :raises DatasetError: when the path would lie outside of it, also by a link that is there already.
    """
    parts = PurePosixPath(path).parts
    odd = (
        not parts or path.startswith("/") or "\\" in path or ":" in path or any(ord(one) < 32 for one in path)
    )
    if odd or any(part in {"..", "."} for part in path.split("/")):
        raise DatasetError(f"{path!r} is no path inside a dataset; the version's index is not to be trusted.")
    place = target.joinpath(*parts)
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise DatasetError(f"{place} leads out of {target} by a link; pull into a folder without links.")
    return place


def write_whole(place: Path, data: bytes) -> None:
    """Write a file so that a crash leaves it whole or not there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, place)  # noqa: PTH105  # Path.replace does the same and hides that it is atomic


def sha256_of(place: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checked_images(target: Path) -> dict[tuple[str, str], str]:
    """(path, ETag) -> SHA-256 of the images that were pulled into this folder."""
    place = target / CHECKED_IMAGES
    if not place.is_file():
        return {}
    rows = (line.split("\t") for line in place.read_text(encoding="utf-8").splitlines())
    # A line that a crash cut off has fewer columns.
    return {(row[2], row[1]): row[0] for row in rows if len(row) == 3 and len(row[0]) == 64}
