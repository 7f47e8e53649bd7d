"""The thumbnail of one image, out of a pack that is read once for many."""

from __future__ import annotations

from roundtruth.errors import RoundtruthError
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.rounds.folder import RoundFolder
from roundtruth.rounds.thumbnail_packs import (
    PackedThumbnail,
    decode_index,
    index_uri,
    pack_uri,
)

Thumbnails = dict[tuple[str, str], PackedThumbnail]


def thumbnails_of(cache: EtagCache, folder: RoundFolder) -> Thumbnails:
    """Which images of a round have a thumbnail, by source_ref and ETag; an unreadable index has none."""
    try:
        found = cache.read(index_uri(folder), lambda data: decode_index(data).by_image(), kind="thumbnails")
    except RoundtruthError:
        return {}
    return found or {}


def thumbnail_of(cache: EtagCache, folder: RoundFolder, source_ref: str, etag: str) -> bytes | None:
    """The WebP of one image, or None where there is none.

    :raises StorageError: when S3 refuses.
    """
    place = thumbnails_of(cache, folder).get((source_ref, etag))
    if place is None or not place.pack:
        return None
    # Packs are named by their bytes; the images of a page lie in one or two of them.
    pack = cache.read(pack_uri(folder, place.pack), bytes, kind="pack", immutable=True)
    return pack[place.start : place.start + place.length] if pack is not None else None
