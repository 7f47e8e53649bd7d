"""Labeling rounds in, training sets out: the domain of Roundtruth, without Airflow."""

from __future__ import annotations

__version__ = "0.1.0"
