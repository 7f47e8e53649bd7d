"""What was filled into the form of a round becomes a request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labeling.parameters import relabel_run, request_of, round_parameters
from roundtruth.rounds.requested import NOTHING_ASKED, RoundRequest
from tests.project_samples import make_project

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


def test_a_scheduled_run_asks_for_nothing() -> None:
    params = {name: param.value for name, param in round_parameters(make_project()).items()}
    assert request_of(params) == NOTHING_ASKED
    assert relabel_run({"params": params}) is None
    assert request_of({}) == NOTHING_ASKED


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        ({"prefix": " aisle 4/ "}, RoundRequest(prefix="aisle 4/")),
        ({"keys": ["a.jpg", " b c.png", ""]}, RoundRequest(keys=("a.jpg", "b c.png"))),
        ({"where": "width > 9", "max_images": 3}, RoundRequest(where="width > 9", max_images=3)),
        ({"why": "new camera", "relabel": True}, RoundRequest(why="new camera")),
    ],
    ids=["prefix", "keys", "where", "why"],
)
def test_what_is_filled_in_is_asked_for(filled: dict[str, Any], expected: RoundRequest) -> None:
    assert request_of(filled) == expected


def test_only_who_says_so_labels_again() -> None:
    run = SimpleNamespace(run_id="manual__1")
    assert relabel_run({"params": {"relabel": True}, "dag_run": run}) == "manual__1"
    assert relabel_run({"params": {"relabel": False}, "dag_run": run}) is None


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("max_images", 0, False),
        ("max_images", 1, True),
        ("keys", ["a"], True),
        ("keys", "a", False),
        ("keys", [1], False),
        ("relabel", "yes", False),
        ("prefix", None, True),
    ],
)
def test_the_form_refuses_other_types(name: str, value: object, fits: bool) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = round_parameters(make_project())[name]
    if fits:
        assert param.resolve(value) == value
    else:
        with pytest.raises(ParamValidationError):
            param.resolve(value)
