"""What bench_airflow reads of Airflow's database: how long runs and tasks waited at each step."""

from __future__ import annotations

import sqlite3

from benchmarks.bench_airflow import scheduler_view


def test_waits_at_each_step_and_no_deferred_task() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE dag_run (dag_id, run_id, queued_at, start_date)")
    connection.execute(
        "CREATE TABLE task_instance "
        "(dag_id, run_id, scheduled_dttm, queued_dttm, start_date, end_date, task_id, state)"
    )
    at = "2026-01-05 08:00:{}".format
    connection.execute("INSERT INTO dag_run VALUES ('d', 'r', ?, ?)", (at("00.000000"), at("01.500000")))
    for moments in (
        ("02.000000", "02.250000", "02.500000", "05.000000"),
        ("05.125000", "05.250000", "06.250000", "09.000000"),
        ("20.000000", "20.500000", "10.000000", "21.000000"),  # deferred: it had started before
        ("22.000000", None, None, None),  # not run yet
    ):
        connection.execute(
            "INSERT INTO task_instance (dag_id, run_id, scheduled_dttm, queued_dttm, start_date, end_date) "
            "VALUES ('d', 'r', ?, ?, ?, ?)",
            [one and at(one) for one in moments],
        )
    assert scheduler_view(connection) == {
        "a run is created → it runs": [1.5],
        "the task before has ended → the next is scheduled": [0.5, 0.125],
        "scheduled → queued": [0.25, 0.125],
        "queued → started": [0.25, 1.0],
    }
