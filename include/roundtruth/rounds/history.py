"""What earlier rounds did with each image, read from their files in S3: there is no database of our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
from roundtruth.rounds.attempts import current_attempt
from roundtruth.rounds.folder import RoundFolder, rounds_folder
from roundtruth.rounds.planned import read_left_out, read_plan, read_planned_images
from roundtruth.rounds.record import read_record, read_recorded
from roundtruth.rounds.sent_back import Identity, SentBack, read_sent_back, waiting_again, withdrawn
from roundtruth.storage import Storage

# These come back in the next round; whatever else a round took (labeled, negative, unreadable) is settled.
CARRIED_OVER = frozenset({DISPUTED, FAILED, QUARANTINED, UNLABELED})


@dataclass(frozen=True, kw_only=True)
class History:
    """Images by (source_ref, etag): a replaced image has another ETag and counts as a new one."""

    settled: frozenset[tuple[str, str]] = field(default=frozenset())  # done, or in a round that still runs
    carried_over: frozenset[tuple[str, str]] = field(default=frozenset())
    waiting: frozenset[tuple[str, str]] = field(default=frozenset())  # cut off by max_images, in no round yet
    # By the draw (Selection.drawn_by): images that lost it; another draw may take them.
    lost_draws: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)


def read_history(storage: Storage, project: Project, *, without: str | None = None) -> History:
    """Read what all other rounds planned and recorded.

    :param without: the key of the round that asks.
    """
    settled: set[tuple[str, str]] = set()
    waiting: set[tuple[str, str]] = set()
    lost: dict[str, set[tuple[str, str]]] = {}
    carried: set[tuple[str, str]] = set()
    sent = read_sent_back(storage, project)
    attempts = _newest_attempts(storage, project, sent)
    gone = withdrawn(sent, attempts)
    holders: dict[Identity, list[tuple[str, int]]] = {identity: [] for one in sent for identity in one.images}
    for key in storage.list_folders(rounds_folder(project)):
        if key == without:
            continue
        folder = RoundFolder(rounds_folder(project) / key)
        drawn_by, left_out = read_left_out(storage, folder)
        for source_ref, etag, lost_draw in left_out.itertuples(index=False, name=None):
            (lost.setdefault(drawn_by, set()) if lost_draw else waiting).add((source_ref, etag))
        for identity, status in _round_images(storage, folder):
            if status in CARRIED_OVER:
                carried.add(identity)
            elif (key, *identity) not in gone:  # a label that a person sent back settles nothing
                settled.add(identity)
            if identity in holders:
                holders[identity].append((key, attempts.get(key, 1)))
    carried |= waiting_again(sent, holders)
    return History(
        settled=frozenset(settled),
        carried_over=frozenset(carried - settled),
        waiting=frozenset(waiting - settled - carried),
        lost_draws={drawn_by: frozenset(images) for drawn_by, images in lost.items()},
    )


def _newest_attempts(storage: Storage, project: Project, sent: Iterable[SentBack]) -> dict[str, int]:
    """The newest attempt, recorded or under way, at each round of which images were sent back."""
    keys = sorted({key for one in sent for key in one.rounds})
    return {key: current_attempt(storage, RoundFolder(rounds_folder(project) / key)).attempt for key in keys}


def _round_images(storage: Storage, folder: RoundFolder) -> Iterator[tuple[tuple[str, str], str]]:
    if storage.head(folder.record) is not None:
        recorded = read_recorded(storage, folder, folder.images.name)
        frame = from_parquet(recorded, IMAGES, name=str(folder.images))
        attempt = current_attempt(storage, folder).attempt
        if attempt > 1 and (record := read_record(storage, folder)) and attempt > record.attempt:
            frame = frame.assign(status="running")  # all its images are being labeled over again
    else:
        plan = read_plan(storage, folder)
        if plan is None:
            return  # nothing was planned: a crash before plan.json leaves no claim on an image
        frame = read_planned_images(storage, folder, plan).assign(status="running")
    yield from _identities(frame)


def _identities(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], str]]:
    identities = zip(frame["source_ref"], frame["etag"], strict=True)
    yield from zip(identities, frame["status"], strict=True)
