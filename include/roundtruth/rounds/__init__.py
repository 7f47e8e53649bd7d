"""Labeling rounds: which images a round takes, how they split into jobs, names, cost, earlier rounds."""

from __future__ import annotations
