"""The version that a training run is about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labeling.assets import dataset_asset, published_version
from tests.project_samples import make_project

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

DATASET = dataset_asset(make_project())


@pytest.mark.parametrize(
    ("asked", "events", "expected"),
    [
        ("v0002", [{"version": "v0003"}], "v0002"),
        (None, [{"version": "v0003"}], "v0003"),
        (None, [{"version": "v9999"}, {"version": "v10000"}, {}], "v10000"),
        (None, [{}], "latest"),
        (None, [], "latest"),
    ],
    ids=["asked for", "of the event", "the newest of several", "an event of another hand", "by hand"],
)
def test_the_version_of_a_run(asked: str | None, events: list[dict[str, Any]], expected: str) -> None:
    triggering = {DATASET: [SimpleNamespace(extra=extra) for extra in events]} if events else {}
    context = {"params": {"version": asked}, "triggering_asset_events": triggering}
    assert published_version(context, DATASET) == expected
