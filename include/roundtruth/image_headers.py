"""Format, size and EXIF orientation of images from their first bytes, by range reads."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from roundtruth.errors import ImageError, StorageError
from roundtruth.storage import GROUP, Storage, StoredObject

FIRST_READ = 64 * 1024  # bytes; holds the header of nearly every photo, EXIF thumbnail included
GROWTH = 4  # each further read makes the prefix so many times longer
EXIF_ORIENTATION = 0x0112
# What Ground Truth takes (input-data-limits.md), by the first bytes; no other file is read further.
SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n"}


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What an image says of itself; width and height as stored, before the EXIF rotation."""

    format: str  # JPEG or PNG, whatever the extension says
    width: int
    height: int
    orientation: int  # EXIF 1–8; 1 where the image has none


def read_image_header(
    read_range: Callable[[int, int], bytes], *, name: str, size: int | None = None, any_size: bool = False
) -> ImageHeader:
    """Read an image's header from a growing prefix; the whole file only when its header is that long.

    :param read_range: gives the bytes from a start, so many or fewer at the end of the file.
    :param name: the image's name, for the error.
    :param size: the file's size in bytes, if known; then an empty one is not read at all.
    :param any_size: take images of more pixels than Pillow decodes without complaint, some 179 million.
    :raises ImageError: when the file is empty, no JPEG or PNG image, or ends within its header. Pixels are
        not read: a file that is cut off further behind passes.
    """
    if size == 0:
        raise ImageError(f"{name} is empty (0 bytes); upload the image again.")
    prefix = read_range(0, FIRST_READ)
    if not prefix:
        raise ImageError(f"{name} is empty (0 bytes); upload the image again.")
    if not prefix.startswith(tuple(SIGNATURES.values())):
        raise ImageError(f"{name} is not a JPEG or PNG image, whatever it is called; upload it as one.")
    asked = FIRST_READ
    while True:
        header = _parse(prefix, name, any_size=any_size)
        if header is not None:
            return header
        if len(prefix) < asked or (size is not None and len(prefix) >= size):
            raise ImageError(f"{name} is truncated or damaged: it ends within its header; upload it again.")
        asked *= GROWTH
        prefix += read_range(len(prefix), asked - len(prefix))


def read_image_headers(
    storage: Storage, objects: Iterable[StoredObject]
) -> Iterator[tuple[StoredObject, ImageHeader | ImageError]]:
    """Read many headers in bounded parallel, in order; a bad image is a value and stops nothing."""
    return storage.run_many(lambda stored: (stored, _header_or_error(storage, stored)), objects, group=GROUP)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation of an opened image, 1–8; 1 where it has none."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # getexif would decode all pixels, to look for EXIF data behind them
    orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    # Phones write 0, which EXIF does not define; viewers take it for upright.
    return orientation if orientation in range(1, 9) else 1


def _header_or_error(storage: Storage, stored: StoredObject) -> ImageHeader | ImageError:
    try:
        return read_image_header(
            lambda start, length: storage.read_range(stored.uri, start, length),
            name=str(stored.uri),
            size=stored.size,
        )
    except ImageError as error:
        return error
    except StorageError as error:
        return ImageError(str(error))


def _parse(prefix: bytes, name: str, *, any_size: bool) -> ImageHeader | None:
    """The header, or None when the prefix ends before it does."""
    try:
        with _opened(prefix, any_size=any_size) as image:
            return ImageHeader(
                format=str(image.format),
                width=image.width,
                height=image.height,
                orientation=orientation_of(image),
            )
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} has too many pixels: {error}.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, IndexError):
        return None


def _opened(prefix: bytes, *, any_size: bool) -> Image.Image:
    if not any_size:
        return Image.open(io.BytesIO(prefix), formats=tuple(SIGNATURES))
    # What Image.open does but for its look at the number of pixels, of which none is decoded here.
    plugin = JpegImageFile if prefix.startswith(SIGNATURES["JPEG"]) else PngImageFile
    return plugin(io.BytesIO(prefix))
