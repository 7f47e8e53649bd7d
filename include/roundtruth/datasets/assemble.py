"""Assemble the next version of a dataset: from all recorded rounds, or from its parent and newer ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import table
from roundtruth.datasets.candidate import GONE, PARTIAL, SENT_BACK, Candidate, LeftOut, lay_candidate
from roundtruth.datasets.class_registry import ClassRegistry, register_classes
from roundtruth.datasets.clean_labels import clean_labels
from roundtruth.datasets.content_digests import IMAGES_AT_ONCE, image_digests
from roundtruth.datasets.file_names import dataset_file_name
from roundtruth.datasets.folder import DatasetFolder, dataset_folder
from roundtruth.datasets.latest import read_latest
from roundtruth.datasets.layers import labels_of
from roundtruth.datasets.recorded_labels import RecordedLabels, RecordedRounds, read_labels, read_rounds
from roundtruth.datasets.since_parent import Standing, rounds_since, settings_digest, standing_rows
from roundtruth.datasets.sources import current_etags
from roundtruth.datasets.split_memory import assign_and_remember, read_memory
from roundtruth.datasets.succession import newest_decided
from roundtruth.datasets.table_rows import rows_of
from roundtruth.datasets.tables import PART_LABELS, VERSION_IMAGES
from roundtruth.datasets.text_categories import stacked
from roundtruth.datasets.unknown_classes import unknown_classes
from roundtruth.datasets.version_tables import VersionTables, read_tables
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import Storage

log = logging.getLogger(__name__)

__all__ = ["GONE", "PARTIAL", "SENT_BACK", "assemble_candidate"]


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The rows of the next version: VERSION_IMAGES but for splits, which come last, and PART_LABELS."""

    images: pd.DataFrame
    boxes: pd.DataFrame
    left_out: tuple[LeftOut, ...]


def assemble_candidate(
    storage: Storage, project: Project, facts: pd.DataFrame | None = None
) -> Candidate | None:
    """Put together what all recorded rounds of a project brought; None when there is nothing to publish.

    Rounds count in order of their keys (names.round_order); the newest round that has publishable labels for
    an image wins. The project's categories are appended to the class registry. Images keep the split they had
    in any earlier version. Running it again on the same rounds gives the same candidate.

    :param facts: what rounds saw of their images (image_facts.IMAGE_FACTS), to find near duplicates by.
    :raises DatasetError: when a file of a round is not what round.json says, or an image has no size.
    :raises CategoryError: when a label has a category that neither the project nor the registry knows.
    """
    folder = dataset_folder(project)
    rounds = read_rounds(storage, project)
    newest = newest_decided(storage, folder)
    parent = read_tables(storage, folder, newest) if newest else None
    registry = register_classes(storage, folder.classes, project.categories)
    chosen = _choose(storage, project, rounds, parent, registry)
    if chosen.images.empty:
        waiting = len(chosen.left_out)
        log.info(
            "Dataset %s: %d rounds, no image to publish, %d wait", folder.name, len(rounds.records), waiting
        )
        return None
    layers = parent.layers if parent else None
    memory = layers.splits.frame if layers else read_memory(storage, folder, newest)
    assigned = assign_and_remember(storage, project, chosen.images, chosen.boxes, memory, facts)
    images = _fitting(_finished(chosen, assigned.splits), VERSION_IMAGES)
    labels = labels_of(images, chosen.boxes, registry.names)
    candidate = Candidate(
        project=project.project,
        dataset=project.dataset.name,
        layout=project.dataset.layout,
        formats=project.dataset.formats,
        classes=registry.names,
        images=images,
        labels=labels,
        rounds=tuple(rounds.records),
        round_digests=rounds.digests,
        settings_digest=settings_digest(project, rounds),
        parent=newest.version if newest else None,
        left_out=chosen.left_out,
        torn_groups=assigned.torn,
        splits=assigned.memory,
        laid=lay_candidate(
            layers, images=images, labels=labels, splits=assigned.memory, left_out=chosen.left_out
        ),
    )
    return None if _is_published(storage, folder, parent, candidate) else candidate


def _is_published(
    storage: Storage, folder: DatasetFolder, newest: VersionTables | None, candidate: Candidate
) -> bool:
    """A crash may have come between version.json and the pointer: then publishing has a rest to do.

    After a rollback the pointer stays behind the newest version on purpose (latest.py).
    """
    if newest is None or newest.content_digest != candidate.digest:
        return False
    pointer = read_latest(storage, folder)
    return pointer is not None and newest.record.version in {pointer.version, *pointer.withdrawn}


def _choose(
    storage: Storage,
    project: Project,
    rounds: RecordedRounds,
    parent: VersionTables | None,
    registry: ClassRegistry,
) -> _Chosen:
    copied = _copied(parent, project)
    since = rounds_since(parent, rounds, project)
    if parent is not None and since is not None:
        recorded = read_labels(storage, project, rounds, since)
        looked_at = [parent.left_out["source_ref"], recorded.images["source_ref"]]
        if not copied:
            looked_at.append(parent.images["source_ref"])
        current = current_etags(storage, project, pd.concat(looked_at).tolist())
        itself = frozenset(ref for ref, _ in copied)
        standing = standing_rows(parent, recorded.images["source_ref"], current, itself)
        if standing is not None:
            new = _choose_new(storage, project, rounds, recorded, copied, current, registry)
            return _joined(parent, standing, _with_boxes(new, recorded.labels, project, registry))
    recorded = read_labels(storage, project, rounds, rounds.records)
    identities = zip(recorded.images["source_ref"].tolist(), recorded.images["etag"].tolist(), strict=True)
    current = current_etags(storage, project, [one[0] for one in identities if one not in copied])
    new = _choose_new(storage, project, rounds, recorded, copied, current, registry)
    return _with_boxes(new, recorded.labels, project, registry)


