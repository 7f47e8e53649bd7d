"""Krippendorff's alpha for nominal values: agreement beyond chance.

Krippendorff, Content Analysis (2004), chapter 11: alpha = 1 - observed / expected disagreement, from the
coincidences of values within units.
"""

from __future__ import annotations

import numpy as np

from roundtruth.consensus.matching import Floats, Ints


def krippendorff_alpha(unit: Ints, value: Ints) -> float | None:
    """Alpha of opinions, one entry each: who gave ``unit[i]`` the ``value[i]`` does not matter.

    Units with fewer than two opinions say nothing about agreement and are left out.

    :return: 1 for perfect agreement, 0 for chance, below 0 for less than chance; None where no two opinions
        can be compared. Where all opinions are the same value there is nothing to disagree on: 1.
    """
    return alpha_of(*coincidences(unit, value, int(value.max(initial=0)) + 1))


def coincidences(unit: Ints, value: Ints, values: int) -> tuple[float, Floats]:
    """The observed disagreement of opinions, and how often each of so many values occurs.

    Both can be added up over opinions on different units.
    """
    _, unit = np.unique(unit, return_inverse=True)
    people = np.bincount(unit)
    paired = people[unit] >= 2 if len(unit) else np.zeros(0, bool)
    if not paired.any():
        return 0.0, np.zeros(values)
    unit, value = unit[paired], value[paired]
    cells, votes = np.unique(unit * values + value, return_counts=True)
    agreeing = np.bincount(cells // values, weights=votes**2, minlength=len(people))
    several = people >= 2
    observed = float(((people**2 - agreeing)[several] / (people[several] - 1)).sum())
    return observed, np.bincount(value, minlength=values).astype(np.float64)


def alpha_of(observed: float, totals: Floats) -> float | None:
    """Alpha of ``coincidences``."""
    opinions = int(totals.sum())
    if not opinions:
        return None
    expected = float(opinions**2 - (totals**2).sum()) / (opinions - 1)
    return 1 - observed / expected if expected else 1.0
