"""Assemble the next version of a dataset from all recorded rounds."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import IMAGES, LABELS, PUBLISHABLE, from_parquet, table
from roundtruth.categories import normalise_category
from roundtruth.datasets.boxes import PixelBox, clean_boxes
from roundtruth.datasets.candidate import BoxRepairs, Candidate, LeftOut
from roundtruth.datasets.class_registry import ClassRegistry, register_classes
from roundtruth.datasets.file_names import dataset_file_name
from roundtruth.datasets.folder import DatasetFolder, dataset_folder
from roundtruth.datasets.latest import read_latest
from roundtruth.datasets.sources import current_etags
from roundtruth.datasets.split_memory import assign_and_remember, read_memory
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS
from roundtruth.datasets.versions import VersionRecord, newest_version
from roundtruth.errors import CategoryError, DatasetError
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.record import RoundRecord, read_record
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

GONE = "was replaced or deleted after it was labeled"
PARTIAL = "no job asked for all classes"

_EDGES = ["left", "top", "width", "height"]


@dataclass(frozen=True, kw_only=True)
class _Rounds:
    """All recorded rounds; of an image that several hold, the newest labels. Both tables have ``round``."""

    records: dict[str, RoundRecord]
    images: pd.DataFrame
    labels: pd.DataFrame


@dataclass(frozen=True, kw_only=True)
class _Parent:
    record: VersionRecord | None
    images: pd.DataFrame
    memory: pd.DataFrame

    @property
    def copied(self) -> frozenset[tuple[str, str]]:
        """Images whose bytes the parent holds itself, by (source_ref, etag)."""
        if self.record is None or self.record.layout != "tree":
            return frozenset()
        return frozenset(zip(self.images["source_ref"], self.images["etag"], strict=True))


def assemble_candidate(storage: Storage, project: Project) -> Candidate | None:
    """Put together what all recorded rounds of a project brought; None when there is nothing to publish.

    Rounds count in order of their keys; the newest round that has publishable labels for an image wins. The
    project's categories are appended to the class registry. Images keep the split they had in any
    earlier version. Running it again on the same rounds gives the same candidate.

    :raises DatasetError: when a file of a round is not what round.json says, or an image has no size.
    :raises CategoryError: when a label has a category that neither the project nor the registry knows.
    """
    folder = dataset_folder(project)
    rounds = _read_rounds(storage, project)
    parent = _read_parent(storage, folder)
    registry = register_classes(storage, folder.classes, project.categories)
    images, left_out = _choose_images(storage, project, rounds, parent, registry)
    if images.empty:
        log.info(
            "Dataset %s: %d rounds, no image to publish, %d wait",
            folder.name,
            len(rounds.records),
            len(left_out),
        )
        return None
    labels, repairs = _labels(rounds.labels, images, project, registry)
    assigned = assign_and_remember(storage, project, images, labels, parent.memory)
    images = images.assign(
        split=[assigned.splits[source_ref] for source_ref in images["source_ref"]],
        file=[dataset_file_name(source_ref) for source_ref in images["source_ref"]],
    )
    candidate = Candidate(
        project=project.project,
        dataset=project.dataset.name,
        layout=project.dataset.layout,
        formats=project.dataset.formats,
        classes=registry.names,
        images=_fitting(images, DATASET_IMAGES),
        labels=_fitting(labels, DATASET_LABELS),
        rounds=tuple(rounds.records),
        parent=parent.record.version if parent.record else None,
        left_out=left_out,
        repairs=repairs,
        torn_groups=assigned.torn,
        splits=assigned.memory,
    )
    return None if _is_published(storage, folder, parent.record, candidate) else candidate


def _is_published(
    storage: Storage, folder: DatasetFolder, newest: VersionRecord | None, candidate: Candidate
) -> bool:
    """A crash may have come between version.json and the pointer: then publishing has a rest to do.

    After a rollback the pointer stays behind the newest version on purpose (latest.py).
    """
    if newest is None or newest.spec_digest != candidate.digest:
        return False
    pointer = read_latest(storage, folder)
    return pointer is not None and newest.version in {pointer.version, *pointer.withdrawn}


def _read_rounds(storage: Storage, project: Project) -> _Rounds:
    records: dict[str, RoundRecord] = {}
    images: list[pd.DataFrame] = [table([], IMAGES).assign(round="")]
    labels: list[pd.DataFrame] = [table([], LABELS).assign(round="")]
    for key in storage.list_folders(rounds_folder(project)):
        folder = RoundFolder(rounds_folder(project) / key)
        record = read_record(storage, folder)
        if record is None:
            continue  # the round still runs
        records[key] = record
        images.append(_read_table(storage, folder, record, IMAGES).assign(round=key))
        labels.append(_read_table(storage, folder, record, LABELS).assign(round=key))
    everything = pd.concat(images, ignore_index=True)
    publishable = everything[everything["status"].isin(PUBLISHABLE)]
    newest = publishable.drop_duplicates("source_ref", keep="last").sort_values("source_ref", kind="stable")
    of_newest = pd.concat(labels, ignore_index=True).merge(newest[["source_ref", "round"]])
    return _Rounds(records=records, images=newest.reset_index(drop=True), labels=of_newest)


def _read_table(
    storage: Storage, folder: RoundFolder, record: RoundRecord, schema: pa.Schema
) -> pd.DataFrame:
    uri = folder.images if schema is IMAGES else folder.labels
    data = storage.read(uri)
    digest = hashlib.sha256(data).hexdigest()
    if digest != record.files.get(uri.name):
        raise DatasetError(
            f"{uri} is not what {folder.record} says (digest {digest[:12]}…): it was changed after the round "
            "was recorded; run the round's last steps again."
        )
    return from_parquet(data, schema, name=str(uri))


def _read_parent(storage: Storage, folder: DatasetFolder) -> _Parent:
    record = newest_version(storage, folder)
    memory = read_memory(storage, folder, record)
    if record is None:
        return _Parent(record=None, images=table([], DATASET_IMAGES), memory=memory)
    uri = folder.version(record.version).images
    images = from_parquet(storage.read(uri), DATASET_IMAGES, name=str(uri))
    return _Parent(record=record, images=images, memory=memory)


def _choose_images(
    storage: Storage, project: Project, rounds: _Rounds, parent: _Parent, registry: ClassRegistry
) -> tuple[pd.DataFrame, tuple[LeftOut, ...]]:
    images = rounds.images
    sizeless = images.loc[images["width"].isna() | images["height"].isna(), "source_ref"]
    if len(sizeless):
        raise DatasetError(f"{len(sizeless)} labeled images have no size, such as {sizeless.iloc[0]}.")
    unknown = _unknown_classes(project, rounds.records, registry)
    images = images.assign(
        unknown=pd.Series([unknown[key] for key in images["round"]], index=images.index, dtype=object)
    )
    identities = list(zip(images["source_ref"], images["etag"], strict=True))
    # A packed version holds no image itself: there the source has to be there still.
    copied = parent.copied if project.dataset.layout == "tree" else frozenset()
    current = current_etags(storage, project, [ref for ref, etag in identities if (ref, etag) not in copied])
    gone = [one not in copied and current.get(one[0]) != one[1] for one in identities]
    waits = project.dataset.partial_labels == "wait"
    partial = [waits and bool(classes) for classes in images["unknown"]]
    left_out = [LeftOut(reason=GONE, source_ref=ref) for ref in images.loc[gone, "source_ref"]]
    only_partial = np.logical_and(partial, np.logical_not(gone))
    left_out += [LeftOut(reason=PARTIAL, source_ref=ref) for ref in images.loc[only_partial, "source_ref"]]
    kept = np.logical_not(np.logical_or(gone, partial))
    if left_out:
        log.warning(
            "%d labeled images are left out, such as %s: %s",
            len(left_out),
            left_out[0].source_ref,
            left_out[0].reason,
        )
    return images[kept].reset_index(drop=True), tuple(sorted(left_out))


def _unknown_classes(
    project: Project, records: Mapping[str, RoundRecord], registry: ClassRegistry
) -> dict[str, list[int]]:
    """A round -> ids of the project's classes that none of its first jobs asked for."""
    unknown = {}
    for key, record in records.items():
        asked = {
            _project_name(project, name)
            for job in record.jobs
            if not job.relabel_pass
            for name in job.categories
        }
        unknown[key] = sorted(registry.ids[name] for name in project.categories if name not in asked)
    return unknown


