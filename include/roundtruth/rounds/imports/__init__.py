"""Finished labeling jobs as rounds: find their output, choose what counts for each image, make its tables."""

from __future__ import annotations
