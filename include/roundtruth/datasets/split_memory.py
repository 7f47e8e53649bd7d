"""The table of splits of a version: every image the dataset ever had, with its split, and how it looks.

Each version holds its parent's rows and its own, so the memory only grows, is as immutable as the version,
and needs one read however many versions there are. An image that left comes back to the split it had. A
version of before tables had parts holds it as splits.parquet; one without it is made up for by the images of
all versions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from roundtruth.annotations import from_parquet, table
from roundtruth.arrow_memory import arrow_file
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.groups import group_images, pinned_images
from roundtruth.datasets.near_duplicates import hashes_of, look_alikes, remembered_hashes
from roundtruth.datasets.splits import Held, assign_splits, torn_groups
from roundtruth.datasets.table_rows import places_of
from roundtruth.datasets.tables import DATASET_IMAGES
from roundtruth.datasets.versions import VersionRecord, list_versions
from roundtruth.project import Project
from roundtruth.storage import Storage

SPLIT_MEMORY = pa.schema(
    [
        ("source_ref", pa.string()),  # sorted by it
        ("etag", pa.string()),  # of the image when it was last in a version
        ("split", pa.string()),  # the one it had then
        ("phash", pa.string()),  # of that image (near_duplicates.py); null where nobody asked for it
        ("looks_like", pa.string()),  # the first image it was ever near, or near through others; null: none
    ]
)


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """The split of each image of a version, what to remember, and how many groups lie in several splits.

    ``splits`` are in the order of the images.
    """

    splits: Sequence[str]
    memory: pd.DataFrame
    torn: int


def read_memory(storage: Storage, folder: DatasetFolder, parent: VersionRecord | None) -> pd.DataFrame:
    """SPLIT_MEMORY of a newest version whose tables have no parts; with parts it is among layers.Layers."""
    if parent is None:
        return table([], SPLIT_MEMORY)
    uri = folder.version(parent.version).splits
    content = storage.read_if_there(uri)
    if content is not None:
        return _read(content.data, str(uri))
    known = [table([], SPLIT_MEMORY)]
    for record in list_versions(storage, folder):
        images = folder.version(record.version).images
        known.append(from_parquet(storage.read(images), DATASET_IMAGES, name=str(images)))
    return _newest(known)


def assign_and_remember(
    storage: Storage,
    project: Project,
    images: pd.DataFrame,
    labels: pd.DataFrame,
    memory: pd.DataFrame,
    facts: pd.DataFrame | None = None,
) -> Assigned:
    """Give the images of the next version their splits.

    Looking for near duplicates reads each image once that no round inspected: its hash is remembered.

    Images that have a split already are only counted, so what this costs hangs on the new ones; not where
    images are pinned, or `group_by` is set: then the groups of all of them are made anew.

    :param images: with source_ref, etag and boxes; ``labels`` with class_id, in the order of the images.
    :param facts: what rounds saw of their images (image_facts.IMAGE_FACTS).
    :raises DatasetError: when an image, or images of one group, are pinned to different splits.
    """
    if _all_settled(project, images, memory):
        return _as_remembered(project, images, memory)
    etags = dict(_pairs(images, "etag"))
    everything = dict(_pairs(memory, "etag")) | etags
    hashes, alike = _looks(storage, project, etags, memory, facts)
    groups = _groups(project, everything, alike)
    before = _where_content_is(memory, etags)
    splits = _splits(project, images, labels, before, groups)
    order = sorted(everything)
    remembered = {
        "source_ref": order,
        "etag": [everything[ref] for ref in order],
        "split": [splits.get(ref) or before[ref] for ref in order],
        "phash": [hashes.get(ref) for ref in order],
        "looks_like": [alike.get(ref) for ref in order],
    }
    return Assigned(
        splits=[splits[ref] for ref in etags],
        memory=pa.table(remembered, schema=SPLIT_MEMORY).to_pandas(),
        torn=torn_groups({ref: splits[ref] for ref in groups if ref in splits}, groups),
    )


def _all_settled(project: Project, images: pd.DataFrame, memory: pd.DataFrame) -> bool:
    """Whether all images are remembered as they are, and no setting says more of them than the memory."""
    if project.dataset.group_by is not None or any(project.dataset.pinned.values()):
        return False
    places = places_of(images["source_ref"], memory["source_ref"])
    if (places < 0).any():
        return False
    return bool((memory["etag"].array.take(places) == images["etag"].array).all())


def _as_remembered(project: Project, images: pd.DataFrame, memory: pd.DataFrame) -> Assigned:
    places = places_of(images["source_ref"], memory["source_ref"])
    splits = memory["split"].take(places).tolist()
    copies = memory[memory["etag"].duplicated(keep=False)]
    groups = _groups(project, dict(_pairs(copies, "etag")), {})
    of_copies = {
        ref: split for ref, split in zip(images["source_ref"].tolist(), splits, strict=True) if ref in groups
    }
    return Assigned(splits=splits, memory=memory, torn=torn_groups(of_copies, groups))


def _where_content_is(memory: pd.DataFrame, etags: Mapping[str, str]) -> dict[str, str]:
    """The split each image had; of one whose bytes were replaced, the one where its new bytes are known.

    Else a train image that was replaced by the bytes of a val image would be in both splits for ever.
    """
    before, known = dict(_pairs(memory, "split")), dict(_pairs(memory, "etag"))
    replaced = {ref: etag for ref, etag in sorted(etags.items()) if known.get(ref, etag) != etag}
    contents = set(replaced.values())
    homes: dict[str, Counter[str]] = {}
    for ref, etag in known.items():
        if etag in contents:
            homes.setdefault(etag, Counter())[before[ref]] += 1
    for ref, etag in replaced.items():
        counts = homes.setdefault(etag, Counter([before[ref]]))
        before[ref] = min(counts, key=lambda split: (-counts[split], split))
    return before


def _pairs(frame: pd.DataFrame, column: str) -> zip[tuple[str, str]]:
    # Lists: pandas hands out the strings of a column one by one twenty times slower.
    return zip(frame["source_ref"].tolist(), frame[column].tolist(), strict=True)


def _groups(project: Project, etags: Mapping[str, str], alike: Mapping[str, str]) -> dict[str, str]:
    """source_ref -> the name of its group; images that are nobody's like may be missing."""
    if project.dataset.group_by is None:
        counts = Counter(etags.values())
        etags = {ref: etag for ref, etag in etags.items() if counts[etag] > 1}
    return group_images(project, etags, alike)


