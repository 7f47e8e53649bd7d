"""Consensus of workers: matching their boxes, fusing them, and telling how far people agree."""

from __future__ import annotations
