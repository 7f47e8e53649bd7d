"""Which version follows which: decided by one conditional write, so that a version has one successor.

Two releases may end at the same moment, each with all files of its version there. Who writes the version's
record into ``successors/<parent>.json`` first has published; version.json is a copy of it. A publisher that
is killed between the two leaves nothing open: whoever comes next writes that copy.
"""

from __future__ import annotations

import hashlib

from roundtruth.datasets.folder import DatasetFolder
from roundtruth.datasets.versions import VersionRecord, encode_version, newest_version
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json


def decide(storage: Storage, folder: DatasetFolder, record: VersionRecord) -> bool:
    """Make a version, whose files are all there, the successor of its parent; tells whether it is.

    False when another version followed the same parent before; that one is published then.
    """
    uri, data = folder.successor(record.parent), encode_version(record)
    decided = storage.write_if_absent(uri, data)
    _publish(storage, folder, data if decided else storage.read(uri))
    return decided


def newest_decided(storage: Storage, folder: DatasetFolder) -> VersionRecord | None:
    """The newest version, or None before the first; one that was decided and not yet published is."""
    newest = newest_version(storage, folder)
    content = storage.read_if_there(folder.successor(newest.version if newest else None))
    if content is not None and _publish(storage, folder, content.data):
        return newest_version(storage, folder)
    return newest


def _publish(storage: Storage, folder: DatasetFolder, data: bytes) -> bool:
    """Write version.json, unless somebody has deleted the version: without its files it is none."""
    record = decode_json(data, VersionRecord)
    version = folder.version(record.version)
    index = storage.read_if_there(version.index)
    if index is None or hashlib.sha256(index.data).hexdigest() != record.index_sha256:
        return False
    storage.write_if_absent(version.record, data)
    return True
