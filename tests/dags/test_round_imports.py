"""The Dag that records finished jobs as a round."""

from __future__ import annotations

import pytest

from tests.dag_parsing import parsed_dags

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


@pytest.fixture(scope="module")
def dag():
    return parsed_dags()["dags"]["pens_round_import"]


def test_an_import_makes_no_labeling_job(dag):
    assert {name: task["downstream"] for name, task in dag["tasks"].items()} == {
        "find_jobs": ["read_jobs"],
        "read_jobs": ["measure_consensus"],
        "measure_consensus": ["merge_categories"],
        "merge_categories": ["check_quality"],
        "check_quality": ["make_thumbnails", "record_round"],
        "record_round": [],
        "make_thumbnails": [],
    }
    assert {task["class"] for task in dag["tasks"].values()} == {"_PythonDecoratedOperator"}


def test_it_is_started_by_hand_and_its_round_starts_a_release(dag):
    assert dag["timetable"] == "PartitionedAtRuntime"
    assert dag["tasks"]["record_round"]["outlets"] == ["labels/pens"]
    assert dag["tasks"]["check_quality"]["links"] == ["Data Docs", "Round"]
    assert dag["tasks"]["measure_consensus"]["links"] == ["Disputed images"]
    assert dag["tags"] == ["import", "labeling", "pens", "roundtruth"]
