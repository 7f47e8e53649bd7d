"""Read the images of a manifest or a dataset, wherever they lie, and say what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from roundtruth.annotations import UNREADABLE
from roundtruth.errors import ImageError
from roundtruth.image_headers import read_image_headers
from roundtruth.quality.image_facts import IMAGE_FACTS, inspect_images
from roundtruth.storage import ObjectUri, Storage, StoredObject


@dataclass(frozen=True, kw_only=True)
class SeenImages:
    """What images are.

    ``headers``: one row an image that was found: source_ref (the index), etag, bytes, width, height,
    orientation, and reason: why it cannot be read, then size and orientation are null. ``facts``:
    image_facts.IMAGE_FACTS.
    """

    headers: pd.DataFrame
    facts: pd.DataFrame


def see_images(storage: Storage, places: Mapping[str, ObjectUri]) -> SeenImages:
    """Read and decode each image, in bounded parallel.

    :param places: where each source_ref lies; what is not there is ``gone`` in the facts.
    :raises StorageError: when a bucket is missing or refuses.
    """
    refs = sorted(places)
    found = storage.run_many(storage.head, [places[ref] for ref in refs])
    stored = {ref: head for ref, head in zip(refs, found, strict=True) if head is not None}
    headers = _headers(storage, stored)
    readable = headers.index[headers["reason"] == ""]
    facts = facts_at(storage, [(ref, places[ref], str(headers.loc[ref, "etag"])) for ref in readable])
    gone = pd.DataFrame(
        {"source_ref": [ref for ref in refs if ref not in stored], "etag": "", "unreadable": "", "gone": True}
    ).reindex(columns=IMAGE_FACTS.names)
    everything = pd.concat([facts, gone], ignore_index=True) if len(gone) else facts
    return SeenImages(headers=headers, facts=everything)


def facts_at(storage: Storage, images: Iterable[tuple[str, ObjectUri, str]]) -> pd.DataFrame:
    """The facts (IMAGE_FACTS) of images by source_ref, place and ETag."""
    named = list(images)
    rows = pd.DataFrame(
        {"source_ref": [str(place) for _, place, _ in named], "etag": [etag for _, _, etag in named]}
    )
    facts = inspect_images(storage, rows)
    refs = {str(place): ref for ref, place, _ in named}
    return facts.assign(source_ref=pd.Series([refs[place] for place in facts["source_ref"]], dtype="str"))


def as_stored(images: pd.DataFrame, seen: SeenImages) -> pd.DataFrame:
    """The images table (annotations.IMAGES) with ETag, bytes, size and orientation as the images are."""
    result = images.copy()
    here = result["source_ref"].isin(list(seen.headers.index)).to_numpy()
    found = seen.headers.loc[result.loc[here, "source_ref"]]
    for name in ("etag", "bytes", "width", "height", "orientation"):
        result[name] = result[name].astype("object" if name == "etag" else "Float64")
        result.loc[here, name] = found[name].to_numpy()
    damaged = here.copy()
    damaged[here] = (found["reason"] != "").to_numpy()
    result.loc[damaged, "status"] = UNREADABLE
    result.loc[damaged, "reason"] = found.loc[found["reason"] != "", "reason"].to_numpy()
    return result


def _headers(storage: Storage, stored: Mapping[str, StoredObject]) -> pd.DataFrame:
    rows: dict[str, dict[str, object]] = {}
    for ref, (image, header) in zip(stored, read_image_headers(storage, stored.values()), strict=True):
        row: dict[str, object] = {"etag": image.etag, "bytes": image.size, "reason": ""}
        if isinstance(header, ImageError):
            row["reason"] = str(header)
        else:
            row |= {"width": header.width, "height": header.height, "orientation": header.orientation}
        rows[ref] = row
    columns = ["etag", "bytes", "width", "height", "orientation", "reason"]
    return pd.DataFrame([rows[ref] for ref in rows], index=pd.Index(list(rows), dtype="str"), columns=columns)
