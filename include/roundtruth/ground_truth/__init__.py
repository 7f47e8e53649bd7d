"""Ground Truth's file formats and requests, as documented and as seen in real files."""

from __future__ import annotations
