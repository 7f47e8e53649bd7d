"""Airflow and Amazon SageMaker Ground Truth: hook, operators, sensors, triggers and links.

Shaped like a package of ``apache-airflow-providers-amazon``, which has no Ground Truth of its own (9.39.0),
and free-standing: it knows the service, not the rounds, datasets or files of this project.
"""

from __future__ import annotations
