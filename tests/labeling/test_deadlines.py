"""The deadline of a round survives Airflow's serialization, and clearing a task does not meet it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.airflow


def test_airflow_does_not_recalculate_it_at_a_clear() -> None:
    """Airflow 3.3.2 fails over each deadline of this name whenever a task of its run is cleared."""
    from airflow.sdk.definitions.deadline import DagRunQueuedAtDeadline

    from labeling.deadlines import RunCreated

    assert RunCreated().serialize_reference() != DagRunQueuedAtDeadline().serialize_reference()


def test_airflow_finds_it_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow import plugins_manager
    from airflow.serialization.decoders import decode_deadline_reference
    from airflow.serialization.encoders import encode_deadline_reference

    from labeling.deadlines import RunCreated
    from roundtruth_plugin import RoundtruthPlugin

    registered = {f"{one.__module__}.{one.__qualname__}": one for one in RoundtruthPlugin.deadline_references}
    monkeypatch.setattr(plugins_manager, "get_deadline_references_plugins", lambda: registered)
    decoded = decode_deadline_reference(encode_deadline_reference(RunCreated()))
    due = decoded.evaluate_with(session=None, interval=timedelta(hours=3))
    assert abs(due - datetime.now(UTC) - timedelta(hours=3)) < timedelta(minutes=1)
