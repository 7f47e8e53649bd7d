"""Images that hold the same bytes or show nearly the same, by their facts (image_facts.py)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth.quality.image_facts import extension_lies
from roundtruth.quality.membership import is_among
from roundtruth.quality.near_duplicates import copies_in_other_groups, earliest_copies, to_numbers


def content_measures(
    images: pd.DataFrame, facts: pd.DataFrame, known: pd.DataFrame, *, max_distance: int
) -> pd.DataFrame:
    """One row an image that was inspected, in the order of the images.

    ``looks_like`` names the first image before it that shows nearly the same and holds other bytes; images of
    ``known`` come before all others, those of the round in the order of their URIs.

    :param images: the images table.
    :param facts: the facts of the round's images; ``known``: of images of earlier rounds.
    """
    inspected = images[["source_ref", "status"]].merge(facts, on="source_ref", validate="many_to_one")
    own = facts[facts["phash"].notna()]
    earlier = known[known["phash"].notna() & ~is_among(known["source_ref"], facts["source_ref"])]
    everything = pd.concat([earlier, own.sort_values("source_ref", kind="stable")], ignore_index=True)
    first = earliest_copies(to_numbers(everything["phash"].tolist()), max_distance=max_distance)
    sha256 = everything["sha256"].to_numpy(dtype=object)
    near = (first != np.arange(len(everything))) & (sha256 != sha256[first])
    names = everything["source_ref"].to_numpy(dtype=object)
    looks_like = dict(zip(names, np.where(near, names[first], ""), strict=True))
    shown = pd.Series([looks_like.get(name, "") for name in inspected["source_ref"].tolist()], dtype="str")
    lies = [
        extension_lies(name, image_format)
        for name, image_format in zip(
            inspected["source_ref"].tolist(), inspected["format"].tolist(), strict=True
        )
    ]
    return pd.DataFrame(
        {
            "source_ref": inspected["source_ref"].to_numpy(),
            "status": inspected["status"].to_numpy(),
            "looks_like": shown.to_numpy(),
            "near_copies": (shown != "").to_numpy(dtype=float),
            "extension_lies": np.array(lies, dtype=float),
            "gone": inspected["gone"].to_numpy(dtype=float),
        }
    )


def content_of(
    images: pd.DataFrame, facts: pd.DataFrame | None, known: pd.DataFrame | None
) -> tuple[pd.Series, frozenset[str]]:
    """What identifies each image's bytes (null where nothing does), and the bytes of earlier rounds.

    The digest where the image was inspected; otherwise ETag and size: the ETag of one upload is the MD5 of
    its content, that of a multipart upload is not.
    """
    etags = images["etag"].fillna("").astype("str")
    identity = (etags + "/" + images["bytes"].astype("str")).where(etags != "")
    if facts is not None:
        digests = facts.dropna(subset=["sha256"])
        by_name = dict(zip(digests["source_ref"].tolist(), digests["sha256"].tolist(), strict=True))
        known_by = zip(images["source_ref"].tolist(), identity.tolist(), strict=True)
        identity = pd.Series(
            [by_name.get(name, etag) for name, etag in known_by], index=images.index, dtype="str"
        )
    if facts is None or known is None:
        return identity, frozenset()
    earlier = known[~is_among(known["source_ref"], images["source_ref"])]
    return identity, frozenset(earlier["sha256"].dropna().tolist())


def look_alikes_elsewhere(
    images: pd.DataFrame, facts: pd.DataFrame, *, max_distance: int
) -> NDArray[np.object_]:
    """For each image (source_ref, etag, split) one of another split that shows nearly the same, or empty."""
    hashes = images[["source_ref", "etag"]].merge(
        facts[["source_ref", "etag", "phash"]], on=["source_ref", "etag"], how="left", validate="many_to_one"
    )["phash"]
    known = np.flatnonzero(hashes.notna().to_numpy())
    found = copies_in_other_groups(
        to_numbers(hashes.iloc[known]),
        list(images["split"].iloc[known]),
        max_distance=max_distance,
    )
    names = images["source_ref"].to_numpy(dtype=object)
    result = np.full(len(images), "", dtype=object)
    result[known] = np.where(found >= 0, names[known[np.maximum(found, 0)]], "") if len(known) else ""
    return result
