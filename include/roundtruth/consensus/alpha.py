"""Krippendorff's alpha for nominal values: agreement beyond chance.

Krippendorff, Content Analysis (2004), chapter 11: alpha = 1 - observed / expected disagreement, from the
coincidences of values within units.
"""

from __future__ import annotations

import numpy as np

from roundtruth.consensus.matching import Ints


def krippendorff_alpha(unit: Ints, value: Ints) -> float | None:
    """Alpha of opinions, one entry each: who gave ``unit[i]`` the ``value[i]`` does not matter.

    Units with fewer than two opinions say nothing about agreement and are left out.

    :return: 1 for perfect agreement, 0 for chance, below 0 for less than chance; None where no two opinions
        can be compared. Where all opinions are the same value there is nothing to disagree on: 1.
    """
    _, unit = np.unique(unit, return_inverse=True)
    people = np.bincount(unit)
    paired = people[unit] >= 2 if len(unit) else np.zeros(0, bool)
    if not paired.any():
        return None
    unit, value = unit[paired], value[paired]
    width = int(value.max()) + 1
    cells, votes = np.unique(unit * width + value, return_counts=True)
    agreeing = np.bincount(cells // width, weights=votes**2, minlength=len(people))
    several = people >= 2
    observed = float(((people**2 - agreeing)[several] / (people[several] - 1)).sum())
    totals = np.bincount(value).astype(np.float64)
    expected = float(len(unit) ** 2 - (totals**2).sum()) / (len(unit) - 1)
    return 1 - observed / expected if expected else 1.0
