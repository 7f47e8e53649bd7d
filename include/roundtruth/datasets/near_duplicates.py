"""Images that look alike: a fingerprint of what is seen, and which fingerprints are near each other.

The fingerprint is a difference hash (dHash, N. Krawetz, "Kind of Like That", 2013): which of two neighbouring
places of the image, shrunk to 9×8 grey pixels, is brighter. It survives another size, compression or
brightness. A turned or cropped image looks different to it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image

# Of 64 bits. On real photos another size or compression changes 0 to 2, another photo 8 and more.
MAX_DISTANCE = 5
MARGIN = 2  # grey levels that a neighbour has to be brighter by: the noise of an even surface is no shape
FLAT = 8  # grey levels: an image whose brightness varies less has no shape to know it by
_BLOCK = 2048  # rows that are compared with all others at once: 16 MB


def fingerprint(data: bytes) -> str | None:
    """64 bits as 16 hexadecimal digits; None for what cannot be read or has one colour only."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("L", (128, 128))  # a JPEG is decoded at the smallest size that suffices
            grey = image.convert("L").resize((9, 8), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # Pillow's plugins raise all of these for broken files
    pixels = np.asarray(grey, dtype=np.int16)
    if int(pixels.max()) - int(pixels.min()) < FLAT:
        return None
    bits = (pixels[:, 1:] > pixels[:, :-1] + MARGIN).ravel()
    return np.packbits(bits).tobytes().hex()


def near_pairs(fingerprints: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Pairs of names whose fingerprints differ in at most MAX_DISTANCE bits, enough of them to link all.

    Compares all with all: a second for 20,000 images.
    """
    first: dict[str, str] = {}
    for name, digits in sorted(fingerprints.items()):
        if digits in first:
            yield first[digits], name
        else:
            first[digits] = name
    values = np.array([int(digits, 16) for digits in first], dtype=np.uint64)
    names = list(first.values())
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK, None] ^ values[None, start:]
        rows, columns = np.nonzero(np.bitwise_count(block) <= MAX_DISTANCE)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if row < column:
                yield names[start + row], names[start + column]
