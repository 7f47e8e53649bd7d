"""What the Dags share: the projects of this deployment, a run's round, storage from an Airflow connection."""

from __future__ import annotations
