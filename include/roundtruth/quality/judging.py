"""From suites to a verdict: run them, write their Data Docs, and sort what failed by severity."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from roundtruth.errors import QualityError
from roundtruth.quality.data_docs import publish_site
from roundtruth.quality.rules import RowCount
from roundtruth.quality.suites import Outcome, Suite
from roundtruth.quality.validation import run_suites
from roundtruth.quality.verdict import NAMED_IMAGES, Consequence, FailedCheck, Verdict, make_verdict
from roundtruth.quality_settings import Quality
from roundtruth.storage import ObjectUri, Storage

SHOWN_VALUES = 10


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict, and the images of those failed checks of which it names the first only.

    ``unnamed``: table and check -> all its failing images, in the order of the verdict.
    """

    verdict: Verdict
    unnamed: Mapping[tuple[str, str], Sequence[str]]


def judged(
    suites: Sequence[Suite],
    settings: Quality,
    *,
    counts: Mapping[str, int],
    docs_uri: ObjectUri | None = None,
    storage: Storage | None = None,
) -> Judgement:
    """Run the suites and decide; with ``docs_uri`` write Data Docs there (index.html at its top).

    :raises QualityError: when a check cannot be evaluated, or Data Docs are asked for without a storage.
    """
    if docs_uri is None:
        return _judgement(run_suites(suites, settings), settings, suites, counts)
    if storage is None:
        raise QualityError(f"Data Docs at {docs_uri} need a storage to be written through; none was given.")
    with tempfile.TemporaryDirectory(prefix="roundtruth-docs-") as folder:
        outcomes = run_suites(suites, settings, site=Path(folder))
        judgement = _judgement(outcomes, settings, suites, counts)
        publish_site(Path(folder), outcomes, judgement.verdict, docs_uri, storage)
    return judgement


def _judgement(
    outcomes: Sequence[Outcome], settings: Quality, suites: Sequence[Suite], counts: Mapping[str, int]
) -> Judgement:
    failed = [(outcome, _failing_images(outcome)) for outcome in outcomes if not outcome.success]
    verdict = make_verdict(
        tuple(_failed(outcome, images, settings) for outcome, images in failed),
        checked_rows={suite.name: len(suite.frame) for suite in suites},
        counts=counts,
        parameters=_parameters(settings, outcomes),
    )
    unnamed = {
        (outcome.suite.name, outcome.check.name): images
        for outcome, images in failed
        if len(images) > NAMED_IMAGES
    }
    return Judgement(verdict=verdict, unnamed=unnamed)


def _failing_images(outcome: Outcome) -> list[str]:
    frame = outcome.suite.frame
    if "source_ref" not in frame:
        return []
    return [str(name) for name in frame.loc[outcome.failing, "source_ref"].unique()]


def _failed(outcome: Outcome, images: Sequence[str], settings: Quality) -> FailedCheck:
    check, frame = outcome.check, outcome.suite.frame
    severity = settings.severity(check.name)
    consequence: Consequence = "reported"
    if severity == "critical":
        consequence = "quarantined" if check.if_critical == "quarantine" else "blocked"
    rows = frame[outcome.failing]
    return FailedCheck(
        check=check.name,
        severity=severity,
        consequence=consequence,
        table=outcome.suite.name,
        description=check.description,
        rows=len(frame),
        failed_rows=outcome.failed_rows,
        image_count=len(images),
        images=tuple(images[:NAMED_IMAGES]),
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
