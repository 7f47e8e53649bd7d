"""Publish a candidate as an immutable version: all files first, version.json last, then the pointer.

One version follows a parent, whichever of two releases is there first (succession.py); the other one has to
be assembled on it.

A version number belongs to the candidate whose digest stands in its claim.json, written first and only if
absent. So the same candidate goes on where a crash stopped it, and two publishers of the same candidate write
the same bytes; another candidate never writes into that folder, it takes the next number. A number that was
claimed and never published is a gap: nothing lists it, `roundtruth dataset` passes it over.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pandas as pd

from roundtruth import __version__
from roundtruth.annotations import table
from roundtruth.datasets.candidate import Candidate
from roundtruth.datasets.card import card_files, split_counts
from roundtruth.datasets.contact_sheet import Shown, choose_images, thumbnail
from roundtruth.datasets.diff import VersionDiff, compare
from roundtruth.datasets.folder import (
    DatasetFolder,
    VersionFolder,
    dataset_folder,
    version_name,
    version_number,
)
from roundtruth.datasets.latest import move_latest
from roundtruth.datasets.parts import write_parts
from roundtruth.datasets.report import Picture, report_html
from roundtruth.datasets.succession import decide, newest_decided
from roundtruth.datasets.tables import LEFT_OUT_IMAGES
from roundtruth.datasets.tree import TREE_FORMAT, TreeFile, TreeMaker, image_path, label_file_count
from roundtruth.datasets.version_index import TABLE_FILES, label_files, table_files
from roundtruth.datasets.version_tables import VersionTables, read_tables
from roundtruth.datasets.version_writer import Progress, VersionWriter
from roundtruth.datasets.versions import (
    VersionRecord,
    read_version,
)
from roundtruth.errors import DatasetError, StaleCandidateError
from roundtruth.project import Project
from roundtruth.storage import ObjectUri, Storage


@dataclass(frozen=True, kw_only=True)
class PublishedVersion:
    """A published version; ``created`` tells whether this call published it."""

    version: str
    uri: ObjectUri
    record: VersionRecord
    created: bool


def publish_version(
    storage: Storage, project: Project, candidate: Candidate, progress: Progress | None = None
) -> PublishedVersion:
    """Publish a candidate, or finish what an earlier call left unfinished.

    A candidate whose content is the newest version's is not published again; then nothing is written but the
    pointer, where it lags behind.

    :raises StaleCandidateError: when another version was published since the candidate was assembled.
    :raises DatasetError: when an image was replaced meanwhile: assemble again.
    """
    folder = dataset_folder(project)
    done = _published(storage, folder, candidate)
    if done is None:
        version = _claim(storage, folder, candidate)
        record = _write_files(storage, candidate, folder, version, progress)
        done = _conclude(storage, folder, version, candidate, record)
    move_latest(storage, folder, done.version)
    return done


def record_of(candidate: Candidate, version: str) -> VersionRecord:
    """What version.json says of a candidate as that version, but for the index, which is made last."""
    splits = split_counts(candidate)
    return VersionRecord(
        dataset=candidate.dataset,
        version=version,
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
        partial=candidate.partial,
        splits=splits,
        left_out=dict(sorted(Counter(one.reason for one in candidate.left_out).items())),
        repairs=msgspec.structs.asdict(candidate.repairs),
        torn_groups=candidate.torn_groups,
        tables=dict(candidate.laid.parts),
        tree_format=TREE_FORMAT,
        round_digests=dict(candidate.round_digests),
        settings_digest=candidate.settings_digest,
        spec_digest=candidate.digest,
        index_sha256="",
        files=0,
        bytes=0,
    )


def _published(storage: Storage, folder: DatasetFolder, candidate: Candidate) -> PublishedVersion | None:
    newest = newest_decided(storage, folder)
    if newest is not None and _content_digest(storage, folder, newest) == candidate.digest:
        uri = folder.version(newest.version).uri
        return PublishedVersion(version=newest.version, uri=uri, record=newest, created=False)
    if (newest.version if newest else None) != candidate.parent:
        raise StaleCandidateError(
            f"Dataset {folder.name!r} is at {newest.version if newest else 'no version'} and the candidate "
            f"was assembled on {candidate.parent or 'no version'}: another release was there first; assemble "
            "it again (in Airflow: clear assemble_version)."
        )
    return None


def _content_digest(storage: Storage, folder: DatasetFolder, record: VersionRecord) -> str:
    # Before tables had parts, another digest stood in version.json.
    return record.spec_digest if record.tables else read_tables(storage, folder, record).content_digest


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
    """Publish the version whose files are there, unless another one was published in the meantime."""
    done = _published(storage, folder, candidate)
    if done is not None:
        return done
    if decide(storage, folder, record):
        return PublishedVersion(version=version.name, uri=version.uri, record=record, created=True)
    done = _published(storage, folder, candidate)
    if done is None:
        raise DatasetError(
            f"{folder.successor(candidate.parent)} names a version whose files were deleted; delete this "
            "file too, and publish again."
        )
    return done


def _write_files(
    storage: Storage,
    candidate: Candidate,
    folder: DatasetFolder,
    version: VersionFolder,
    progress: Progress | None,
) -> VersionRecord:
    parent = _read_parent(storage, folder, candidate)
    writer = VersionWriter(storage, version, candidate, progress)
    write_parts(storage, folder, candidate.laid.new)
    record = record_of(candidate, version.name)
    maker = TreeMaker(candidate.classes, candidate.formats)
    if candidate.layout == "tree":
        writer.write(label_files(candidate.images, candidate.labels, record))
        writer.write(table_files(candidate.images, candidate.labels, _left_out(candidate)))
        writer.copy_images(_copies(parent), parent.folder.uri if parent else folder.uri)
    writer.write(maker.data_yaml(record.splits, candidate.unknown))
    changes = compare(parent, record, candidate.images, candidate.labels)
    writer.write(_descriptions(candidate, record, changes))
    pictures = _pictures(storage, candidate, version)
    report = report_html(candidate, record, changes, pictures)
    writer.write_first(TreeFile(path="report.html", data=report))
    index = writer.write_index()
    return _with_index(record, candidate, index, writer.rows)


def _with_index(
    record: VersionRecord, candidate: Candidate, index: bytes, rows: list[dict[str, object]]
) -> VersionRecord:
    files, size = len(rows), sum(int(str(row["size"])) for row in rows)
    if candidate.layout == "packed":
        made = label_file_count(candidate.formats, record.images, len(record.splits))
        files += record.images + made + len(TABLE_FILES)
        size += int(candidate.images["bytes"].sum())
    return msgspec.structs.replace(
        record, index_sha256=hashlib.sha256(index).hexdigest(), files=files, bytes=size
    )


def _read_parent(storage: Storage, folder: DatasetFolder, candidate: Candidate) -> VersionTables | None:
    if candidate.parent is None:
        return None
    record = read_version(storage, folder.version(candidate.parent))
    return read_tables(storage, folder, record) if record else None


def _copies(parent: VersionTables | None) -> dict[tuple[str, str], str]:
    """(source_ref, etag) -> path in the parent, of the images that it holds itself."""
    if parent is None or parent.record.layout != "tree":
        return {}
    columns = (parent.images[name] for name in ("source_ref", "etag", "split", "file"))
    return {(ref, etag): image_path(split, file) for ref, etag, split, file in zip(*columns, strict=True)}


def _left_out(candidate: Candidate) -> pd.DataFrame:
    return table([msgspec.structs.asdict(one) for one in candidate.left_out], LEFT_OUT_IMAGES)


def _descriptions(candidate: Candidate, record: VersionRecord, changes: VersionDiff) -> Iterator[TreeFile]:
    for path, data in card_files(candidate, record, changes).items():
        yield TreeFile(path=path, data=data)
    yield TreeFile(path="changes.json", data=changes.to_json())


def _pictures(storage: Storage, candidate: Candidate, version: VersionFolder) -> list[Picture]:
    """The contact sheet, from the version's own copies where it has them: nobody changes those meanwhile."""
    copied = candidate.layout == "tree"

    def look(shown: Shown) -> Picture:
        uri = version.uri / shown.image.path if copied else ObjectUri.parse(shown.image.source_ref)
        content = storage.read_if_there(uri)
        usable = content is not None and (copied or content.etag == shown.etag)
        return shown, thumbnail(content.data, shown) if content is not None and usable else None

    return list(storage.run_many(look, choose_images(candidate)))
