"""Images on this machine: their headers, and which is an S3 key's, by the longest end that a path shares."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from roundtruth.datasets.file_names import SUFFIXES
from roundtruth.errors import DatasetError
from roundtruth.image_headers import ImageHeader, read_image_header

Parts = tuple[str, ...]


def local_header(path: Path) -> ImageHeader:
    """Format, stored size and EXIF orientation of an image file, from its first bytes.

    :raises ImageError: when it is no JPEG or PNG image, or ends within its header.
    """
    with path.open("rb") as file:

        def read_range(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        return read_image_header(read_range, name=str(path), any_size=True)


class LocalImages:
    """The images under a folder. Two images of the same name are told apart by the folders above them."""

    def __init__(self, folder: Path, source_refs: Iterable[str]) -> None:
        """Look through a folder.

        :param source_refs: all images that will be asked for: an end that two of them share identifies none.
        :raises DatasetError: when there is no such folder.
        """
        if not folder.is_dir():
            raise DatasetError(f"{folder} is no folder; --images takes the folder that holds the images.")
        self._by_name: dict[str, list[tuple[Parts, Path]]] = defaultdict(list)
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES and path.is_file():
                parts = _parts(path.relative_to(folder).as_posix())
                self._by_name[parts[-1]].append((parts, path))
        self._ends = Counter(end for source_ref in source_refs for end in _ends(_key_parts(source_ref)))

    def find(self, source_ref: str) -> Path | str:
        """The file of an image, or why none can be named."""
        parts = _key_parts(source_ref)
        found = [(_shared(parts, other), path) for other, path in self._by_name.get(parts[-1], [])]
        if not found:
            return "is not among the images"
        longest = max(shared for shared, _ in found)
        best = [path for shared, path in found if shared == longest]
        if len(best) > 1:
            return f"is one of {len(best)} files with that name, such as {best[0]} and {best[1]}"
        if longest < len(parts) and self._ends[parts[-longest:]] > 1:
            return f"has the same name as another image, and {best[0]} may be either"
        return best[0]


def _parts(path: str) -> Parts:
    # A Mac writes names decomposed (NFD); S3 keys keep what was uploaded.
    return tuple(unicodedata.normalize("NFC", path).split("/"))


def _key_parts(source_ref: str) -> Parts:
    return _parts(source_ref.removeprefix("s3://").rstrip("/"))


def _ends(parts: Parts) -> Iterable[Parts]:
    return (parts[start:] for start in range(len(parts)))


def _shared(parts: Parts, other: Parts) -> int:
    """How many parts two paths share, counted from their ends."""
    count = 0
    for one, two in zip(reversed(parts), reversed(other), strict=False):
        if one != two:
            break
        count += 1
    return count
