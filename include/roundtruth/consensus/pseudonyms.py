"""Stable pseudonyms of workers, so that raw worker ids stay in the answers table only."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache


@lru_cache(maxsize=10_000)
def pseudonym(worker: str) -> str:
    """The pseudonym of a worker id, such as ``worker-k3fq7a``; the same in every round and project.

    Ground Truth's ids are long and random, so the hash of one cannot be guessed back.
    """
    digest = hashlib.sha256(worker.encode()).digest()
    return f"worker-{base64.b32encode(digest)[:6].decode().lower()}"
