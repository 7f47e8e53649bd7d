"""What the bytes of each image tell: digest, fingerprint, true format, whether all pixels are there.

Every image is read and decoded once, apart from the checks that use this: the facts of an image hold as long
as its ETag does.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Set

import pandas as pd
import pyarrow as pa
from PIL import Image

from roundtruth.annotations import arrow_table, from_parquet, table, to_parquet
from roundtruth.image_headers import SIGNATURES, orientation_of
from roundtruth.parallel import run_in_order
from roundtruth.quality.perceptual_hash import perceptual_hash
from roundtruth.storage import ObjectUri, Storage

IMAGE_FACTS = pa.schema(
    [
        ("source_ref", pa.string()),  # sorted by it
        ("etag", pa.string()),  # of the image that was planned
        ("sha256", pa.string()),  # of the bytes; null where they are not those any more
        ("phash", pa.string()),  # see perceptual_hash; null for a flat or unreadable image
        ("format", pa.string()),  # JPEG or PNG, by content; null where unreadable
        ("orientation", pa.int8()),  # EXIF, 1–8
        ("unreadable", pa.string()),  # why its pixels cannot be decoded; empty where they can
        ("gone", pa.bool_()),  # replaced or deleted since it was planned; then the rest is unknown
    ]
)

SUFFIXES = {"JPEG": (".jpg", ".jpeg"), "PNG": (".png",)}
# Images in memory at once, of up to 40 MB each (rounds/arrivals.MAX_BYTES); decoding is most of the work.
CONCURRENCY = 8
# Images of a part; a run that is stopped goes on behind its last part.
CHUNK = 2000
# JPEGs are decoded at the smallest scale that is not below this: all bytes are read, few pixels made.
DRAFT = (64, 64)
UNDECODABLE = "is truncated or damaged: its pixels cannot be decoded; upload it again"

Identity = tuple[str, str]  # source_ref, etag
Row = dict[str, object]


def inspect_images(storage: Storage, images: pd.DataFrame, cache: ObjectUri | None = None) -> pd.DataFrame:
    """The facts of each image (IMAGE_FACTS); those in the table at ``cache`` are not read again.

    The table is written once, at the end; until then the facts lie in parts beside it (``parts_folder``). So
    all images cost two writes of their facts, and not one for each CHUNK that follows. The parts stay:
    nothing here deletes, and they are not looked at once the table is complete.

    :param images: source_ref and etag of images that are to be read.
    :raises StorageError: when S3 refuses; the parts of what was read until then are there, and the next call
        goes on from them.
    """
    wanted = sorted(set(zip(images["source_ref"], images["etag"], strict=True)))
    asked = set(wanted)
    known = _known(storage, cache, asked) if cache is not None else {}
    complete = len(known) == len(asked)
    if cache is not None and not complete:
        known |= _known_in_parts(storage, cache, asked)
    missing = [identity for identity in wanted if identity not in known]
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        rows = run_in_order(lambda one: _facts(storage, *one), chunk, concurrency=CONCURRENCY)
        found = dict(zip(chunk, rows, strict=True))
        known |= found
        if cache is not None and start + CHUNK < len(missing):  # the last ones go into the table at once
            _write_part(storage, cache, found)
    facts = _facts_table(known)
    if cache is not None and not complete:
        storage.write(cache, to_parquet(facts, IMAGE_FACTS))
    return facts


def parts_folder(cache: ObjectUri) -> ObjectUri:
    """Where the facts lie until the table at ``cache`` is written."""
    return ObjectUri(cache.bucket, f"{cache.key}.parts")


def read_facts(storage: Storage, uri: ObjectUri) -> pd.DataFrame | None:
    """The facts that were written at ``uri``, or None where images were not inspected."""
    content = storage.read_if_there(uri)
    return from_parquet(content.data, IMAGE_FACTS, name=str(uri)) if content else None


def extension_lies(source_ref: str, image_format: object) -> bool:
    """Whether an image's name promises another format than its content has; unknown formats do not lie."""
    suffixes = SUFFIXES.get(str(image_format))
    return suffixes is not None and not source_ref.lower().endswith(suffixes)


def _known(storage: Storage, cache: ObjectUri, asked: Set[Identity]) -> dict[Identity, Row]:
    content = storage.read_if_there(cache)
    return dict(_rows_of(content.data, cache, asked)) if content else {}


def _known_in_parts(storage: Storage, cache: ObjectUri, asked: Set[Identity]) -> dict[Identity, Row]:
    parts = [part.uri for part in storage.list_objects(parts_folder(cache))]
    return {
        identity: row
        for uri, data in storage.read_many(parts)
        for identity, row in _rows_of(data, uri, asked)
    }


def _rows_of(data: bytes, uri: ObjectUri, asked: Set[Identity]) -> Iterator[tuple[Identity, Row]]:
    for row in arrow_table(data, IMAGE_FACTS, name=str(uri)).to_pylist():
        identity = (row["source_ref"], row["etag"])
        if identity in asked:
            yield identity, row


def _write_part(storage: Storage, cache: ObjectUri, rows: dict[Identity, Row]) -> None:
    part = to_parquet(_facts_table(rows), IMAGE_FACTS)
    # Named by its content: two runs at once, or one after the other, never replace each other's parts.
    storage.write(parts_folder(cache) / f"{hashlib.sha256(part).hexdigest()[:32]}.parquet", part)


def _facts_table(rows: dict[Identity, Row]) -> pd.DataFrame:
    return table([rows[identity] for identity in sorted(rows)], IMAGE_FACTS)


def _facts(storage: Storage, source_ref: str, etag: str) -> Row:
    row: Row = {"source_ref": source_ref, "etag": etag, "unreadable": "", "gone": False}
    content = storage.read_if_there(ObjectUri.parse(source_ref))
    # Files on disk have no ETag to compare.
    if content is None or content.etag not in ("", etag):
        return {**row, "gone": True}
    return {**row, "sha256": hashlib.sha256(content.data).hexdigest(), **_seen(content.data)}


def _seen(data: bytes) -> Row:
    try:
        with Image.open(io.BytesIO(data), formats=tuple(SIGNATURES)) as image:
            found: Row = {"format": str(image.format), "orientation": orientation_of(image)}
            image.draft("L", DRAFT)
            image.load()
            return {**found, "phash": perceptual_hash(image)}
    # What Pillow's decoders raise for damaged files; one bad image must not stop the others.
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, Image.DecompressionBombError):
        # Their texts differ between runs and versions; the table must not.
        return {"unreadable": UNDECODABLE}


def facts_of(facts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several tables of facts as one, an image once; the first one counts."""
    everything = pd.concat([table([], IMAGE_FACTS), *facts], ignore_index=True)
    return everything.drop_duplicates(["source_ref", "etag"]).reset_index(drop=True)
