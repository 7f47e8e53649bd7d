"""A candidate: everything that the next version of a dataset would hold, before anything is published."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth import __version__
from roundtruth.annotations import table
from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.content_digests import IMAGES_AT_ONCE, REPAIRS, content_digest
from roundtruth.datasets.folder import DatasetFolder, dataset_folder
from roundtruth.datasets.layers import LaidParts, Layers, labels_of, lay_parts, read_layers
from roundtruth.datasets.parts import NewPart, Part, PartReader
from roundtruth.datasets.split_memory import SPLIT_MEMORY
from roundtruth.datasets.table_rows import places_of, rows_of
from roundtruth.datasets.tables import LEFT_OUT_IMAGES, PART_LABELS
from roundtruth.datasets.tree import TreeImage
from roundtruth.datasets.versions import content_header
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage
from roundtruth.typed_json import decode_json

GONE = "was replaced or deleted after it was labeled"
PARTIAL = "no job asked for all classes"
SENT_BACK = "was sent back for other labels"


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An image with publishable labels that is not in the version, and why."""

    reason: str
    source_ref: str
    etag: str = ""  # of the image that people labeled


class BoxRepairs(msgspec.Struct, frozen=True, kw_only=True):
    """How many boxes were changed or left out, see boxes.clean_boxes; and of classes no longer listed."""

    clipped: int = 0
    outside: int = 0
    duplicates: int = 0
    retired: int = 0


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    """candidate.json: all but the rows; those are in parts, of which ``new`` lie beside it."""

    project: str
    dataset: str
    layout: str
    formats: tuple[str, ...]
    classes: tuple[str, ...]
    rounds: tuple[str, ...]
    round_digests: dict[str, str]
    settings_digest: str
    parent: str | None
    torn_groups: int
    tables: dict[str, tuple[Part, ...]]
    new: dict[str, Part]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What a version would hold; ``images`` is VERSION_IMAGES, ``labels`` DATASET_LABELS, both sorted.

    ``classes`` are the names of the class registry in order of their ids, ``rounds`` all recorded rounds,
    ``round_digests`` the SHA-256 of their round.json, ``settings_digest`` that of what the project file says
    of the dataset, ``parent`` the newest version when the candidate was assembled. ``splits`` is
    SPLIT_MEMORY, ``torn_groups`` the groups that lay in several splits before anybody called them groups.
    ``laid`` are the parts of its tables.
    """

    project: str
    dataset: str
    layout: str
    formats: tuple[str, ...]
    classes: tuple[str, ...]
    images: pd.DataFrame
    labels: pd.DataFrame
    rounds: tuple[str, ...]
    parent: str | None
    laid: LaidParts
    round_digests: Mapping[str, str] = field(default_factory=dict)
    settings_digest: str = ""
    left_out: tuple[LeftOut, ...] = ()
    torn_groups: int = 0
    splits: pd.DataFrame = field(default_factory=lambda: table([], SPLIT_MEMORY))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what trainers get: a version with the same digest need not be published again."""
        return content_digest(content_header(self), self.images["digest"])

    @cached_property
    def claim(self) -> str:
        """SHA-256 of everything that decides the version's bytes; it holds a version number for itself."""
        parts = [self.digest.encode(), msgspec.json.encode(_facts(self)), __version__.encode()]
        return hashlib.sha256(b"\n".join(parts)).hexdigest()

    @cached_property
    def repairs(self) -> BoxRepairs:
        """What was done to the boxes of its images."""
        return BoxRepairs(**{name: int(self.images[name].sum()) for name in REPAIRS})

    @cached_property
    def image_of_box(self) -> NDArray[np.int64]:
        """Of each row of ``labels``, the place of its image in ``images``, from 0."""
        return np.repeat(np.arange(len(self.images)), self.images["boxes"].to_numpy())

    @cached_property
    def partial(self) -> int:
        """On how many images some class is unknown."""
        return sum(1 for classes in self.images["unknown"].tolist() if len(classes))

    @cached_property
    def unknown(self) -> Counter[int]:
        """Class id -> images on which nobody was asked for it."""
        lists = self.images["unknown"].tolist()
        return Counter(np.concatenate([np.zeros(0, np.int64), *lists]).astype(np.int64).tolist())

    def images_with_boxes(self) -> Iterator[tuple[TreeImage, list[PixelBox]]]:
        """Each image and its boxes (pixels of the stored image), in order of source_ref."""
        return images_with_boxes(self.images, self.labels)

    def some_with_boxes(self, places: Sequence[int]) -> Iterator[tuple[TreeImage, list[PixelBox]]]:
        """The same of some images, by their places in ``images``."""
        rows = rows_of(np.array(places, dtype=np.int64), self.images["boxes"].to_numpy(np.int64))
        return images_with_boxes(self.images.iloc[list(places)], self.labels.iloc[rows])


