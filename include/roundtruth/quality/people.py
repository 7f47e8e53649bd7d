"""Checks on the people of a round: too fast to be honest, doing most of the work, agreeing with nobody.

Workers appear by the names that come in; hand in pseudonyms, never Ground Truth's ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from roundtruth.quality.checks import Check
from roundtruth.quality.rules import Between
from roundtruth.quality.suites import Suite
from roundtruth.quality_settings import Quality

# Below so many answers a worker is not judged, and below so many in all nobody's share is: chance decides.
ENOUGH_ANSWERS = 5
ENOUGH_IN_ALL = 20


def time_per_box(answers: pd.DataFrame) -> pd.DataFrame:
    """One row an answer: its ``worker`` and ``seconds_per_box``; of an empty answer, the seconds it took.

    :param answers: annotations.ANSWERS (source_ref, job, worker, box, seconds), all of a job together.
    """
    keys = ["job", "source_ref", "worker"]
    drawn = answers.assign(drawn=answers["box"] >= 0).groupby(keys, sort=True)
    tasks = drawn.agg(boxes=("drawn", "sum"), seconds=("seconds", "first")).reset_index()
    return tasks[["worker"]].assign(seconds_per_box=tasks["seconds"] / tasks["boxes"].clip(lower=1))


def people_suites(times: pd.DataFrame, report: Mapping[str, Any], settings: Quality) -> tuple[Suite, ...]:
    """One suite over the workers and one over the round as a whole; none where nobody answered.

    :param times: of all answers (``time_per_box``); its ``worker``, which may be categorical, is shown.
    :param report: the consensus report (consensus.json): ``workers`` with ``worker``, ``compared_answers``
        and ``pairwise_f1`` (0–1 or None), and ``agreement.mean`` (0–1 or None).
    """
    if times.empty:
        return ()
    overall = (report.get("agreement") or {}).get("mean")
    return (
        Suite(
            name="workers",
            frame=worker_measures(times, report.get("workers") or ()),
            key=("worker", "measured"),
            checks=_worker_checks(settings),
        ),
        Suite(
            name="agreement",
            frame=pd.DataFrame(
                {
                    "measured": [_said("mean agreement of the round", overall)],
                    "agreement": [1.0 if overall is None else float(overall)],
                }
            ),
            key=("measured",),
            checks=_round_checks(settings),
        ),
    )


def worker_measures(times: pd.DataFrame, reports: Any) -> pd.DataFrame:
    """One row a worker, sorted: ``seconds_per_box`` (median), ``share`` of all answers, ``agreement`` (F1).

    What cannot be judged (no times recorded, too few answers, nobody beside) passes: infinite seconds, no
    share, an agreement of 1.
    """
    by_worker = times.groupby("worker", sort=True, observed=True)
    counts = by_worker.size()
    timed = by_worker["seconds_per_box"].count()
    seconds = by_worker["seconds_per_box"].median().where(timed >= ENOUGH_ANSWERS)
    share = counts / len(times)
    judged = {
        str(entry["worker"]): float(entry["pairwise_f1"])
        for entry in reports
        if entry.get("pairwise_f1") is not None and entry.get("compared_answers", 0) >= ENOUGH_ANSWERS
    }
    agreement = [judged.get(str(worker)) for worker in counts.index]
    measured = [
        f"{count} answers, {_said('s a box', None if np.isnan(pace) else float(pace))}, "
        f"{_said('F1 with others', found)}"
        for count, pace, found in zip(counts, seconds, agreement, strict=True)
    ]
    return pd.DataFrame(
        {
            "worker": counts.index.astype("str"),
            "measured": measured,
            "seconds_per_box": seconds.fillna(np.inf).to_numpy(dtype=float),
            "share": share.to_numpy(dtype=float) if len(times) >= ENOUGH_IN_ALL else np.zeros(len(counts)),
            "agreement": [1.0 if found is None else found for found in agreement],
        }
    )


def _said(what: str, value: float | None) -> str:
    return f"{what}: not known" if value is None else f"{what}: {value:.2f}"


def _worker_checks(settings: Quality) -> tuple[Check, ...]:
    return (
        Check(
            name="time_per_box",
            rule=Between(column="seconds_per_box", at_least=settings.min_seconds_per_box),
            description=f"A worker takes at least {settings.min_seconds_per_box:g} s a box (median)",
            if_critical="block",
        ),
        Check(
            name="worker_share",
            rule=Between(column="share", at_most=settings.max_worker_share),
            description=f"One worker gives at most {settings.max_worker_share:.0%} of the answers",
            if_critical="block",
        ),
        Check(
            name="worker_agreement",
            rule=Between(column="agreement", at_least=settings.min_worker_agreement),
            description=f"A worker agrees with the others by an F1 of {settings.min_worker_agreement:g}",
            if_critical="block",
        ),
    )


def _round_checks(settings: Quality) -> tuple[Check, ...]:
    return (
        Check(
            name="round_agreement",
            rule=Between(column="agreement", at_least=settings.min_round_agreement),
            description=f"The mean agreement of the images is at least {settings.min_round_agreement:g}",
            if_critical="block",
        ),
    )
