"""Thumbnails of a round in S3: many in one object, and an index that says which bytes are whose.

`<round>/thumbnails/index.json` and beside it packs that are named by their bytes. Nothing is ever deleted,
and nothing replaced but the index: a page that read the index a moment ago finds its packs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from roundtruth.errors import RoundError
from roundtruth.rounds.folder import RoundFolder
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

PACKED = 200  # thumbnails in an object: some 2 MB, one read that answers for several pages


class PackedThumbnail(msgspec.Struct, frozen=True, kw_only=True, order=True, omit_defaults=True):
    """An image of the index: where the bytes of its thumbnail lie, or why there is none."""

    source_ref: str
    etag: str  # of the image that the thumbnail shows
    pack: str = ""  # the file beside the index; empty where there is no thumbnail
    start: int = 0  # of its first byte in the pack
    length: int = 0  # in bytes
    problem: str = ""


class ThumbnailIndex(msgspec.Struct, frozen=True, kw_only=True):
    """index.json: images sorted by source_ref and ETag."""

    version: int = 1
    images: tuple[PackedThumbnail, ...] = ()

    def by_image(self) -> dict[tuple[str, str], PackedThumbnail]:
        """The images by source_ref and ETag."""
        return {(one.source_ref, one.etag): one for one in self.images}


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """What was made of one image: ``data``, or the ``problem`` that left none."""

    source_ref: str
    etag: str
    data: bytes = b""
    problem: str = ""


def index_uri(folder: RoundFolder) -> ObjectUri:
    """The index of a round's thumbnails."""
    return folder.uri / "thumbnails" / "index.json"


def pack_uri(folder: RoundFolder, pack: str) -> ObjectUri:
    """One pack of a round, by the name that its index gives."""
    return folder.uri / "thumbnails" / pack


def decode_index(data: bytes) -> ThumbnailIndex:
    """Read an index.json.

    :raises RoundError: when the bytes are none.
    """
    try:
        return decode_json(data, ThumbnailIndex)
    except msgspec.DecodeError as error:
        raise RoundError(f"This is no index of thumbnails: {error}; run make_thumbnails again.") from error


def read_index(storage: Storage, folder: RoundFolder) -> ThumbnailIndex:
    """The index of a round's thumbnails, empty before any was made."""
    content = storage.read_if_there(index_uri(folder))
    return decode_index(content.data) if content else ThumbnailIndex()


def write_pack(
    storage: Storage, folder: RoundFolder, thumbnails: Sequence[Thumbnail]
) -> tuple[PackedThumbnail, ...]:
    """Write the thumbnails of some images into one pack; returns what the index says of them.

    The same thumbnails give the same pack, which is then there already.
    """
    data = b"".join(one.data for one in thumbnails)
    pack = f"{hashlib.sha256(data).hexdigest()[:32]}.pack"
    if data:
        storage.write_if_absent(pack_uri(folder, pack), data)
    indexed, start = [], 0
    for one in thumbnails:
        indexed.append(
            PackedThumbnail(
                source_ref=one.source_ref, etag=one.etag, pack=pack, start=start, length=len(one.data)
            )
            if one.data
            else PackedThumbnail(source_ref=one.source_ref, etag=one.etag, problem=one.problem)
        )
        start += len(one.data)
    return tuple(indexed)


def write_index(storage: Storage, folder: RoundFolder, images: Iterable[PackedThumbnail]) -> None:
    """Write the index; the same images give the same bytes."""
    index = ThumbnailIndex(images=tuple(sorted(images)))
    storage.write(index_uri(folder), msgspec.json.encode(index) + b"\n")
