"""Publish a candidate as an immutable version: all files first, version.json last, then the pointer.

A version number belongs to the candidate whose digest stands in its claim.json, written first and only if
absent. So the same candidate goes on where a crash stopped it, and two publishers of the same candidate write
the same bytes; another candidate never writes into that folder, it takes the next number. A number that was
claimed and never published is a gap: nothing lists it, `roundtruth dataset` passes it over.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pandas as pd

from roundtruth import __version__
from roundtruth.annotations import from_parquet, table, to_parquet
from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.card import card_files, split_counts
from roundtruth.datasets.changes import Changes, compare
from roundtruth.datasets.contact_sheet import Shown, choose_images, thumbnail
from roundtruth.datasets.folder import (
    DatasetFolder,
    VersionFolder,
    dataset_folder,
    version_name,
    version_number,
)
from roundtruth.datasets.latest import move_latest
from roundtruth.datasets.report import Picture, report_html
from roundtruth.datasets.split_memory import SPLIT_MEMORY
from roundtruth.datasets.tables import DATASET_IMAGES, DATASET_LABELS, INDEX
from roundtruth.datasets.tree import TreeFile, TreeMaker
from roundtruth.datasets.version_writer import Progress, VersionWriter
from roundtruth.datasets.versions import (
    VersionRecord,
    encode_version,
    newest_version,
    read_version,
)
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """A published version; ``created`` tells whether this call published it."""

    version: str
    uri: ObjectUri
    record: VersionRecord
    created: bool


@dataclass(frozen=True, kw_only=True)
class _Parent:
    record: VersionRecord | None
    uri: ObjectUri
    images: pd.DataFrame
    labels: pd.DataFrame

    @property
    def copies(self) -> dict[tuple[str, str], str]:
        """(source_ref, etag) -> path in the parent, of the images that it holds itself."""
        if self.record is None or self.record.layout != "tree":
            return {}
        paths = "images/" + self.images["split"] + "/" + self.images["file"]
        identities = zip(self.images["source_ref"], self.images["etag"], strict=True)
        return dict(zip(identities, paths, strict=True))


def publish_version(
    storage: Storage, project: Project, candidate: Candidate, progress: Progress | None = None
) -> PublishedVersion:
    """Publish a candidate, or finish what an earlier call left unfinished.

    A candidate whose content is the newest version's is not published again; then nothing is written but the
    pointer, where it lags behind.

    :raises DatasetError: when another version was published since the candidate was assembled, or an image
        was replaced meanwhile: assemble again.
    """
    folder = dataset_folder(project)
    done = _published(storage, folder, candidate)
    if done is None:
        version = _claim(storage, folder, candidate)
        record = _write_files(storage, candidate, folder, version, progress)
        done = _conclude(storage, folder, version, candidate, record)
    move_latest(storage, folder, done.version)
    return done


def _published(storage: Storage, folder: DatasetFolder, candidate: Candidate) -> PublishedVersion | None:
    newest = newest_version(storage, folder)
    if newest is not None and newest.spec_digest == candidate.digest:
        uri = folder.version(newest.version).uri
        return PublishedVersion(version=newest.version, uri=uri, record=newest, created=False)
    if (newest.version if newest else None) != candidate.parent:
        raise DatasetError(
            f"Dataset {folder.name!r} is at {newest.version if newest else 'no version'} and the candidate "
            f"was assembled on {candidate.parent or 'no version'}; assemble it again."
        )
    return None


def _claim(storage: Storage, folder: DatasetFolder, candidate: Candidate) -> VersionFolder:
    """The first number after the parent's that is free or already this candidate's."""
    claim = msgspec.json.encode({"candidate": candidate.claim}) + b"\n"
    number = version_number(candidate.parent) + 1 if candidate.parent else 1
    while True:
        version = folder.version(version_name(number))
        if storage.write_if_absent(version.claim, claim) or storage.read(version.claim) == claim:
            return version
        number += 1


def _conclude(
    storage: Storage,
    folder: DatasetFolder,
    version: VersionFolder,
    candidate: Candidate,
    record: VersionRecord,
) -> PublishedVersion:
    """Write version.json, unless a version was published in the meantime."""
    done = _published(storage, folder, candidate)
    if done is not None:
        return done
    created = storage.write_if_absent(version.record, encode_version(record))
    if not created and read_version(storage, version) != record:
        raise DatasetError(f"{version.record} was published by someone else; assemble the dataset again.")
    return PublishedVersion(version=version.name, uri=version.uri, record=record, created=created)


def _write_files(
    storage: Storage,
    candidate: Candidate,
    folder: DatasetFolder,
    version: VersionFolder,
    progress: Progress | None,
) -> VersionRecord:
    parent = _read_parent(storage, folder, candidate)
    writer = VersionWriter(storage, version, candidate, progress)
    writer.write(_tables(candidate))
    maker = TreeMaker(candidate.classes, candidate.formats)
    if candidate.layout == "tree":
        writer.write(_label_files(maker, candidate))
        writer.write(maker.split_files())
        writer.copy_images(parent.copies, parent.uri)
    else:
        writer.mention(_label_files(maker, candidate))
        writer.mention(maker.split_files())
        writer.mention_images()
    writer.write(maker.data_yaml())
    writer.write(_descriptions(storage, candidate, version, parent))
    index = to_parquet(table(writer.rows, INDEX), INDEX)
    storage.write(version.index, index)
    return msgspec.structs.replace(
        _record(candidate, version),
        index_sha256=hashlib.sha256(index).hexdigest(),
        files=len(writer.rows),
        bytes=sum(int(str(row["size"])) for row in writer.rows),
    )


def _read_parent(storage: Storage, folder: DatasetFolder, candidate: Candidate) -> _Parent:
    if candidate.parent is None:
        return _Parent(
            record=None, uri=folder.uri, images=table([], DATASET_IMAGES), labels=table([], DATASET_LABELS)
        )
    version = folder.version(candidate.parent)
    return _Parent(
        record=read_version(storage, version),
        uri=version.uri,
        images=from_parquet(storage.read(version.images), DATASET_IMAGES, name=str(version.images)),
        labels=from_parquet(storage.read(version.labels), DATASET_LABELS, name=str(version.labels)),
    )


def _tables(candidate: Candidate) -> Iterator[TreeFile]:
    yield TreeFile(path="images.parquet", data=to_parquet(candidate.images, DATASET_IMAGES))
    yield TreeFile(path="labels.parquet", data=to_parquet(candidate.labels, DATASET_LABELS))
    yield TreeFile(path="splits.parquet", data=to_parquet(candidate.splits, SPLIT_MEMORY))


def _label_files(maker: TreeMaker, candidate: Candidate) -> Iterator[TreeFile]:
    for image, boxes in candidate.images_with_boxes():
        yield from maker.image_files(image, boxes)


def _descriptions(
    storage: Storage, candidate: Candidate, version: VersionFolder, parent: _Parent
) -> Iterator[TreeFile]:
    changes, record = _changes(candidate, parent), _record(candidate, version)
    for path, data in card_files(candidate, record, changes).items():
        yield TreeFile(path=path, data=data)
    pictures = _pictures(storage, candidate, version)
    yield TreeFile(path="report.html", data=report_html(candidate, record, changes, pictures))
    yield TreeFile(path="changes.json", data=changes.to_json())
    yield TreeFile(path="left_out.csv", data=_left_out(candidate))


def _pictures(storage: Storage, candidate: Candidate, version: VersionFolder) -> list[Picture]:
    """The contact sheet, from the version's own copies where it has them: nobody changes those meanwhile."""
    copied = candidate.layout == "tree"

    def look(shown: Shown) -> Picture:
        uri = version.uri / shown.image.path if copied else ObjectUri.parse(shown.image.source_ref)
        content = storage.read_if_there(uri)
        usable = content is not None and (copied or content.etag == shown.etag)
        return shown, thumbnail(content.data, shown) if content is not None and usable else None

    return list(storage.run_many(look, choose_images(candidate)))


