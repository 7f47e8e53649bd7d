"""A job at which nobody works any more: noticed by the clock on the wall, whoever looks."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

HOUR = 3600.0
STALLED_AFTER = 48 * HOUR


def counters(labeled: int) -> dict[str, int]:
    return {"TotalLabeled": labeled, "HumanLabeled": labeled, "Unlabeled": 100 - labeled}


def events(looks: list[tuple[float, int]], restarts: tuple[float, ...] = ()) -> list[tuple[float, str]]:
    """What a wait that begins at hour 0 reports: (hour, ``progress`` or ``stalled``).

    :param looks: hours at which the job is looked at, and how many objects are labeled by then.
    :param restarts: hours at which the triggerer is restarted, before the look of that hour.
    """
    from ground_truth.exceptions import LabelingJobProgressError, LabelingJobStalledError
    from ground_truth.waiting import Progress, ProgressNote

    now = [0.0]
    note = ProgressNote(counters=None, since=0.0, noted=0.0, reported=None)
    progress = Progress(STALLED_AFTER, note, clock=lambda: now[0])
    found = []
    for hour, labeled in looks:
        now[0] = hour * HOUR
        if hour in restarts:
            progress = Progress(STALLED_AFTER, note, clock=lambda: now[0])
        try:
            progress.look({"LabelCounters": counters(labeled)})
        except LabelingJobProgressError as error:
            found.append((hour, "stalled" if isinstance(error, LabelingJobStalledError) else "progress"))
            note = json.loads(json.dumps(error.note))
            progress = Progress(STALLED_AFTER, note, clock=lambda: now[0])
    return found


STILL = [(hour, 0) for hour in range(1, 100)]
DONE_AT_10 = [(hour, 0 if hour < 10 else 7) for hour in range(1, 100)]
EVERY_HOUR = tuple(range(1, 100))


@pytest.mark.parametrize(
    ("looks", "restarts", "expected"),
    [
        pytest.param(STILL, (), [(48, "stalled")], id="nobody begins"),
        pytest.param(STILL, (20, 47), [(48, "stalled")], id="nobody begins, restarts"),
        pytest.param(STILL, EVERY_HOUR, [(48, "stalled")], id="nobody begins, a restart at every look"),
        pytest.param(DONE_AT_10, (), [(10, "progress"), (58, "stalled")], id="some, then nobody"),
        pytest.param(
            DONE_AT_10, (30, 57), [(10, "progress"), (58, "stalled")], id="some, then nobody, restarts"
        ),
        pytest.param(
            DONE_AT_10, EVERY_HOUR, [(10, "progress"), (58, "stalled")], id="some, a restart at every look"
        ),
        pytest.param(
            [(0.5, 0), (1, 3), *((hour, 3) for hour in range(2, 100))],
            (4,),
            # Noted six hours after the wait began; the restart made it forget three hours.
            [(6, "progress"), (52, "stalled")],
            id="progress that was not noted yet",
        ),
    ],
)
def test_a_standstill_is_reported_once_and_in_time(
    looks: list[tuple[float, int]], restarts: tuple[float, ...], expected: list[tuple[float, str]]
) -> None:
    assert events(looks, restarts) == expected


def test_people_who_work_cost_some_notes_a_day_and_no_report() -> None:
    busy = [(minute / 60, min(100, minute // 60)) for minute in range(1, 100 * 60)]
    found = events(busy)
    assert {kind for _, kind in found} == {"progress"}
    assert len(found) <= 100 / 6


def test_who_goes_on_and_stops_again_is_reported_again() -> None:
    looks = [(hour, 1 if hour >= 60 else 0) for hour in range(1, 130)]
    assert events(looks, (61, 100)) == [(48, "stalled"), (60, "progress"), (108, "stalled")]


@pytest.mark.parametrize("answer", [{}, {"LabelCounters": None}], ids=["no counters", "null"])
def test_an_answer_without_counters_says_nothing(answer: dict[str, Any]) -> None:
    from ground_truth.waiting import Progress

    Progress(0.0).look(answer)
