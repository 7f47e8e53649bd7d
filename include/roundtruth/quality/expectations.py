"""Our rules as Great Expectations expectations; importing this takes ten seconds, so do it inside functions.

`ExpectMeasureBetween` is our own: the built-in one skips missing values and cannot name the image of a
failing row at a bearable price (its index lists take one Python loop a failing row).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import great_expectations.expectations as gxe
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import MulticolumnMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import MulticolumnMapMetricProvider
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (
    multicolumn_condition_partial,
)

from roundtruth.quality.checks import Check
from roundtruth.quality.rules import Between, InSet, RowCount, Unique, holds
from roundtruth.quality_settings import Severity

METRIC = "multicolumn_values.measure_between"


class MeasureBetween(MulticolumnMapMetricProvider):  # type: ignore[misc]  # untyped base
    """Whether the last column of the list lies between bounds; the columns before it name the row."""

    condition_metric_name = METRIC
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_list",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ("at_least", "above", "at_most", "below")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(
        cls,  # noqa: N805  # Great Expectations passes the class
        column_list: Any,
        at_least: float | None = None,
        above: float | None = None,
        at_most: float | None = None,
        below: float | None = None,
        **_: Any,
    ) -> Any:
        return holds(column_list.iloc[:, -1], at_least, above, at_most, below)


class ExpectMeasureBetween(MulticolumnMapExpectation):  # type: ignore[misc]  # untyped base
    """Expect the last column of ``column_list`` to lie between bounds; the others say which row failed."""

    map_metric = METRIC
    success_keys: ClassVar[tuple[str, ...]] = ("mostly", "at_least", "above", "at_most", "below")

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None


def expectation_of(check: Check, *, severity: Severity, key: Sequence[str]) -> Any:
    """The expectation that judges a check; ``key`` are the columns that name a row of its table."""
    rule = check.rule
    shared: dict[str, Any] = {
        "severity": severity,
        "description": f"{check.name} ({severity}): {check.description}",
        "meta": {"check": check.name},
    }
    if isinstance(rule, Between):
        return ExpectMeasureBetween(
            column_list=[*(name for name in key if name != rule.column), rule.column],
            # 9 digits: 1 - 0.7 is 0.30000000000000004, which three rows of ten would miss.
            mostly=round(1 - rule.allowed_share, 9),
            ignore_row_if="never",
            at_least=rule.at_least,
            above=rule.above,
            at_most=rule.at_most,
            below=rule.below,
            **shared,
        )
    if isinstance(rule, InSet):
        # The table that is judged has its texts escaped too (validation._as_shown).
        return gxe.ExpectColumnValuesToBeInSet(
            column=rule.column, value_set=[escape(value) for value in rule.values], **shared
        )
    if isinstance(rule, Unique):
        return gxe.ExpectColumnValuesToBeUnique(column=rule.column, **shared)
    if isinstance(rule, RowCount):
        return gxe.ExpectTableRowCountToEqual(value=rule.expected, **shared)
    raise TypeError(f"there is no expectation for {type(rule).__name__}")
