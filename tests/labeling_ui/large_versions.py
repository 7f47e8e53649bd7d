"""A dataset with hundreds of versions and many images, of synthetic tables: what the pages must read fast."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd

from roundtruth.datasets.folder import dataset_folder, version_name
from roundtruth.datasets.parts import IMAGES, LABELS, NewPart, encode_part, write_parts
from roundtruth.datasets.tables import PART_LABELS, REMOVED, VERSION_IMAGES
from roundtruth.datasets.versions import SplitCounts, VersionRecord, encode_version
from roundtruth.project import Project
from roundtruth.storage import Storage

SPLITS = ("train", "val", "test")
CLASSES = tuple(f"class {number}" for number in range(20))
RELABELED_EVERY = 400  # every so many-th image has other boxes in the newest version
NEW_IMAGES = 500  # of the newest version


def put_versions(storage: Storage, project: Project, *, versions: int = 300, images: int = 80_000) -> None:
    """Put the records of all versions, and latest.json; the newest holds ``images`` with 2.5 boxes each.

    v0001 has a tenth of the images, those between the tables of the last but one.
    """
    folder = dataset_folder(project)
    sizes = {1: images // 10, versions - 1: max(images - NEW_IMAGES, 1), versions: images}
    tables = {number: _parts(count, salt=number == versions) for number, count in sizes.items()}
    for parts in tables.values():
        write_parts(storage, folder, parts)
    for number in range(1, versions + 1):
        held = number if number in sizes else versions - 1
        record = _record(project, number, sizes[held], tables[held])
        storage.write(folder.version(record.version).record, encode_version(record))
    storage.write(folder.latest, json.dumps({"version": version_name(versions)}).encode())


def _parts(images: int, *, salt: bool) -> list[NewPart]:
    random = np.random.default_rng(1)
    numbers = np.arange(images)
    counts = random.integers(0, 6, images)
    frame = pd.DataFrame(
        {
            "source_ref": [
                f"s3://photos/line-{one % 7}/2026/camera-{one % 13}/{one:07d}.jpg" for one in numbers
            ],
            "etag": [hashlib.md5(str(one).encode()).hexdigest() for one in numbers],
            "bytes": 100_000,
            "width": 1920,
            "height": 1080,
            "orientation": 1,
            "split": [SPLITS[one % 10 // 8 + one % 10 // 9] for one in numbers],
            "file": [f"{one:07d}.jpg" for one in numbers],
            "round": "2026-01-05",
            "unknown": [[]] * images,
            "boxes": counts,
            **dict.fromkeys(("clipped", "outside", "duplicates", "retired"), 0),
            "digest": [_digest(one, salt and one % RELABELED_EVERY == 0) for one in numbers],
            "removed": False,
        }
    )
    order = frame["source_ref"].argsort()
    boxes = int(counts.sum())
    labels = pd.DataFrame(
        {
            "class_id": random.integers(0, len(CLASSES), boxes),
            "left": random.random(boxes) * 1000 + salt,
            "top": random.random(boxes) * 500,
            "width": 50 + random.random(boxes) * 300,
            "height": 50 + random.random(boxes) * 300,
            "score": 0.9,
            "votes": 3,
            "answers": 3,
            "job": "a-job",
        }
    )
    return [
        encode_part(IMAGES, frame.iloc[order.to_numpy()], VERSION_IMAGES.append(REMOVED)),
        encode_part(LABELS, labels, PART_LABELS),
    ]


def _record(project: Project, number: int, images: int, parts: list[NewPart]) -> VersionRecord:
    of_images, of_labels = (new.part for new in parts)
    by_class = np.full(len(CLASSES), of_labels.rows // len(CLASSES))
    by_class[0] += of_labels.rows - by_class.sum()
    return VersionRecord(
        dataset=project.dataset.name,
        version=version_name(number),
        parent=version_name(number - 1) if number > 1 else None,
        project=project.project,
        rounds=tuple(f"round-{one:04d}" for one in range(1, number + 1)),
        roundtruth="0",
        layout="packed",
        formats=("yolo",),
        classes=CLASSES,
        images=images,
        boxes=of_labels.rows,
        negatives=0,
        partial=0,
        splits={
            "train": SplitCounts(
                images=images, negatives=0, boxes=of_labels.rows, boxes_by_class=tuple(by_class.tolist())
            )
        },
        left_out={},
        repairs={},
        spec_digest=f"{number}",
        index_sha256="",
        files=images,
        bytes=images * 100_000,
        tables={IMAGES: (of_images,), LABELS: (of_labels,)},
    )


def _digest(number: int, other: bool) -> str:
    return hashlib.sha256(f"{number} {other}".encode()).hexdigest()
