from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.roundtruth.datasets.recorded_rounds import project_in


def dataset(**content: Any) -> Any:
    return project_in("bucket", dataset={"name": "pens", **content}).dataset


def test_defaults_group_nothing_and_pin_nothing() -> None:
    assert dataset().group_by is None
    assert dataset().pinned == {}


@pytest.mark.parametrize(
    "group_by",
    [
        {"folder": 2},
        {"pattern": r"(clip_\d+)"},
        {"near_duplicates": True},
        {"folder": 1, "near_duplicates": True},
    ],
)
def test_what_groups_may_be(group_by: dict[str, Any]) -> None:
    assert dataset(group_by=group_by).group_by.model_dump(exclude_defaults=True) == group_by


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param({"group_by": {}}, "must say by what", id="nothing"),
        pytest.param({"group_by": {"near_duplicates": False}}, "must say by what", id="off"),
        pytest.param({"group_by": {"folder": 0}}, "greater than or equal to 1", id="no folder"),
        pytest.param({"group_by": {"folder": 1, "pattern": "(x)"}}, "not both", id="both"),
        pytest.param({"group_by": {"pattern": "clip"}}, "one group in parentheses", id="no group"),
        pytest.param({"group_by": {"pattern": "(a)(b)"}}, "it has 2", id="two groups"),
        pytest.param({"group_by": {"pattern": "(["}}, "must be a regular expression", id="no regex"),
        pytest.param({"group_by": {"folders": 1}}, "Extra inputs", id="unknown key"),
        pytest.param({"pinned": {"valid": ["x"]}}, "'train', 'val' or 'test'", id="no split"),
        pytest.param(
            {"pinned": {"val": ["x"], "test": ["x"]}}, "pinned to val and to test", id="pinned twice"
        ),
        pytest.param({"formats": ["yolo", "manifests"]}, "'manifest'", id="no format"),
    ],
)
def test_what_is_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        dataset(**content)
