"""The tabs on Dags and runs, and what Airflow's database knows of rounds and releases that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
NOW = datetime(2026, 11, 21, tzinfo=UTC)
ROUND = "/labeling/projects/pens/rounds"
LIST, DATASET = "/labeling/?project=pens", "/labeling/projects/pens/dataset"


@pytest.fixture
def session(airflow_app):
    """A session on Airflow's database, whose rows of this test are gone afterwards."""
    from airflow.models.dagrun import DagRun
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as made:
        yield made
        made.rollback()
        for table in (HITLDetail, TaskInstance, DagRun):
            made.execute(delete(table))


@pytest.fixture
def pens(deploy, bucket):
    return deploy(root=f"s3://{bucket}/boxes")


def add_run(session, dag_id, run_id, *, key=None, conf=None, state="success"):
    from airflow.models.dagrun import DagRun

    run = DagRun(
        dag_id=dag_id,
        run_id=run_id,
        run_type="manual",
        state=state,
        run_after=NOW,
        conf=conf,
        partition_key=key,
    )
    session.add(run)
    session.commit()
    return run


def add_request(session, run, *, state="awaiting_input", since=NOW, answered=None, task_id="approve_version"):
    """A task that asks a person, as it lies in the database while it waits."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import insert

    task = uuid4()
    session.execute(
        insert(TaskInstance).values(
            id=task,
            task_id=task_id,
            dag_id=run.dag_id,
            run_id=run.run_id,
            map_index=-1,
            state=state,
            pool="default_pool",
            pool_slots=1,
            try_number=1,
            max_tries=0,
        )
    )
    session.add(
        HITLDetail(
            ti_id=task,
            options=["Publish", "Discard"],
            subject="Publish the next version of dataset pens?",
            body="| a | b |",
            params={},
            created_at=since,
            responded_at=answered,
        )
    )
    session.commit()


@pytest.mark.parametrize(
    ("dag", "leads_to"),
    [
        ("labeling_round", LIST),
        ("round_import", LIST),
        ("dataset_release", DATASET),
        ("train_on_release", DATASET),
    ],
)
def test_the_tab_of_a_dag(viewer, pens, dag, leads_to):
    answer = viewer.get(f"/labeling/dags/pens_{dag}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


@pytest.mark.parametrize(
    ("dag", "key", "conf", "leads_to"),
    [
        pytest.param("labeling_round", "2026-11-16", None, f"{ROUND}/2026-11-16", id="of a schedule"),
        pytest.param("labeling_round", None, {"round": "extra"}, f"{ROUND}/extra", id="by hand"),
        pytest.param("dataset_release", "2026-11-16", {}, f"{ROUND}/2026-11-16", id="a release"),
        pytest.param("dataset_release", None, None, DATASET, id="a release by hand"),
        pytest.param("labeling_round", None, {}, LIST, id="without a round"),
    ],
)
def test_the_tab_of_a_run(viewer, pens, session, dag, key, conf, leads_to):
    add_run(session, f"pens_{dag}", "manual__2026-11-21T10:00:00+00:00", key=key, conf=conf)
    page = f"/labeling/dags/pens_{dag}/runs/manual__2026-11-21T10:00:00%2B00:00"
    answer = viewer.get(page, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


def test_a_dag_of_others_has_no_labeling(viewer, pens):
    for page in ("/labeling/dags/other", "/labeling/dags/other_labeling_round/runs/manual__1"):
        answer = viewer.get(page)
        assert answer.status_code == 200
        assert "belongs to no labeling project" in answer.text


def test_a_release_waits_until_it_is_answered(session):
    from labeling_ui.dag_runs import waiting_approvals

    waits = add_run(session, "pens_dataset_release", "asset__2", key="2026-11-16", state="running")
    older = add_run(session, "pens_dataset_release", "asset__1", key="2026-11-09", state="running")
    add_request(session, waits)
    add_request(session, older, since=NOW - timedelta(days=7))
    answered = add_run(session, "pens_dataset_release", "asset__3", key="2026-11-02")
    add_request(session, answered, state="success", answered=NOW)
    stopped = add_run(session, "pens_dataset_release", "asset__4", key="2026-10-26")
    add_request(session, stopped, state="failed")
    others = add_run(session, "bolts_dataset_release", "asset__5", key="2026-11-16", state="running")
    add_request(session, others)
    found = waiting_approvals(session, "pens")
    assert [(one.run_id, one.round) for one in found] == [
        ("asset__2", "2026-11-16"),
        ("asset__1", "2026-11-09"),
    ]
    assert found[0].subject == "Publish the next version of dataset pens?"
    assert found[0].page == (
        "/dags/pens_dataset_release/runs/asset__2/tasks/approve_version/required_actions"
    )
    assert found[0].since == NOW


def test_the_newest_run_of_a_round_counts(session):
    from labeling_ui.dag_runs import newest_runs

    add_run(session, "pens_labeling_round", "first", key="a", state="failed")
    add_run(session, "pens_labeling_round", "second", key="a", state="running")
    add_run(session, "pens_round_import", "third", conf={"round": "b"})
    add_run(session, "pens_labeling_round", "without", conf={})
    add_run(session, "other", "fourth", key="c")
    runs = newest_runs(session, ["pens_labeling_round", "pens_round_import"])
    assert {key: (run.run_id, run.is_active) for key, run in runs.items()} == {
        "a": ("second", True),
        "b": ("third", False),
    }
    assert runs["a"].page == "/dags/pens_labeling_round/runs/second"


def test_the_database_picks_the_newest_runs(session, airflow_app):
    """Years of runs stay where they are: a row a round comes over, without its conf."""
    from airflow import settings
    from sqlalchemy import event

    from labeling_ui.dag_runs import newest_runs

    for number in range(30):
        add_run(
            session,
            "pens_labeling_round",
            f"old-{number}",
            key=None if number % 2 else "a",
            conf={"round": "b"},
        )
    add_run(session, "pens_labeling_round", "empty", key="", conf={"round": ""})
    asked = []

    def listen(connection, cursor, statement, *_):
        asked.append(statement)

    event.listen(settings.engine, "before_cursor_execute", listen)
    try:
        runs = newest_runs(session, ["pens_labeling_round"])
    finally:
        event.remove(settings.engine, "before_cursor_execute", listen)
    assert {key: run.run_id for key, run in runs.items()} == {"a": "old-28", "b": "old-29"}
    [statement] = asked
    assert "GROUP BY" in statement
    assert "conf" not in statement.partition("FROM")[0]


def test_what_postgresql_is_asked_groups_by_a_column(session):
    from sqlalchemy.dialects import postgresql

    from labeling_ui.dag_runs import newest_runs

    asked = []

    class Session:
        def execute(self, statement):
            asked.append(str(statement.compile(dialect=postgresql.dialect())))
            return []

    assert newest_runs(Session(), ["pens_labeling_round"]) == {}
    assert "->>" in asked[0]
    assert "GROUP BY anon_2.key" in asked[0]