def images_with_boxes(
    images: pd.DataFrame, labels: pd.DataFrame
) -> Iterator[tuple[TreeImage, list[PixelBox]]]:
    """Each image of DATASET_IMAGES and its boxes of DATASET_LABELS, in the order of the images.

    Of all of them Python's own objects would be two kilobytes an image: they are made for some at a time.
    """
    places = places_of(labels["source_ref"], images["source_ref"])
    order = np.argsort(places, kind="stable")[np.count_nonzero(places < 0) :]
    counts = np.bincount(places[order], minlength=len(images))
    ends = np.cumsum(counts)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        own = counts[start : start + IMAGES_AT_ONCE].tolist()
        rows = order[ends[start] - own[0] : ends[start + len(own) - 1]]
        yield from _some_with_boxes(images.iloc[start : start + len(own)], labels.iloc[rows], own)


def _some_with_boxes(
    images: pd.DataFrame, labels: pd.DataFrame, counts: Sequence[int]
) -> Iterator[tuple[TreeImage, list[PixelBox]]]:
    boxes = map(PixelBox, *(labels[name].tolist() for name in PixelBox._fields))
    columns = ["source_ref", "file", "split", "width", "height", "orientation"]
    unknown = (tuple(map(int, classes)) for classes in images["unknown"])
    for count, classes, *values in zip(
        counts, unknown, *(images[name].tolist() for name in columns), strict=True
    ):
        image = TreeImage(**dict(zip(columns, values, strict=True)), unknown=classes)
        yield image, list(islice(boxes, count))


def lay_candidate(
    parent: Layers | None,
    *,
    images: pd.DataFrame,
    labels: pd.DataFrame,
    splits: pd.DataFrame,
    left_out: tuple[LeftOut, ...],
) -> LaidParts:
    """The parts of a candidate's tables: those of its parent, and what is new."""
    rows = table([msgspec.structs.asdict(one) for one in left_out], LEFT_OUT_IMAGES)
    return lay_parts(
        parent,
        images,
        labels[PART_LABELS.names],
        splits,
        rows.sort_values("source_ref", kind="stable").reset_index(drop=True),
    )


def write_candidate(storage: Storage, project: Project, candidate: Candidate) -> ObjectUri:
    """Leave a candidate for the next step of a release; returns its folder. Writing again changes nothing."""
    dataset = dataset_folder(project)
    folder = dataset.candidate(candidate.claim)
    for new in candidate.laid.new:
        storage.write(folder / dataset.part(new.table, new.part.sha256).name, new.data)
    storage.write(folder / "candidate.json", msgspec.json.encode(_facts(candidate)))
    return folder


def read_candidate(storage: Storage, folder: ObjectUri, reader: PartReader | None = None) -> Candidate:
    """The candidate that ``write_candidate`` left at this URI.

    :param reader: ``candidate_reader`` of this folder, to read another version's parts with, too.
    :raises StorageError: when there is none.
    :raises DatasetError: when one of its parts is gone, or was changed.
    """
    facts = decode_json(storage.read(folder / "candidate.json"), _Facts)
    reader = reader or candidate_reader(storage, folder)
    layers = read_layers(reader, facts.tables)
    images = layers.images.frame
    new = tuple(
        NewPart(table=name, part=part, data=reader.read_bytes(name, part)) for name, part in facts.new.items()
    )
    named = {name: getattr(facts, name) for name in facts.__struct_fields__ if name not in {"tables", "new"}}
    return Candidate(
        images=images,
        labels=labels_of(images, layers.boxes, facts.classes),
        splits=layers.splits.frame,
        left_out=left_out_of(layers.left_out.frame),
        laid=LaidParts(parts=facts.tables, new=new),
        **named,
    )


def left_out_of(frame: pd.DataFrame) -> tuple[LeftOut, ...]:
    """The rows of LEFT_OUT_IMAGES."""
    columns = (frame[name] for name in LEFT_OUT_IMAGES.names)
    rows = (dict(zip(LEFT_OUT_IMAGES.names, row, strict=True)) for row in zip(*columns, strict=True))
    return tuple(sorted(LeftOut(**row) for row in rows))


def candidate_reader(storage: Storage, folder: ObjectUri) -> PartReader:
    """Reads the parts of a candidate in this folder, and those of published versions."""
    dataset = DatasetFolder(ObjectUri(folder.bucket, folder.key.rstrip("/").rsplit("/", 2)[0]))
    return PartReader(storage, dataset, folder)


def _facts(candidate: Candidate) -> _Facts:
    parts = {"tables", "new"}
    named = {name: getattr(candidate, name) for name in _Facts.__struct_fields__ if name not in parts}
    return _Facts(
        tables=dict(candidate.laid.parts), new={new.table: new.part for new in candidate.laid.new}, **named
    )
