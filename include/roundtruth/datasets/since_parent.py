"""What happened since the parent version was assembled: which of its rows stand, which rounds are new.

A version that differs little from its parent need not be assembled from all rounds again. It is where there
is any doubt: whatever this module cannot show to be as it was makes the answer None. Both ways give the same
candidate to the last byte (test_since_parent.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth import __version__
from roundtruth.datasets.candidate import GONE, SENT_BACK, LeftOut, left_out_of
from roundtruth.datasets.recorded_labels import RecordedRounds
from roundtruth.datasets.table_rows import places_of
from roundtruth.datasets.tree import TREE_FORMAT
from roundtruth.datasets.version_tables import VersionTables
from roundtruth.project import Project


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a new version takes over of its parent: images, by their places there, with their boxes."""

    places: NDArray[np.int64]
    left_out: tuple[LeftOut, ...]


def settings_digest(project: Project, rounds: RecordedRounds) -> str:
    """SHA-256 of what decides what a version holds beside rounds and images: settings, labels sent back."""
    decides = {"project", "root", "images", "categories", "aliases", "dataset", "quality"}
    settings = project.model_dump_json(include=decides).encode()
    withdrawn = msgspec.json.encode(sorted(rounds.withdrawn))
    return hashlib.sha256(settings + b"\n" + withdrawn).hexdigest()


def rounds_since(
    parent: VersionTables | None, rounds: RecordedRounds, project: Project
) -> frozenset[str] | None:
    """The rounds that were recorded since; None when the version has to be assembled from all rounds.

    That is so after a change of the project's settings or of the code, after labels were sent back, when a
    round was recorded again, taken away, or recorded late: newer labels of its images may be in the parent.
    """
    if parent is None or parent.layers is None:
        return None
    record = parent.record
    as_it_was = (record.roundtruth, record.tree_format, record.settings_digest) == (
        __version__,
        TREE_FORMAT,
        settings_digest(project, rounds),
    )
    known = tuple(rounds.records)[: len(record.rounds)]
    unchanged = {key: rounds.digests[key] for key in known} == record.round_digests
    if not as_it_was or known != record.rounds or not unchanged:
        return None
    return frozenset(rounds.records) - frozenset(known)


def standing_rows(
    parent: VersionTables, labeled_again: pd.Series, current: Mapping[str, str], copied: frozenset[str]
) -> Standing | None:
    """What the parent's rows are now that images were labeled again, replaced and deleted.

    :param labeled_again: source_refs of images that a new round has publishable labels for.
    :param current: source_ref -> the ETag that it has now; deleted images are missing.
    :param copied: source_refs of the images that the parent holds itself, whatever becomes of their source.
    :returns: None when an image came back that the parent left out: its labels are in an older round.
    """
    left_out = []
    again = set(labeled_again.tolist())
    for one in left_out_of(parent.left_out):
        if one.source_ref in again:
            continue
        as_it_was = one.reason == SENT_BACK or current.get(one.source_ref) == one.etag
        if as_it_was and one.reason == GONE:
            return None
        left_out.append(one if as_it_was else LeftOut(source_ref=one.source_ref, reason=GONE, etag=one.etag))
    stay = np.flatnonzero(places_of(parent.images["source_ref"], labeled_again) < 0)
    images = parent.images[["source_ref", "etag"]].take(stay)
    # Lists: pandas hands out the strings of a column one by one twenty times slower.
    identities = zip(images["source_ref"].tolist(), images["etag"].tolist(), strict=True)
    there = np.array([ref in copied or current.get(ref) == etag for ref, etag in identities], dtype=bool)
    gone = images[~there]
    left_out += [
        LeftOut(source_ref=ref, reason=GONE, etag=etag)
        for ref, etag in zip(gone["source_ref"], gone["etag"], strict=True)
    ]
    return Standing(places=stay[there], left_out=tuple(left_out))