def _project_name(project: Project, category: str) -> str:
    name = normalise_category(category)
    return project.aliases.get(name, name)


def _labels(
    labels: pd.DataFrame, images: pd.DataFrame, project: Project, registry: ClassRegistry
) -> tuple[pd.DataFrame, BoxRepairs]:
    """The boxes of the chosen images with class ids, clean and sorted, and what was done to them."""
    labels = labels[labels["source_ref"].isin(set(images["source_ref"]))]
    names = [_project_name(project, category) for category in labels["category"]]
    unlisted = sorted(set(names) - set(registry.names))
    if unlisted:
        raise CategoryError(
            f"Labels of project {project.project!r} have categories that it does not list: "
            f"{', '.join(unlisted)}; add them to categories, or to aliases."
        )
    ids = [registry.ids[name] for name in names]
    labels = labels.assign(category=pd.Series(names, index=labels.index, dtype="str"), class_id=ids)
    listed = labels["category"].isin(set(project.categories))
    retired = int((~listed).sum())
    return _clean(labels[listed].reset_index(drop=True), images, retired)


def _clean(labels: pd.DataFrame, images: pd.DataFrame, retired: int) -> tuple[pd.DataFrame, BoxRepairs]:
    sizes = {
        ref: size
        for ref, *size in zip(
            images["source_ref"], images["width"].tolist(), images["height"].tolist(), strict=True
        )
    }
    rows = labels.groupby("source_ref", sort=True).indices
    columns = [labels[name].tolist() for name in ("class_id", *_EDGES)]
    boxes = [PixelBox(*values) for values in zip(*columns, strict=True)]
    kept_rows: list[int] = []
    kept_boxes: list[PixelBox] = []
    clipped = outside = duplicates = 0
    for source_ref, places in rows.items():
        cleaned = clean_boxes([boxes[place] for place in places], *sizes[source_ref])
        kept_rows += [int(places[place]) for place in cleaned.places]
        kept_boxes += cleaned.boxes
        clipped += cleaned.clipped
        outside += cleaned.outside
        duplicates += cleaned.duplicates
    repairs = BoxRepairs(clipped=clipped, outside=outside, duplicates=duplicates, retired=retired)
    edges = np.array([box[1:] for box in kept_boxes], dtype=np.float64).reshape(-1, 4)
    return labels.iloc[kept_rows].assign(**dict(zip(_EDGES, edges.T, strict=True))), repairs


def _fitting(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """The columns of a schema in its types, as they come back from Parquet."""
    fitting: pd.DataFrame = pa.Table.from_pandas(
        frame[schema.names], schema=schema, preserve_index=False
    ).to_pandas()
    return fitting
