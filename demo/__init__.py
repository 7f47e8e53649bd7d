"""The main job on this machine: the sandbox, Airflow's processes, sample photos, and what came out of it."""

from __future__ import annotations
