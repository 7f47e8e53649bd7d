"""Stable pseudonyms of workers, so that raw worker ids stay in the answers table only."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from functools import lru_cache

from roundtruth.errors import ConsensusError
from roundtruth.storage import ObjectUri, Storage

KEY_FILE = "pseudonyms.key"
_KEY = re.compile(r"[0-9a-f]{64}")


@lru_cache(maxsize=10_000)
def pseudonym(worker: str, key: bytes = b"") -> str:
    """The pseudonym of a worker id, such as ``worker-k3fq7a2m``; under one key the same in every round.

    Without the key nobody can tell who it is, not even with a list of all ids to try: they stand in AWS's
    console and logs, so a plain hash, or one keyed by something known such as the project's root, would name
    them. The empty key is for whoever has the answers anyway, such as a benchmark.
    """
    digest = hmac.digest(key, worker.encode(), "sha256")
    return f"worker-{base64.b32encode(digest)[:8].decode().lower()}"


def project_key(storage: Storage, uri: ObjectUri) -> bytes:
    """The key of a project's pseudonyms, made at the first call and never changed.

    It must be secret, so it is random; it names no file, and no label depends on it. Who loses it loses what
    is known of the workers: under another key they are strangers.

    :raises ConsensusError: when the file holds something else.
    """
    key = read_key(storage, uri)
    if key is None:
        storage.write_if_absent(uri, f"{secrets.token_hex(32)}\n".encode())
        key = read_key(storage, uri)  # another run may have been faster: its key counts
    if key is None:
        raise ConsensusError(f"{uri} was written and is not there; may it be read?")
    return key


def read_key(storage: Storage, uri: ObjectUri) -> bytes | None:
    """The key, or None where none was made yet.

    :raises ConsensusError: when the file holds something else.
    """
    content = storage.read_if_there(uri)
    if content is None:
        return None
    text = content.data.decode("ascii", "replace").strip()
    if not _KEY.fullmatch(text):
        raise ConsensusError(f"{uri} is no key of pseudonyms (64 hexadecimal digits); bring the old back.")
    return bytes.fromhex(text)
