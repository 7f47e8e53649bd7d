"""The first version of a dataset that holds a round's labels, found with few requests."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache

import msgspec

from roundtruth.datasets.folder import dataset_folder, version_number
from roundtruth.errors import DatasetError
from roundtruth.project import Project
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json

log = logging.getLogger(__name__)


class _Rounds(msgspec.Struct, frozen=True, kw_only=True):
    """The little of version.json that says which rounds a version was made of."""

    rounds: tuple[str, ...] = ()
    round_digests: dict[str, str] = {}  # round -> SHA-256 of its round.json; missing in old versions


def first_versions(storage: Storage, project: Project, wanted: Mapping[str, str]) -> dict[str, str]:
    """Round -> name of the first version that was made of it, of those rounds that are in the newest one.

    What a version was made of, the next one is made of too: so each search is by halves, from the newest
    back. Most rounds are new in the newest version, which takes two reads.

    :param wanted: round -> SHA-256 of its round.json: labels that came after a version are not in it.
    """
    if not wanted:
        return {}
    folder = dataset_folder(project)
    names = sorted(
        (name for name in storage.list_folders(folder.versions) if _is_version(name)), key=version_number
    )

    @cache
    def at(place: int) -> _Rounds:
        """What the version at a place was made of.

        A number that was never published, or whose record cannot be read, is as the one before.
        """
        content = storage.read_if_there(folder.version(names[place]).record)
        try:
            if content is not None:
                return decode_json(content.data, _Rounds)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("version.json of %s cannot be read: %s", names[place], error)
        return at(place - 1) if place else _Rounds()

    def first(key: str, digest: str) -> str | None:
        if not names or not _holds(at(len(names) - 1), key, digest):
            return None
        low, high = -1, len(names) - 1  # not in version `low`, in version `high`
        step = 1
        while (below := high - step) > low:
            if _holds(at(below), key, digest):
                high, step = below, step * 2
            else:
                low = below
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _holds(at(middle), key, digest) else (middle, high)
        return names[high]

    found = {key: first(key, digest) for key, digest in wanted.items()}
    return {key: version for key, version in found.items() if version is not None}


def _holds(version: _Rounds, key: str, digest: str) -> bool:
    if version.round_digests:
        return version.round_digests.get(key) == digest
    return key in version.rounds


def _is_version(name: str) -> bool:
    try:
        version_number(name)
    except DatasetError:
        return False  # somebody's own folder beside ours
    return True
