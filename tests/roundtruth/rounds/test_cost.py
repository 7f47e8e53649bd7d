from __future__ import annotations

from typing import Any

import pytest

from roundtruth.rounds.cost import estimate_price
from tests.project_samples import PUBLIC_TEAM, make_project


@pytest.mark.parametrize(
    ("changes", "labeling", "relabel"),
    [
        ({}, 8.0, 8.0),
        ({"consensus": {"relabel_passes": 0}}, 8.0, 0.0),
        ({"consensus": {"relabel_passes": 3}}, 8.0, 24.0),
        ({"labeling__workers_per_object": 1}, 8.0, 0.0),
        ({"labeling__service_fee_usd": 0}, 0.0, 0.0),
        (
            {
                "labeling__workteam_arn": PUBLIC_TEAM,
                "labeling__free_of_pii": True,
                "labeling__price_per_task": {"cents": 3, "tenth_fractions_of_a_cent": 6},
                "labeling__workers_per_object": 5,
            },
            26.0,  # AWS's own example: 0.08 + 5 * 0.036 = 0.26 USD an image
            15.2,
        ),
    ],
)
def test_price_of_100_images(changes: dict[str, Any], labeling: float, relabel: float) -> None:
    price = estimate_price(make_project(**changes), images=100, category_chunks=1)
    assert (price.labeling_usd, price.relabel_usd) == (labeling, relabel)
    twice = estimate_price(make_project(**changes), images=100, category_chunks=2)
    assert twice.most_usd == pytest.approx(2 * price.most_usd)