def _changes(candidate: Candidate, parent: _Parent) -> Changes:
    known = set(parent.record.classes) if parent.record else set()
    return compare(
        (parent.images, parent.labels),
        (candidate.images, candidate.labels),
        parent=candidate.parent,
        classes_added=tuple(name for name in candidate.classes if name not in known),
    )


def _left_out(candidate: Candidate) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["source_ref", "reason"])
    writer.writerows([one.source_ref, one.reason] for one in candidate.left_out)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _record(candidate: Candidate, version: VersionFolder) -> VersionRecord:
    """What version.json says, but for the index, which is made last."""
    splits = split_counts(candidate)
    return VersionRecord(
        dataset=candidate.dataset,
        version=version.name,
        parent=candidate.parent,
        project=candidate.project,
        rounds=candidate.rounds,
        roundtruth=__version__,
        layout=candidate.layout,
        formats=candidate.formats,
        classes=candidate.classes,
        images=len(candidate.images),
        boxes=len(candidate.labels),
        negatives=sum(counts.negatives for counts in splits.values()),
        partial=sum(1 for classes in candidate.images["unknown"] if len(classes)),
        splits=splits,
        left_out=dict(sorted(Counter(one.reason for one in candidate.left_out).items())),
        repairs=msgspec.structs.asdict(candidate.repairs),
        torn_groups=candidate.torn_groups,
        spec_digest=candidate.digest,
        index_sha256="",
        files=0,
        bytes=0,
    )
