"""From suites to a verdict: run them, write their Data Docs, and sort what failed by severity."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from roundtruth.errors import QualityError
from roundtruth.quality.data_docs import publish_site
from roundtruth.quality.rules import RowCount
from roundtruth.quality.validation import Outcome, Suite, run_suites
from roundtruth.quality.verdict import NAMED_IMAGES, Consequence, FailedCheck, Verdict, make_verdict
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage

SHOWN_VALUES = 10


def judged(
    suites: Sequence[Suite],
    settings: Quality,
    *,
    counts: Mapping[str, int],
    docs_uri: ObjectUri | None = None,
    storage: Storage | None = None,
) -> Verdict:
    """Run the suites and decide; with ``docs_uri`` write Data Docs there (index.html at its top).

    :raises QualityError: when a check cannot be evaluated, or Data Docs are asked for without a storage.
    """
    if docs_uri is None:
        return _verdict(run_suites(suites, settings), settings, suites, counts)
    if storage is None:
        raise QualityError(f"Data Docs at {docs_uri} need a storage to be written through; none was given.")
    with tempfile.TemporaryDirectory(prefix="roundtruth-docs-") as folder:
        outcomes = run_suites(suites, settings, site=Path(folder))
        verdict = _verdict(outcomes, settings, suites, counts)
        publish_site(Path(folder), outcomes, verdict, docs_uri, storage)
    return verdict


def _verdict(
    outcomes: Sequence[Outcome], settings: Quality, suites: Sequence[Suite], counts: Mapping[str, int]
) -> Verdict:
    return make_verdict(
        tuple(_failed(outcome, settings) for outcome in outcomes if not outcome.success),
        checked_rows={suite.name: len(suite.frame) for suite in suites},
        counts=counts,
        parameters=_parameters(settings, outcomes),
    )


def _failed(outcome: Outcome, settings: Quality) -> FailedCheck:
    check, frame = outcome.check, outcome.suite.frame
    severity = settings.severity(check.name)
    consequence: Consequence = "reported"
    if severity == "critical":
        consequence = "quarantined" if check.if_critical == "quarantine" else "blocked"
    rows = frame[outcome.failing]
    images: Sequence[str] = list(rows["source_ref"].unique()) if "source_ref" in frame else []
    return FailedCheck(
        check=check.name,
        severity=severity,
        consequence=consequence,
        table=outcome.suite.name,
        description=check.description,
        rows=len(frame),
        failed_rows=outcome.failed_rows,
        image_count=len(images),
        images=tuple(str(name) for name in images[:NAMED_IMAGES]),
        values=_values(outcome, rows),
    )


def _values(outcome: Outcome, rows: pd.DataFrame) -> tuple[str, ...]:
    """The first different values that failed; for a table of columns or categories, which one it was."""
    if isinstance(outcome.check.rule, RowCount):
        return (f"{len(outcome.suite.frame)} rows",)
    columns = [name for name in outcome.suite.key if name not in ("source_ref", "status")]
    if outcome.check.rule.column not in columns and "source_ref" in rows:
        # What else names the row, such as the image it looks like, tells more than the measure.
        columns = [name for name in columns if name not in ("category", "split")]
        columns = columns or [outcome.check.rule.column]
    first = rows[columns].drop_duplicates().head(SHOWN_VALUES)
    return tuple(": ".join(_text(value) for value in row) for row in first.itertuples(index=False))


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameters(settings: Quality, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    thresholds = settings.model_dump(mode="json", exclude={"severities"})
    severities = {outcome.check.name: settings.severity(outcome.check.name) for outcome in outcomes}
    return {**thresholds, "severities": dict(sorted(severities.items()))}
