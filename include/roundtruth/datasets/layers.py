"""A version's tables put together from their parts, and the parts of a next version that has other rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from roundtruth.annotations import table
from roundtruth.datasets.content_digests import REPAIRS
from roundtruth.datasets.parts import (
    IMAGES,
    LABELS,
    LEFT_OUT,
    SPLITS,
    NewPart,
    Part,
    PartReader,
    Parts,
    encode_part,
    layers_kept,
)
from roundtruth.datasets.split_memory import SPLIT_MEMORY
from roundtruth.datasets.table_rows import newest_rows, places_of, rows_of
from roundtruth.datasets.tables import (
    DATASET_LABELS,
    LEFT_OUT_IMAGES,
    PART_LABELS,
    REMOVED,
    VERSION_IMAGES,
)
from roundtruth.datasets.text_categories import stacked

_KEYS = pa.schema([VERSION_IMAGES.field("source_ref"), REMOVED])


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table with one row a source_ref, sorted by it, and the layer that each row comes from, from 0.

    ``removed`` are source_refs that a layer took away, ``removed_in`` says which. ``places`` are those of the
    rows in all parts, one after the other.
    """

    frame: pd.DataFrame
    layer: NDArray[np.int64]
    removed: pd.Series
    removed_in: NDArray[np.int64]
    places: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """All tables of a version. ``boxes`` has PART_LABELS, in the order of the images; jobs as categories."""

    parts: Parts
    images: Rows
    boxes: pd.DataFrame
    splits: Rows
    left_out: Rows


@dataclass(frozen=True, kw_only=True)
class LaidParts:
    """The parts of a version, and those of them that are new."""

    parts: Parts
    new: tuple[NewPart, ...] = field(default=(), repr=False)


def read_layers(reader: PartReader, parts: Parts) -> Layers:
    """Read all tables of a version.

    :raises DatasetError: when a part is gone, or is not what was published.
    """
    frames = reader.read(IMAGES, parts, _marked(VERSION_IMAGES))
    images = _stacked(frames, VERSION_IMAGES)
    boxes = reader.read(LABELS, parts, PART_LABELS)
    if len(frames) == 1:
        rows = boxes[0]
    else:
        counts = np.concatenate([np.zeros(0, np.int64), *(frame["boxes"].to_numpy() for frame in frames)])
        rows = stacked(boxes, PART_LABELS, ("job",), rows=rows_of(images.places, counts))
    return Layers(
        parts=parts,
        images=images,
        boxes=rows,
        splits=_stacked(reader.read(SPLITS, parts, _marked(SPLIT_MEMORY)), SPLIT_MEMORY),
        left_out=_stacked(reader.read(LEFT_OUT, parts, _marked(LEFT_OUT_IMAGES)), LEFT_OUT_IMAGES),
    )


