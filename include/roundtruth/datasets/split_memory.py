"""splits.parquet of a version: every image the dataset ever had, with its split, and what it looks like.

Each version holds its parent's rows and its own, so the memory only grows, is as immutable as the version,
and needs one read however many versions there are. An image that left comes back to the split it had. An
earlier version without this file is made up for by the images of all versions.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from roundtruth.annotations import from_parquet, table
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.groups import group_images, pinned_images
from roundtruth.datasets.near_duplicates import fingerprint
from roundtruth.datasets.splits import assign_splits, torn_groups
from roundtruth.datasets.tables import DATASET_IMAGES
from roundtruth.datasets.versions import VersionRecord, list_versions
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage

log = logging.getLogger(__name__)

SPLIT_MEMORY = pa.schema(
    [
        ("source_ref", pa.string()),  # sorted by it
        ("etag", pa.string()),  # of the image when it was last in a version
        ("split", pa.string()),  # the one it had then
        ("fingerprint", pa.string()),  # of that image; null where nobody asked for it, or it has none
    ]
)


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """The split of each image of a version, what to remember, and how many groups lie in several splits."""

    splits: Mapping[str, str]
    memory: pd.DataFrame
    torn: int


def read_memory(storage: Storage, folder: DatasetFolder, parent: VersionRecord | None) -> pd.DataFrame:
    """The memory of the newest version, SPLIT_MEMORY."""
    if parent is None:
        return table([], SPLIT_MEMORY)
    uri = folder.version(parent.version).splits
    content = storage.read_if_there(uri)
    if content is not None:
        return from_parquet(content.data, SPLIT_MEMORY, name=str(uri))
    known = [table([], SPLIT_MEMORY)]
    for record in list_versions(storage, folder):
        images = folder.version(record.version).images
        known.append(from_parquet(storage.read(images), DATASET_IMAGES, name=str(images)))
    return _newest(known)


def assign_and_remember(
    storage: Storage, project: Project, images: pd.DataFrame, labels: pd.DataFrame, memory: pd.DataFrame
) -> Assigned:
    """Give the images of the next version their splits.

    Looking for near duplicates reads each image once: its fingerprint is remembered.

    :param images: with source_ref and etag; ``labels`` with source_ref and class_id.
    :raises DatasetError: when an image, or images of one group, are pinned to different splits.
    """
    etags = dict(zip(images["source_ref"], images["etag"], strict=True))
    prints = _fingerprints(storage, project, etags, memory)
    past = dict(zip(memory["source_ref"], memory["etag"], strict=True))
    groups = group_images(project, past | etags, prints)
    classes: dict[str, list[int]] = {}
    for source_ref, class_id in zip(labels["source_ref"], labels["class_id"].tolist(), strict=True):
        classes.setdefault(source_ref, []).append(class_id)
    splits = assign_splits(
        etags,
        project.dataset.splits.model_dump(),
        dict(zip(memory["source_ref"], memory["split"], strict=True)),
        groups=groups,
        class_ids=classes,
        pinned=pinned_images(project, etags),
    )
    rows: list[dict[str, object]] = [
        {"source_ref": ref, "etag": etag, "split": splits[ref], "fingerprint": prints.get(ref)}
        for ref, etag in etags.items()
    ]
    kept = memory[~memory["source_ref"].isin(set(etags))]
    return Assigned(
        splits=splits, memory=_newest([kept, table(rows, SPLIT_MEMORY)]), torn=torn_groups(splits, groups)
    )


def _newest(tables: list[pd.DataFrame]) -> pd.DataFrame:
    everything = pd.concat(tables, ignore_index=True)
    newest = everything.drop_duplicates("source_ref", keep="last").sort_values("source_ref")
    fitting: pd.DataFrame = pa.Table.from_pandas(
        newest[SPLIT_MEMORY.names], schema=SPLIT_MEMORY, preserve_index=False
    ).to_pandas()
    return fitting


def _fingerprints(
    storage: Storage, project: Project, etags: Mapping[str, str], memory: pd.DataFrame
) -> dict[str, str]:
    """Of past images and of those that were never looked at under their present ETag."""
    columns = (memory[name] for name in ("source_ref", "etag", "fingerprint"))
    prints = {
        ref: digits
        for ref, etag, digits in zip(*columns, strict=True)
        if isinstance(digits, str) and etags.get(ref, etag) == etag
    }
    by = project.dataset.group_by
    if by is None or not by.near_duplicates:
        return prints

    def look(source_ref: str) -> tuple[str, str | None]:
        content = storage.read_if_there(ObjectUri.parse(source_ref))
        return source_ref, fingerprint(content.data) if content else None

    unseen = sorted(etags.keys() - prints.keys())
    found = {ref: digits for ref, digits in storage.run_many(look, unseen) if digits}
    if len(found) < len(unseen):
        log.info(
            "%d of %d images show no shape to find near duplicates by", len(unseen) - len(found), len(unseen)
        )
    return prints | found
