"""What Roundtruth registers with Airflow: the only file under plugins/ that the plugin loader runs."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from labeling.deadlines import RunCreated


class RoundtruthPlugin(AirflowPlugin):
    """Roundtruth; operators, triggers and links need no registration, Airflow 3 finds them by import."""

    name = "roundtruth"
    deadline_references = [RunCreated]  # noqa: RUF012  # as AirflowPlugin has it
