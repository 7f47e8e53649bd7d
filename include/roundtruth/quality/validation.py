"""Run suites of checks by Great Expectations, and write its Data Docs when they are asked for."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roundtruth.errors import QualityError
from roundtruth.quality.checks import Check
from roundtruth.quality.data_docs import collect_site
from roundtruth.quality.rules import RowCount
from roundtruth.quality.suites import Outcome, Suite
from roundtruth.quality_settings import Quality

EXAMPLES = 100  # failing rows that Data Docs show a check
# Great Expectations puts a run's time into the paths of its pages. The same tables must give the same pages,
# and a second run of a task must replace those of the first.
RUN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def run_suites(
    suites: Sequence[Suite], settings: Quality, *, site: Path | None = None
) -> tuple[Outcome, ...]:
    """Judge all checks, in order; with ``site`` also write Data Docs into that folder.

    :raises QualityError: when Great Expectations is not installed, or cannot evaluate a check.
    """
    with _context(with_pages=site is not None) as (context, folder):
        results = _run(context, suites, settings)
        if site is not None:
            context.build_data_docs()
            collect_site(folder, site)
    return tuple(
        _outcome(suite, check, result)
        for suite, suite_results in zip(suites, results, strict=True)
        for check, result in zip(suite.checks, suite_results, strict=True)
    )


@contextmanager
def _context(*, with_pages: bool) -> Iterator[tuple[Any, Path]]:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import: nothing is sent to anyone
    try:
        import great_expectations as gx
    except ImportError as error:
        raise QualityError(
            "The quality checks need Great Expectations; install it with `pip install '.[quality]'` in the "
            "folder of Roundtruth."
        ) from error
    # Its own progress, dozens of lines a suite, would bury what a task's log has to say.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="roundtruth-quality-") as folder:
        if with_pages:
            context = gx.get_context(mode="file", project_root_dir=folder)
        else:
            context = gx.get_context(mode="ephemeral")  # writes nothing, and is faster for it
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        yield context, Path(folder)


def _run(context: Any, suites: Sequence[Suite], settings: Quality) -> list[list[Any]]:
    import great_expectations as gx

    from roundtruth.quality.expectations import expectation_of

    source = context.data_sources.add_pandas("tables")
    results = []
    for suite in suites:
        batch = source.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("all")
        expectations = [
            expectation_of(check, severity=settings.severity(check.name), key=suite.key)
            for check in suite.checks
        ]
        known = context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=expectations))
        definition = context.validation_definitions.add(
            gx.ValidationDefinition(name=suite.name, data=batch, suite=known)
        )
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(
                name=suite.name,
                validation_definitions=[definition],
                actions=[],
                # BASIC: SUMMARY and COMPLETE collect the index of every failing row in a Python loop.
                result_format={"result_format": "BASIC", "partial_unexpected_count": EXAMPLES},
            )
        )
        run = checkpoint.run(
            batch_parameters={"dataframe": _as_shown(suite)},
            run_id=gx.RunIdentifier(run_name="checks", run_time=RUN_TIME),
        )
        (validated,) = run.run_results.values()
        results.append(_in_order(suite, validated.results))
    return results


def _as_shown(suite: Suite) -> pd.DataFrame:
    """The suite's table, its texts escaped: Great Expectations puts them into its pages as they are."""
    frame = suite.frame.copy(deep=False)
    for name in suite.key:
        if not _has_markup(frame[name]):
            continue  # nearly always, and much faster
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            frame[name] = frame[name].cat.rename_categories(escape)
            continue
        codes, texts = pd.factorize(frame[name], use_na_sentinel=True)
        escaped = pd.Series([*(escape(str(text)) for text in texts), None], dtype="str")
        frame[name] = escaped.iloc[codes].to_numpy()
    return frame


def _has_markup(column: pd.Series) -> bool:
    """Whether a text of the column would change by ``html.escape``."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(column.cat.categories)
    if not isinstance(column.dtype, pd.StringDtype):
        return True
    texts = pa.array(column, type=pa.string(), from_pandas=True)
    return bool(pc.any(pc.match_substring_regex(texts, "[&<>\"']")).as_py())


def _in_order(suite: Suite, results: Sequence[Any]) -> list[Any]:
    """Results by check; Great Expectations orders them by its own graph."""
    by_name = {result.expectation_config.meta["check"]: result for result in results}
    return [by_name[check.name] for check in suite.checks]


def _outcome(suite: Suite, check: Check, result: Any) -> Outcome:
    raised = result.exception_info or {}
    if raised.get("raised_exception", False) or any(
        isinstance(one, dict) and one.get("raised_exception") for one in raised.values()
    ):
        raise QualityError(f"Check {check.name} could not be evaluated: {_message(raised)}.")
    failing = check.rule.failing(suite.frame)
    if isinstance(check.rule, RowCount):
        failed_rows = abs(len(suite.frame) - check.rule.expected)
    else:
        failed_rows = int(failing.sum())
        judged = result.result.get("unexpected_count") or 0
        missing = result.result.get("missing_count") or 0  # built-in expectations pass over missing values
        if not judged <= failed_rows <= judged + missing:
            raise QualityError(
                f"Check {check.name}: Great Expectations finds {judged} failing rows, we {failed_rows}; "
                "this is a defect of roundtruth, please report it."
            )
    success = bool(result.success)
    if not isinstance(check.rule, RowCount) and success and failed_rows and _allows_none(check):
        success = False  # only missing values failed
    return Outcome(suite=suite, check=check, success=success, failed_rows=failed_rows, failing=failing)


def _allows_none(check: Check) -> bool:
    return getattr(check.rule, "allowed_share", 0.0) == 0.0


def _message(raised: dict[str, Any]) -> str:
    if "exception_message" in raised:
        return str(raised["exception_message"])
    return "; ".join(sorted(str(one.get("exception_message")) for one in raised.values() if one))
