"""What earlier rounds did with each image, read from their files in S3: there is no database of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from roundtruth.annotations import (
    DISPUTED,
    FAILED,
    IMAGES,
    QUARANTINED,
    UNLABELED,
    from_parquet,
)
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import read_plan, read_planned_images
from roundtruth.storage import Storage

# These come back in the next round; whatever else a round took (labeled, negative, unreadable) is settled.
CARRIED_OVER = frozenset({DISPUTED, FAILED, QUARANTINED, UNLABELED})


@dataclass(frozen=True, kw_only=True)
class History:
    """Images by (source_ref, etag): a replaced image has another ETag and counts as a new one."""

    settled: frozenset[tuple[str, str]] = field(default=frozenset())  # done, or in a round that still runs
    carried_over: frozenset[tuple[str, str]] = field(default=frozenset())


def read_history(storage: Storage, project: Project, *, without: str | None = None) -> History:
    """Read what all other rounds planned and recorded.

    :param without: the key of the round that asks.
    """
    settled: set[tuple[str, str]] = set()
    carried: set[tuple[str, str]] = set()
    for key in storage.list_folders(rounds_folder(project)):
        if key == without:
            continue
        for identity, status in _round_images(storage, RoundFolder(rounds_folder(project) / key)):
            (carried if status in CARRIED_OVER else settled).add(identity)
    return History(settled=frozenset(settled), carried_over=frozenset(carried - settled))


def _round_images(storage: Storage, folder: RoundFolder) -> Iterator[tuple[tuple[str, str], str]]:
    if storage.head(folder.record) is not None:
        frame = from_parquet(storage.read(folder.images), IMAGES, name=str(folder.images))
    else:
        plan = read_plan(storage, folder)
        if plan is None:
            return  # nothing was planned: a crash before plan.json leaves no claim on an image
        frame = read_planned_images(storage, folder, plan).assign(status="running")
    yield from _identities(frame)


def _identities(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], str]]:
    identities = zip(frame["source_ref"], frame["etag"], strict=True)
    yield from zip(identities, frame["status"], strict=True)
