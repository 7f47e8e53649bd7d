"""The kinds of rules a check can be, and which rows of a table break them (numpy; no Great Expectations).

Great Expectations judges the same rules (expectations.py); the rows found here decide what is quarantined and
which images a verdict names, so both must agree, which validation.py makes sure of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Between:
    """A measure lies between bounds; a missing value breaks the rule.

    ``above`` and ``below`` exclude the bound, ``at_least`` and ``at_most`` include it. ``allowed_share`` of
    the rows (0–1) may break it before the check fails.
    """

    column: str
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    allowed_share: float = 0.0

    def failing(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """One bool a row: whether it breaks the rule."""
        values = frame[self.column]
        return np.asarray(~holds(values, self.at_least, self.above, self.at_most, self.below), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class InSet:
    """A column holds only the values of a set; a missing value breaks the rule."""

    column: str
    values: tuple[str, ...]

    def failing(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """One bool a row: whether it breaks the rule."""
        return np.asarray(~frame[self.column].isin(list(self.values)), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Unique:
    """No value of a column occurs twice; every row that holds such a value breaks the rule."""

    column: str

    def failing(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """One bool a row: whether it breaks the rule."""
        return np.asarray(frame[self.column].duplicated(keep=False), dtype=bool)


@dataclass(frozen=True, kw_only=True)
class RowCount:
    """A table has exactly so many rows; no single row is at fault."""

    expected: int

    def failing(self, frame: pd.DataFrame) -> NDArray[np.bool_]:
        """One bool a row, all false."""
        return np.zeros(len(frame), dtype=bool)


Rule: TypeAlias = Between | InSet | Unique | RowCount


def holds(
    values: pd.Series,
    at_least: float | None,
    above: float | None,
    at_most: float | None,
    below: float | None,
) -> pd.Series:
    """Whether each value lies between the bounds that are given; missing ones never do."""
    fine = values.notna()
    if at_least is not None:
        fine &= values >= at_least
    if above is not None:
        fine &= values > above
    if at_most is not None:
        fine &= values <= at_most
    if below is not None:
        fine &= values < below
    return fine
