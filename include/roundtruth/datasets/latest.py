"""latest.json: which version `latest` means, and how people moved it back.

Releases move the pointer forward. A rollback moves it back and leaves its entry in ``history``; the versions
between are then withdrawn. They stay where they are, can be pulled by name, and no release points to them
again: labels that give a withdrawn version's content publish nothing. Other content becomes a new version,
with the newest version as its parent and the next number, and `latest` moves to it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from roundtruth.datasets.folder import DatasetFolder, version_name, version_number
from roundtruth.errors import DatasetError, LatestMovedError
from roundtruth.storage import Storage
from roundtruth.typed_json import decode_json

ATTEMPTS = 20  # others that may move the pointer between our read and our write


class PointerMove(msgspec.Struct, frozen=True, kw_only=True, rename={"old": "from", "new": "to"}):
    """A person's move of the pointer."""

    old: str
    new: str
    at: str  # ISO 8601, by the clock of the machine it was done on
    by: str
    reason: str


class LatestPointer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Content of latest.json; ``history`` is only ever appended to."""

    version: str
    history: tuple[PointerMove, ...] = ()

    @property
    def withdrawn(self) -> frozenset[str]:
        """Versions that a person moved the pointer away from, and not forward to again."""
        gone: set[str] = set()
        for move in self.history:
            numbers = range(version_number(move.new) + 1, version_number(move.old) + 1)
            gone |= {version_name(number) for number in numbers}
            gone = {one for one in gone if version_number(one) > version_number(move.new)}
        return frozenset(gone)


def read_latest(storage: Storage, folder: DatasetFolder) -> LatestPointer | None:
    """The pointer, or None before the first version."""
    content = storage.read_if_there(folder.latest)
    return decode_json(content.data, LatestPointer) if content else None


def latest_version(storage: Storage, folder: DatasetFolder) -> str | None:
    """The name of the version that `latest` points to, or None before the first."""
    pointer = read_latest(storage, folder)
    return pointer.version if pointer else None


def move_latest(storage: Storage, folder: DatasetFolder, version: str) -> None:
    """Point `latest` to a version unless it points to it or a newer one, or people withdrew the version.

    A conditional write, tried again.

    :raises DatasetError: when others keep moving the pointer.
    """

    def forward(pointer: LatestPointer | None) -> LatestPointer | None:
        if pointer is None:
            return LatestPointer(version=version)
        older = version_number(pointer.version) < version_number(version)
        return (
            msgspec.structs.replace(pointer, version=version)
            if older and version not in pointer.withdrawn
            else None
        )

    _replace(storage, folder, forward)


def set_latest(
    storage: Storage,
    folder: DatasetFolder,
    version: str,
    *,
    at: str,
    by: str,
    reason: str,
    seen: str | None = None,
) -> str:
    """Point `latest` to another published version by a person's will; returns where it pointed before.

    Moving it to where it points changes nothing.

    :param seen: where it points, as the person who moves it has seen.
    :raises LatestMovedError: when it points elsewhere than was seen.
    :raises DatasetError: when there is no pointer yet, or others keep moving it.
    """
    before: list[str] = []

    def anywhere(pointer: LatestPointer | None) -> LatestPointer | None:
        if pointer is None:
            raise DatasetError(f"Dataset {folder.name!r} has no published version yet.")
        before[:] = [pointer.version]
        if pointer.version == version:
            return None
        if seen not in (None, pointer.version):
            raise LatestMovedError(
                f"latest of {folder.name!r} points to {pointer.version}, not to {seen} any more; look again."
            )
        move = PointerMove(old=pointer.version, new=version, at=at, by=by, reason=reason)
        return LatestPointer(version=version, history=(*pointer.history, move))

    _replace(storage, folder, anywhere)
    return before[0]


def _replace(
    storage: Storage, folder: DatasetFolder, change: Callable[[LatestPointer | None], LatestPointer | None]
) -> None:
    for _ in range(ATTEMPTS):
        content = storage.read_if_there(folder.latest)
        pointer = decode_json(content.data, LatestPointer) if content else None
        changed = change(pointer)
        if changed is None:
            return
        data = msgspec.json.format(msgspec.json.encode(changed), indent=2) + b"\n"
        if content is None:
            moved = storage.write_if_absent(folder.latest, data)
        else:
            moved = storage.write_if_unchanged(folder.latest, data, content.etag)
        if moved:
            return
    raise DatasetError(f"{folder.latest} was changed by others {ATTEMPTS} times in a row; run this again.")