def _copied(parent: VersionTables | None, project: Project) -> frozenset[tuple[str, str]]:
    """Images whose bytes the parent holds itself, by (source_ref, etag).

    A packed version holds no image: there the source has to be there still.
    """
    if parent is None or parent.record.layout != "tree" or project.dataset.layout != "tree":
        return frozenset()
    return frozenset(zip(parent.images["source_ref"], parent.images["etag"], strict=True))


def _choose_new(
    storage: Storage,
    project: Project,
    rounds: RecordedRounds,
    recorded: RecordedLabels,
    copied: frozenset[tuple[str, str]],
    current: Mapping[str, str],
    registry: ClassRegistry,
) -> _Chosen:
    """Of images with publishable labels those that may be in the version, without labels yet."""
    images = recorded.images
    sizeless = images.loc[images["width"].isna() | images["height"].isna(), "source_ref"]
    if len(sizeless):
        raise DatasetError(f"{len(sizeless)} labeled images have no size, such as {sizeless.iloc[0]}.")
    unknown = unknown_classes(storage, project, rounds.records, registry, images)
    images = images.assign(unknown=pd.Series(unknown, index=images.index, dtype=object))
    identities = list(zip(images["source_ref"], images["etag"], strict=True))
    gone = np.array([one not in copied and current.get(one[0]) != one[1] for one in identities], dtype=bool)
    waits = project.dataset.partial_labels == "wait"
    partial = np.array([waits and bool(ids) for ids in images["unknown"]], dtype=bool)
    left_out = [
        LeftOut(reason=GONE if is_gone else PARTIAL, source_ref=ref, etag=etag)
        for (ref, etag), is_gone, is_partial in zip(identities, gone, partial, strict=True)
        if is_gone or is_partial
    ]
    left_out += [LeftOut(reason=SENT_BACK, source_ref=ref) for ref in recorded.sent_back]
    if left_out:
        log.warning(
            "%d labeled images are left out, such as %s: %s",
            len(left_out),
            left_out[0].source_ref,
            left_out[0].reason,
        )
    return _Chosen(
        images=images[~(gone | partial)].reset_index(drop=True),
        boxes=table([], PART_LABELS),
        left_out=tuple(sorted(left_out)),
    )


def _with_boxes(chosen: _Chosen, labels: pd.DataFrame, project: Project, registry: ClassRegistry) -> _Chosen:
    boxes, images = clean_labels(labels, chosen.images, project, registry)
    images = images.assign(
        split="", digest="", file=[dataset_file_name(source_ref) for source_ref in images["source_ref"]]
    )
    return _Chosen(images=images[VERSION_IMAGES.names], boxes=boxes, left_out=chosen.left_out)


def _joined(parent: VersionTables, standing: Standing, new: _Chosen) -> _Chosen:
    """Rows of the parent and new ones, which are about other images, in order of source_ref."""
    both = [parent.images, new.images]
    refs = pd.concat([one["source_ref"] for one in both], ignore_index=True)
    places = np.append(standing.places, np.arange(len(parent.images), len(refs)))
    order = refs.take(places).sort_values(kind="stable").index.to_numpy()
    rows = rows_of(order, np.concatenate([one["boxes"].to_numpy(np.int64) for one in both]))
    boxes = [parent.labels[PART_LABELS.names], new.boxes]
    return _Chosen(
        images=stacked(both, VERSION_IMAGES, rows=order),
        boxes=stacked(boxes, PART_LABELS, ("job",), rows=rows),
        left_out=tuple(sorted([*standing.left_out, *new.left_out])),
    )


def _finished(chosen: _Chosen, splits: Sequence[str]) -> pd.DataFrame:
    """The images with their splits, and digests where they had none or were in another split."""
    images = chosen.images
    assigned = pd.Series(splits, index=images.index, dtype="str")
    fresh = np.flatnonzero((images["digest"] == "") | (images["split"] != assigned))
    images = images.assign(split=assigned)
    counts = images["boxes"].to_numpy(np.int64)
    digests = images["digest"].to_numpy(dtype=object, copy=True)
    for start in range(0, len(fresh), IMAGES_AT_ONCE):
        some = fresh[start : start + IMAGES_AT_ONCE]
        rows, boxes = _fitting(images.iloc[some], VERSION_IMAGES), chosen.boxes.take(rows_of(some, counts))
        digests[some] = image_digests(rows, boxes, counts[some])
    return images.assign(digest=pd.Series(digests, index=images.index, dtype="str"))


def _fitting(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """The columns of a schema in its types, as they come back from Parquet."""
    rows = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    fitting: pd.DataFrame = rows.to_pandas(self_destruct=True)  # a column is let go as soon as it is copied
    return fitting
