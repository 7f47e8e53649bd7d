"""A candidate: everything that the next version of a dataset would hold, before anything is published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
import pandas as pd

from roundtruth import __version__
from roundtruth.annotations import from_parquet, table, to_parquet
from roundtruth.datasets.boxes import PixelBox
from roundtruth.datasets.folder import dataset_folder
from roundtruth.datasets.split_memory import SPLIT_MEMORY
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS
from roundtruth.datasets.tree import TreeImage
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An image with publishable labels that is not in the version, and why."""

    reason: str
    source_ref: str


class BoxRepairs(msgspec.Struct, frozen=True, kw_only=True):
    """How many boxes were changed or left out, see boxes.clean_boxes; and of classes no longer listed."""

    clipped: int = 0
    outside: int = 0
    duplicates: int = 0
    retired: int = 0


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    project: str
    dataset: str
    layout: str
    formats: tuple[str, ...]
    classes: tuple[str, ...]
    rounds: tuple[str, ...]
    parent: str | None
    left_out: tuple[LeftOut, ...]
    repairs: BoxRepairs
    torn_groups: int = 0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What a version would hold; ``images`` is DATASET_IMAGES, ``labels`` DATASET_LABELS, both sorted.

    ``classes`` are the names of the class registry in order of their ids, ``rounds`` all recorded rounds,
    ``parent`` the newest version when the candidate was assembled. ``splits`` is SPLIT_MEMORY,
    ``torn_groups`` the groups that lay in several splits before anybody called them groups.
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
    left_out: tuple[LeftOut, ...] = ()
    repairs: BoxRepairs = field(default_factory=BoxRepairs)
    torn_groups: int = 0
    splits: pd.DataFrame = field(default_factory=lambda: table([], SPLIT_MEMORY))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what trainers get: a version with the same digest need not be published again."""
        header = [self.dataset, self.layout, self.formats, self.classes]
        return _sha256(header, _rows(self.images), _rows(self.labels))

    @cached_property
    def claim(self) -> str:
        """SHA-256 of everything that decides the version's bytes; it holds a version number for itself."""
        return _sha256(self.digest, _facts(self), _rows(self.splits), __version__)

    def images_with_boxes(self) -> Iterator[tuple[TreeImage, list[PixelBox]]]:
        """Each image and its boxes (pixels of the stored image), in order of source_ref."""
        return images_with_boxes(self.images, self.labels)


def images_with_boxes(
    images: pd.DataFrame, labels: pd.DataFrame
) -> Iterator[tuple[TreeImage, list[PixelBox]]]:
    """Each image of DATASET_IMAGES and its boxes of DATASET_LABELS, in the order of the images."""
    boxes: dict[str, list[PixelBox]] = {}
    edges = ["class_id", "left", "top", "width", "height"]
    for source_ref, *box in zip(
        labels["source_ref"], *(labels[name].tolist() for name in edges), strict=True
    ):
        boxes.setdefault(source_ref, []).append(PixelBox(*box))
    columns = ["source_ref", "file", "split", "width", "height", "orientation"]
    for values in zip(*(images[name].tolist() for name in columns), strict=True):
        image = TreeImage(**dict(zip(columns, values, strict=True)))
        yield image, boxes.get(image.source_ref, [])


def write_candidate(storage: Storage, project: Project, candidate: Candidate) -> ObjectUri:
    """Leave a candidate for the next step of a release; returns its folder. Writing again changes nothing."""
    folder = dataset_folder(project).candidate(candidate.claim)
    storage.write(folder / "images.parquet", to_parquet(candidate.images, DATASET_IMAGES))
    storage.write(folder / "labels.parquet", to_parquet(candidate.labels, DATASET_LABELS))
    storage.write(folder / "splits.parquet", to_parquet(candidate.splits, SPLIT_MEMORY))
    storage.write(folder / "candidate.json", msgspec.json.encode(_facts(candidate)))
    return folder


def read_candidate(storage: Storage, folder: ObjectUri) -> Candidate:
    """The candidate that ``write_candidate`` left at this URI.

    :raises StorageError: when there is none.
    """
    facts = msgspec.json.decode(storage.read(folder / "candidate.json"), type=_Facts)
    images = from_parquet(storage.read(folder / "images.parquet"), DATASET_IMAGES, name="images.parquet")
    labels = from_parquet(storage.read(folder / "labels.parquet"), DATASET_LABELS, name="labels.parquet")
    splits = from_parquet(storage.read(folder / "splits.parquet"), SPLIT_MEMORY, name="splits.parquet")
    return Candidate(images=images, labels=labels, splits=splits, **msgspec.structs.asdict(facts))


def _facts(candidate: Candidate) -> _Facts:
    return _Facts(**{name: getattr(candidate, name) for name in _Facts.__struct_fields__})


def _rows(frame: pd.DataFrame) -> list[Sequence[object]]:
    """The values row by row, in a form that does not depend on the version of a library."""
    columns = [frame[name].tolist() for name in frame.columns]
    return [[None if value is pd.NA else value for value in row] for row in zip(*columns, strict=True)]


def _sha256(*parts: object) -> str:
    # Lists come back from Parquet as numpy arrays; not-a-number is encoded as null.
    encoder = msgspec.json.Encoder(enc_hook=lambda value: value.tolist())
    digest = hashlib.sha256()
    for part in parts:
        digest.update(encoder.encode(part))
        digest.update(b"\n")
    return digest.hexdigest()
