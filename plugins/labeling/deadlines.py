"""When a round is late is counted from: a deadline reference that a cleared task does not trip over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk.definitions.deadline import BaseDeadlineReference


class RunCreated(BaseDeadlineReference):
    """The moment at which a run is created.

    Not ``DeadlineReference.DAGRUN_QUEUED_AT``: with it, Airflow 3.3.2 answers 500 to whoever clears a task of
    a run whose deadline has not passed (models/taskinstance.py takes the serialized interval, a dict, for
    seconds), so that no failed round could go on. Not the logical date either, which partitioned runs lack.
    Registered in roundtruth_plugin.py.
    """

    def _evaluate_with(self, *, session: Any, **_: Any) -> datetime:
        return datetime.now(UTC)
