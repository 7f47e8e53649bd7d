"""One after the other: whoever plans a round, imports one or opens an attempt takes a turn.

Rounds that are planned at the same moment, by two Dags or two machines, must not take the same images. There
is no database to lock: ``rounds/turn.json`` holds the last turn, and it is replaced only by who has seen it.
Who was overtaken looks again at what rounds hold by then. The file says what its turn writes, so a turn that
was killed between the two is finished by the next one: a taken turn always counts.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from roundtruth.errors import StorageError
from roundtruth.project import Project
from roundtruth.rounds.folder import rounds_folder
from roundtruth.storage import Content, ObjectUri, Storage
from roundtruth.typed_json import decode_json

log = logging.getLogger(__name__)

OVERTAKEN = 20  # times in a row that others may be faster


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Content of turn.json: the last turn; both files by their paths below ``rounds/``."""

    number: int
    writes: str  # such as 2026-11-16/plan.json, if absent
    content: str  # the file with what it writes, there before the turn was taken


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a turn writes, if absent: a file in the folder of a round."""

    uri: ObjectUri
    data: bytes


def take_turn(storage: Storage, project: Project, prepare: Callable[[], Wish | None]) -> bool:
    """Write a file that depends on what all other rounds hold, as if nobody else did so meanwhile.

    :param prepare: looks at the other rounds and says what to write, None for nothing; called again when
        another turn was taken since it looked.
    :returns: whether this call has written it; False where it was there before, or there is nothing to write.
    :raises StorageError: when others were faster many times in a row.
    """
    uri = rounds_folder(project) / "turn.json"
    for _ in range(OVERTAKEN):
        before = storage.read_if_there(uri)
        number = _finish(storage, project, before)
        wish = prepare()
        if wish is None or storage.head(wish.uri) is not None:
            return False
        content = _keep(storage, wish)
        turn = Turn(number=number + 1, writes=_path(project, wish.uri), content=_path(project, content))
        data = msgspec.json.format(msgspec.json.encode(turn), indent=2) + b"\n"
        if before is None:
            taken = storage.write_if_absent(uri, data)
        else:
            taken = storage.write_if_unchanged(uri, data, before.etag)
        if taken:
            return storage.write_if_absent(wish.uri, wish.data) or storage.read(wish.uri) == wish.data
        log.info("another round was planned, imported or opened meanwhile: looking again")
    raise StorageError(f"{uri} was replaced by others {OVERTAKEN} times in a row; run this again.")


def _finish(storage: Storage, project: Project, last: Content | None) -> int:
    """Write what the last turn was taken for, should it have been killed; returns its number, 0 for none."""
    if last is None:
        return 0
    turn = decode_json(last.data, Turn)
    written = rounds_folder(project) / turn.writes
    if storage.head(written) is None:
        content = storage.read_if_there(rounds_folder(project) / turn.content)
        if content is not None:  # else somebody has deleted the round
            storage.write_if_absent(written, content.data)
    return turn.number


def _keep(storage: Storage, wish: Wish) -> ObjectUri:
    """The name holds the digest: nobody else's content is ever in its place."""
    stem, _, suffix = wish.uri.name.rpartition(".")
    folder = ObjectUri(wish.uri.bucket, wish.uri.key.rpartition("/")[0])
    uri = folder / f"{stem}-{hashlib.sha256(wish.data).hexdigest()[:12]}.{suffix}"
    storage.write(uri, wish.data)
    return uri


def _path(project: Project, uri: ObjectUri) -> str:
    return str(uri).removeprefix(f"{rounds_folder(project)}/")
