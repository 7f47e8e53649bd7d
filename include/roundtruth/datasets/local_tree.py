"""A dataset's tree on this machine: paths that cannot leave it, how files are written, checked images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from roundtruth.errors import DatasetError

# Images have no SHA-256 in a version's index; what was read under the right ETag is remembered here,
# a line `sha256<TAB>etag<TAB>path` each.
CHECKED_IMAGES = ".roundtruth/images.tsv"


def local_path(target: Path, path: str) -> Path:
    """The place of a tree's file under a folder.

    :raises DatasetError: when the path would lie outside of it, also by a link that is there already.
    """
    return Path(local_paths(target, [path])[path])


def local_paths(target: Path, paths: Iterable[str]) -> dict[str, str]:
    """The place of each of a tree's files under a folder, as ``local_path`` gives it.

    Texts, and a folder's links are followed once for all its files: both for the many small files of a tree,
    of which reading one from S3 takes no longer.
    """
    places: dict[str, str] = {}
    top = target.resolve()
    folders: dict[str, str] = {}  # those that stay inside
    for path in paths:
        parent, _, name = path.rpartition("/")
        if not _is_plain(path):
            raise DatasetError(
                f"{path!r} is no path inside a dataset; the version's index is not to be trusted."
            )
        folder = folders.get(parent)
        if folder is None:
            inside = target.joinpath(*PurePosixPath(parent).parts)
            folder = folders[parent] = str(inside)
            if not inside.resolve().is_relative_to(top):
                raise DatasetError(
                    f"{inside / name} leads out of {target} by a link; pull into a folder without links."
                )
        places[path] = f"{folder}/{name}" if name else folder
    return places


def _is_plain(path: str) -> bool:
    if not path or path.startswith("/") or "\\" in path or ":" in path:
        return False
    if not path.isprintable() and any(ord(one) < 32 for one in path):
        return False
    return not any(part in {"..", "."} for part in path.split("/"))


def write_whole(place: Path | str, data: bytes) -> None:
    """Write a file so that a crash leaves it whole or not there."""
    folder, name = os.path.split(place)
    partial = f"{folder}/.{name}.partial"
    _write(partial, data, os.O_TRUNC)
    os.replace(partial, place)  # noqa: PTH105  # Path.replace does the same and hides that it is atomic


def write_new(place: str, data: bytes) -> None:
    """Write a file where none should be, else as ``write_whole`` does; a crash may leave a part of it.

    For many small files that are not kept but by their digests: renaming costs as much as writing.
    """
    try:
        _write(place, data, os.O_EXCL)
    except FileExistsError:
        write_whole(place, data)


def _write(place: str, data: bytes, how: int) -> None:
    # By the calls of os: a small file takes pathlib's twice as long, and a tree has as many as images.
    flags = os.O_WRONLY | os.O_CREAT | how
    try:
        file = os.open(place, flags, 0o666)
    except FileNotFoundError:
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        file = os.open(place, flags, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
    finally:
        os.close(file)


def sha256_of(place: Path | str) -> str:
    """SHA-256 of a file, read in blocks."""
    with Path(place).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checked_images(target: Path) -> dict[tuple[str, str], str]:
    """(path, ETag) -> SHA-256 of the images that were pulled into this folder."""
    place = target / CHECKED_IMAGES
    if not place.is_file():
        return {}
    rows = (line.split("\t") for line in place.read_text(encoding="utf-8", errors="replace").splitlines())
    # A line that a crash cut off has fewer columns, or ends within a letter.
    return {(row[2], row[1]): row[0] for row in rows if len(row) == 3 and len(row[0]) == 64}
