"""Random secrets of one installation, each in a file that only its owner reads."""

from __future__ import annotations

import secrets
from pathlib import Path


def secret(path: Path) -> str:
    """The secret of this file, made at the first call; letters, digits, hyphens and underscores."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()
