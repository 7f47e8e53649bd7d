"""Krippendorff's alpha against published and hand-computed values."""

from __future__ import annotations

import numpy as np
import pytest

from roundtruth.consensus.alpha import krippendorff_alpha

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), C: four observers, twelve units, nominal
# alpha 0.743; 0 stands for a missing value.
PUBLISHED = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


def opinions(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    observer, unit = np.nonzero(table)
    return unit, table[observer, unit]


def test_published_example():
    assert krippendorff_alpha(*opinions(PUBLISHED)) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        pytest.param([[1, 2, 1], [1, 2, 1]], 1.0, id="perfect"),
        pytest.param([[1, 1], [1, 1]], 1.0, id="one value only"),
        # Two units, always opposite: observed 1, expected 4/6 * ... = 2*2*2/(4*3) = 2/3, so 1 - 1/(2/3).
        pytest.param([[1, 2], [2, 1]], -0.5, id="always opposite"),
        pytest.param([[1, 2, 0], [0, 0, 1]], None, id="no two opinions on a unit"),
        pytest.param([[0], [0]], None, id="no opinion"),
    ],
)
def test_small_tables(table, expected):
    found = krippendorff_alpha(*opinions(np.array(table)))
    assert found is None if expected is None else found == pytest.approx(expected)
