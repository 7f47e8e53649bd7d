"""One version: what it holds, how its boxes lie, its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from roundtruth.datasets.card import box_areas, boxes_an_image, warnings
from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.heat_maps import Counts, box_maps
from roundtruth.datasets.latest import read_latest
from roundtruth.datasets.versions import VersionRecord
from roundtruth.overviews.dataset_page import State, state_of
from roundtruth.overviews.etag_cache import EtagCache
from roundtruth.overviews.published_versions import Published, read_version_rows, require_published


@dataclass(frozen=True, kw_only=True)
class VersionOverview:
    """What the page of a version shows; maps as heat_maps.box_maps gives them."""

    published: Published
    state: State
    current: str | None  # what `latest` means
    warnings: tuple[str, ...]
    classes: Mapping[str, tuple[int, ...]]  # class -> boxes in each of ``splits``, by id
    splits: Mapping[str, tuple[int, int]]  # split -> images with boxes, and negatives
    places: Counts
    sizes: Counts
    boxes_an_image: Mapping[str, int]
    box_areas: Mapping[str, int]
    card: str  # README.md; empty where it is gone

    @property
    def record(self) -> VersionRecord:
        """Its version.json."""
        return self.published.record


def read_version_page(cache: EtagCache, dataset: DatasetFolder, version: str) -> VersionOverview:
    """Read what a version's page shows.

    :raises DatasetError: when it is not published, or a table of it is not what was published.
    """
    published = require_published(cache, dataset, version)
    record = published.record
    pointer = read_latest(cache.storage, dataset)
    rows = read_version_rows(cache, dataset, record)
    places, sizes = box_maps(rows.images, rows.labels)
    splits = {name: (one.images - one.negatives, one.negatives) for name, one in record.splits.items()}
    return VersionOverview(
        published=published,
        state=state_of(version, pointer),
        current=pointer.version if pointer else None,
        warnings=tuple(warnings(record)),
        classes={
            name: tuple(one.boxes_by_class[class_id] for one in record.splits.values())
            for class_id, name in enumerate(record.classes)
        },
        splits=splits,
        places=places,
        sizes=sizes,
        boxes_an_image={name: count for name, (count,) in boxes_an_image(rows.images).items()},
        box_areas={name: count for name, (count,) in box_areas(rows.images, rows.labels).items()},
        card=_card(cache, dataset, version),
    )


def pull_command(record: VersionRecord, root: str) -> str:
    """The command that fetches a version to a training machine."""
    return f"roundtruth dataset pull {record.dataset}@{record.version} --root {root} --out {record.dataset}"


def _card(cache: EtagCache, dataset: DatasetFolder, version: str) -> str:
    uri = dataset.version(version).uri / "README.md"
    return cache.read(uri, lambda data: data.decode("utf-8", "replace"), kind="card", immutable=True) or ""
