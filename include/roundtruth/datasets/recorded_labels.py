"""What recorded rounds say of images: of several rounds about one image, the newest publishable labels."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from roundtruth.annotations import IMAGES, LABELS, PUBLISHABLE, from_parquet, table
from roundtruth.datasets.table_rows import places_of
from roundtruth.datasets.text_categories import stacked
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.rounds.folder import RoundFolder, rounds_folder, rounds_in_order
from roundtruth.rounds.record import RoundRecord, read_recorded
from roundtruth.rounds.sent_back import read_sent_back, withdrawn
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json

_TEXTS = ("source_ref", "category", "job")  # of LABELS: each many times over


@dataclass(frozen=True, kw_only=True)
class RecordedRounds:
    """The recorded rounds of a project, oldest first, and the SHA-256 of each round.json.

    ``withdrawn`` are labels that a person sent back, by (round, source_ref, etag).
    """

    records: Mapping[str, RoundRecord]
    digests: Mapping[str, str]
    withdrawn: frozenset[tuple[str, str, str]]


@dataclass(frozen=True, kw_only=True)
class RecordedLabels:
    """IMAGES sorted by source_ref, with ``round``, and the LABELS of those rounds about them.

    Texts of labels are categories. ``sent_back`` are images whose only labels a person has sent back, sorted.
    """

    images: pd.DataFrame
    labels: pd.DataFrame
    sent_back: tuple[str, ...]


def read_rounds(storage: Storage, project: Project) -> RecordedRounds:
    """The rounds that are done; those that still run are passed over."""
    records, digests = {}, {}
    folders = rounds_in_order(storage, project)
    for folder, content in storage.run_many(lambda one: (one, storage.read_if_there(one.record)), folders):
        if content is not None:
            records[folder.key] = decode_json(content.data, RoundRecord)
            digests[folder.key] = hashlib.sha256(content.data).hexdigest()
    attempts = {key: record.attempt for key, record in records.items()}
    gone = withdrawn(read_sent_back(storage, project), attempts)
    return RecordedRounds(records=records, digests=digests, withdrawn=gone)


def read_labels(
    storage: Storage, project: Project, rounds: RecordedRounds, keys: Collection[str]
) -> RecordedLabels:
    """The newest publishable labels of each image in some rounds.

    :raises DatasetError: when a file of a round is not what round.json says.
    """
    ordered = [key for key in rounds.records if key in keys]
    folders = {key: RoundFolder(rounds_folder(project) / key) for key in ordered}
    images = [table([], IMAGES).assign(round="")]
    for key in ordered:
        found = _read_table(storage, folders[key], rounds, IMAGES)
        images.append(found[found["status"].isin(PUBLISHABLE)].assign(round=key))
    publishable = pd.concat(images, ignore_index=True)
    identities = zip(publishable["round"], publishable["source_ref"], publishable["etag"], strict=True)
    counts = np.array([one not in rounds.withdrawn for one in identities], dtype=bool)
    sent_back = set(publishable.loc[~counts, "source_ref"])
    publishable = publishable[counts]
    newest = publishable.drop_duplicates("source_ref", keep="last").sort_values("source_ref", kind="stable")
    labels = []
    for key in ordered:
        # Read one round after the other: the boxes of images that a later round labeled again are let go.
        found = _read_table(storage, folders[key], rounds, LABELS)
        of_round = newest.loc[newest["round"] == key, "source_ref"]
        counts = places_of(found["source_ref"], of_round) >= 0
        labels.append(found if counts.all() else found[counts])
    return RecordedLabels(
        images=newest.reset_index(drop=True),
        labels=stacked(labels, LABELS, _TEXTS),
        sent_back=tuple(sorted(sent_back - set(newest["source_ref"]))) if sent_back else (),
    )


def _read_table(
    storage: Storage, folder: RoundFolder, rounds: RecordedRounds, schema: pa.Schema
) -> pd.DataFrame:
    """As it was recorded: a rebuild that is under way, or failed its checks, has replaced what is beside."""
    uri = folder.images if schema is IMAGES else folder.labels
    data = read_recorded(storage, folder, uri.name, digest=rounds.digests[folder.key])
    digest = hashlib.sha256(data).hexdigest()
    if digest != rounds.records[folder.key].files.get(uri.name):
        raise DatasetError(
            f"{folder.uri}: {uri.name} is not what {folder.record} says (digest {digest[:12]}…): it was "
            "changed after the round was recorded; run the round's last steps again."
        )
    return from_parquet(data, schema, name=str(uri), categories=_TEXTS if schema is LABELS else ())