def _splits(
    project: Project,
    images: pd.DataFrame,
    labels: pd.DataFrame,
    before: Mapping[str, str],
    groups: Mapping[str, str],
) -> dict[str, str]:
    """source_ref -> split, of all images of the version."""
    refs = images["source_ref"].tolist()
    pinned = pinned_images(project, refs)
    # A pin may move whole groups, so then nothing is settled.
    settled = {} if pinned else {ref: before[ref] for ref in refs if ref in before}
    new = [ref for ref in refs if ref not in settled]
    if not new:
        return settled
    split_of_image = np.array([settled.get(ref, "") for ref in refs], dtype=object)
    counts = images["boxes"].to_numpy(np.int64)
    class_ids = labels["class_id"].to_numpy(np.int64)
    owner = np.repeat(np.arange(len(images)), counts)
    classes: dict[str, list[int]] = {}
    fresh = (split_of_image == "")[owner]
    for place, class_id in zip(owner[fresh].tolist(), class_ids[fresh].tolist(), strict=True):
        classes.setdefault(refs[place], []).append(class_id)
    held = {}
    for split in sorted(set(settled.values())):
        inside = split_of_image == split
        boxes = Counter(dict(enumerate(np.bincount(class_ids[inside[owner]]).tolist())))
        held[split] = Held(int(inside.sum()), int((inside & (counts == 0)).sum()), +boxes)
    of_new = {groups.get(ref, ref) for ref in new}
    return settled | assign_splits(
        new,
        project.dataset.splits.model_dump(),
        {ref: split for ref, split in before.items() if groups.get(ref, ref) in of_new},
        groups=groups,
        class_ids=classes,
        pinned=pinned,
        held=held,
    )


def _looks(
    storage: Storage,
    project: Project,
    etags: Mapping[str, str],
    memory: pd.DataFrame,
    facts: pd.DataFrame | None,
) -> tuple[dict[str, str], dict[str, str]]:
    """Hashes, and which images look alike; what is remembered of both where the project does not ask."""
    alike = {ref: other for ref, other in _pairs(memory, "looks_like") if isinstance(other, str)}
    by = project.dataset.group_by
    if by is None or not by.near_duplicates:
        return remembered_hashes(etags, memory), alike
    hashes = hashes_of(storage, etags, memory, facts)
    return hashes, look_alikes(hashes, alike, max_distance=project.quality.near_duplicate_distance)


def _read(data: bytes, name: str) -> pd.DataFrame:
    """Also a memory of before perceptual hashes: it held other fingerprints, which say nothing now."""
    always = pa.schema([SPLIT_MEMORY.field(column) for column in ("source_ref", "etag", "split")])
    splits = from_parquet(data, always, name=name)
    if not set(SPLIT_MEMORY.names) <= set(pq.read_schema(arrow_file(data)).names):
        return _newest([table([], SPLIT_MEMORY), splits])
    return from_parquet(data, SPLIT_MEMORY, name=name)


def _newest(tables: list[pd.DataFrame]) -> pd.DataFrame:
    everything = pd.concat(tables, ignore_index=True)
    newest = everything.drop_duplicates("source_ref", keep="last").sort_values("source_ref")
    fitting: pd.DataFrame = pa.Table.from_pandas(
        newest[SPLIT_MEMORY.names], schema=SPLIT_MEMORY, preserve_index=False
    ).to_pandas()
    return fitting