def labels_of(images: pd.DataFrame, boxes: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """DATASET_LABELS from PART_LABELS, in the order of the images; texts as categories."""
    owner = np.repeat(np.arange(len(images), dtype=np.int32), images["boxes"].to_numpy())
    names = pd.Index(list(classes), dtype="str")
    rounds = pd.Categorical(images["round"])
    whole = boxes.assign(
        source_ref=pd.Categorical.from_codes(owner, categories=pd.Index(images["source_ref"])),
        category=pd.Categorical.from_codes(boxes["class_id"].to_numpy(), categories=names),
        round=pd.Categorical.from_codes(rounds.codes[owner], categories=rounds.categories),
    )
    labels: pd.DataFrame = whole[DATASET_LABELS.names]
    return labels


def lay_parts(
    old: Layers | None,
    images: pd.DataFrame,
    boxes: pd.DataFrame,
    splits: pd.DataFrame,
    left_out: pd.DataFrame,
) -> LaidParts:
    """The parts of a version with these tables: those of the parent, and what is new.

    :param old: the parent; None for a first version, or a parent from before tables had parts.
    :param images: VERSION_IMAGES; ``boxes`` has PART_LABELS in their order, ``splits`` is SPLIT_MEMORY,
        ``left_out`` LEFT_OUT_IMAGES.
    """
    known = {name: old.parts.get(name, ()) if old else () for name in (IMAGES, LABELS, SPLITS, LEFT_OUT)}
    parts: dict[str, tuple[Part, ...]] = {}
    new: list[NewPart] = []
    tables = (
        (IMAGES, old.images if old else None, images, VERSION_IMAGES),
        (SPLITS, old.splits if old else None, splits, SPLIT_MEMORY),
        (LEFT_OUT, old.left_out if old else None, left_out, LEFT_OUT_IMAGES),
    )
    for name, before, frame, schema in tables:
        kept, rows = _next_part(before, frame, schema, known[name])
        parts[name] = known[name][:kept]
        if name == IMAGES:
            parts[LABELS] = known[LABELS][:kept]
        if rows is None:
            continue
        new.append(encode_part(name, rows, _marked(schema)))
        if name == IMAGES:
            live = rows.loc[~rows["removed"].to_numpy(bool), "source_ref"]
            places = places_of(live, images["source_ref"])
            is_all = np.array_equal(places, np.arange(len(images)))
            own = boxes if is_all else boxes.take(rows_of(places, images["boxes"].to_numpy()))
            new.append(encode_part(LABELS, own, PART_LABELS))
    for one in new:
        parts[one.table] = (*parts[one.table], one.part)
    return LaidParts(parts=parts, new=tuple(new))


def _next_part(
    old: Rows | None, frame: pd.DataFrame, schema: pa.Schema, parts: Sequence[Part]
) -> tuple[int, pd.DataFrame | None]:
    """How many parts stay, and the rows of the part that comes on top of them, if any."""
    if old is None or not parts:
        return 0, frame.assign(removed=False) if len(frame) else None
    places = places_of(frame["source_ref"], old.frame["source_ref"])
    same = _same_rows(old.frame, frame, places, schema)
    gone = places_of(old.frame["source_ref"], frame["source_ref"]) < 0
    changes = int((~same).sum()) + int(gone.sum())
    if not changes:
        return len(parts), None
    kept = layers_kept([part.rows for part in parts], changes)
    layer = np.full(len(frame), len(parts))
    layer[same] = old.layer[places[same]]
    rows = frame[layer >= kept].assign(removed=False)
    if not kept:
        return 0, rows if len(rows) else None  # nothing is below that could be taken away
    removed = pd.concat([old.removed[old.removed_in >= kept], old.frame["source_ref"][gone]])
    removed = removed[places_of(removed, frame["source_ref"]) < 0].drop_duplicates()
    return kept, pd.concat([rows, _marks(removed, schema)]).sort_values("source_ref", kind="stable")


def _same_rows(
    old: pd.DataFrame, new: pd.DataFrame, places: NDArray[np.int64], schema: pa.Schema
) -> NDArray[np.bool_]:
    """Which new rows stand in the old table with the same values; ``places`` says where, -1 for nowhere."""
    there = np.flatnonzero(places >= 0)
    same = np.ones(len(there), dtype=bool)
    # An image's digest stands for the columns that it is made of.
    columns = ("digest", *REPAIRS) if "digest" in schema.names else schema.names
    for name in columns:
        before, now = old[name].array.take(places[there]), new[name].array.take(there)
        both_null = np.asarray(pd.isna(before) & pd.isna(now))
        same &= np.asarray(before == now, dtype=bool) | both_null
    result = np.zeros(len(new), dtype=bool)
    result[there[same]] = True
    return result


def _marks(removed: pd.Series, schema: pa.Schema) -> pd.DataFrame:
    """Rows that take away; empty values, since nulls would change the type of whole columns in pandas."""
    empty: dict[str, object] = {
        column.name: [] if pa.types.is_list(column.type) else "" if pa.types.is_string(column.type) else 0
        for column in schema
    }
    return table([empty | {"source_ref": ref, "removed": True} for ref in removed], _marked(schema))


def _stacked(frames: Sequence[pd.DataFrame], schema: pa.Schema) -> Rows:
    keys = stacked([frame[["source_ref", "removed"]] for frame in frames], _KEYS)
    layer = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    # Of one part no row takes the place of another, and nothing is below that it could take away.
    newest = newest_rows(keys["source_ref"]) if len(frames) > 1 else np.arange(len(keys))
    is_removed = keys["removed"].to_numpy(bool)[newest]
    places, removed = newest[~is_removed], newest[is_removed]
    as_it_is = len(frames) == 1 and not len(removed)
    return Rows(
        frame=frames[0][schema.names] if as_it_is else stacked(frames, schema, rows=places),
        layer=layer[places],
        removed=keys["source_ref"].take(removed),
        removed_in=layer[removed],
        places=places,
    )


def _marked(schema: pa.Schema) -> pa.Schema:
    return schema.append(REMOVED)
