"""What is judged and how it went: a suite of checks over one table, and the outcome of each check."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roundtruth.quality.checks import Check


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The checks of one table; ``key`` are the columns that name a row."""

    name: str
    frame: pd.DataFrame
    key: tuple[str, ...]
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one check went; ``failing`` is one bool a row of the suite's table."""

    suite: Suite
    check: Check
    success: bool
    failed_rows: int
    failing: NDArray[np.bool_]
