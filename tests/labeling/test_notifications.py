"""Who is told what: notifiers by import path, one message an occasion, whatever the context is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import BaseNotifier

from labeling.notifications import (
    OccasionNotifier,
    late_rounds,
    make_notifier,
    notifiers_for,
    on_failure,
    on_stalled,
)
from tests.project_samples import make_project

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

TOLD: list[dict[str, Any]] = []


class Telling(BaseNotifier):
    """Keeps what it is told."""

    # As SnsNotifier and others call it: Airflow puts this over what the context has under the name.
    template_fields = ("message",)

    def __init__(self, *, message: str = "{{ roundtruth.message }}") -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Any) -> None:
        facts = context["roundtruth"]
        TOLD.append({"text": self.message, "occasion": facts["occasion"], "round": facts["round"]})


class Broken(BaseNotifier):
    """Cannot tell anybody."""

    def notify(self, context: Any) -> None:
        raise ConnectionError("no line")


def entry(notifier: type[BaseNotifier], *when: str, **arguments: Any) -> dict[str, Any]:
    return {
        "notifier": f"{notifier.__module__}.{notifier.__name__}",
        "arguments": arguments,
        **({"when": when} if when else {}),
    }


# A task or a Dag callback has objects, a deadline callback the answer of the REST API.
RUN = {"dag_id": "pens_labeling_round", "partition_key": "2026-11-16", "conf": {}}
CONTEXTS = {
    "of a task": {
        "dag_run": SimpleNamespace(run_id="run-1", **RUN),
        "ti": SimpleNamespace(task_id="plan_round"),
    },
    "of a deadline": {"dag_run": {"dag_run_id": "run-1", **RUN}, "deadline": {"id": "x"}},
    "of a run that was started by hand": {
        "dag_run": SimpleNamespace(
            run_id="run-1", **RUN | {"partition_key": None, "conf": {"round": "2026-11-16"}}
        )
    },
}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module under the name that its classes carry, and nothing told yet."""
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())
    TOLD.clear()


def _this_module() -> Any:
    return SimpleNamespace(Telling=Telling, Broken=Broken)


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
def test_a_message_names_project_round_and_run(context: dict[str, Any]) -> None:
    project = make_project(notify=[entry(Telling)])
    (notifier,) = notifiers_for(project, "late", "{project}: {round} of {dag_id}. {url}")
    notifier(context)
    (told,) = TOLD
    assert told["text"].startswith("pens: 2026-11-16 of pens_labeling_round. ")
    assert told["text"].endswith("/dags/pens_labeling_round/runs/run-1")
    assert (told["occasion"], told["round"]) == ("late", "2026-11-16")


def test_each_call_renders_anew() -> None:
    project = make_project(
        notify=[entry(Telling, message="{{ roundtruth.round }} {{ roundtruth.occasion }}")]
    )
    (notifier,) = on_failure(project)
    for key in ("r1", "r2"):
        notifier({"dag_run": SimpleNamespace(run_id="x", **RUN | {"partition_key": key})})
    assert [told["text"] for told in TOLD] == ["r1 failure", "r2 failure"]


def test_one_that_fails_keeps_no_other_from_it() -> None:
    project = make_project(notify=[entry(Broken), entry(Telling)])
    (notifier,) = on_failure(project)
    with pytest.raises(ExceptionGroup, match="1 of 2 notifiers failed"):
        notifier(CONTEXTS["of a task"])
    assert len(TOLD) == 1


@pytest.mark.parametrize("occasion", ["stalled", "approval"])
def test_a_task_that_waits_goes_on_when_nobody_could_be_told(occasion: Any) -> None:
    project = make_project(notify=[entry(Broken)])
    (notifier,) = notifiers_for(project, occasion, "{project}")
    notifier(dict(CONTEXTS["of a task"]))


def test_only_the_occasions_of_the_file_are_told() -> None:
    project = make_project(notify=[entry(Telling, "late")], deadline_hours=3)
    assert on_failure(project) == []
    (deadline,) = late_rounds(project)
    assert [one["notifier"] for one in deadline.callback.kwargs["notifications"]] == [f"{__name__}.Telling"]
    assert deadline.interval.total_seconds() == 3 * 3600
    assert late_rounds(make_project(notify=[entry(Telling)])) == []


def test_the_callback_of_a_deadline_is_found_by_its_path_and_arguments() -> None:
    """So it runs in an executor's process, which has the path and the arguments alone."""
    (deadline,) = late_rounds(make_project(notify=[entry(Telling)], deadline_hours=3))
    made = make_notifier(deadline.callback.path, deadline.callback.kwargs)
    assert isinstance(made, OccasionNotifier)
    made(CONTEXTS["of a deadline"])
    assert "round 2026-11-16 is not done after 3 hours" in TOLD[0]["text"]


def test_a_stalled_job_is_told_with_what_is_left() -> None:
    project = make_project(notify=[entry(Telling)], labeling__stalled_after_hours=48)
    event = {"job_name": "pens-2026-11-16-1", "counters": {"TotalLabeled": 3, "Unlabeled": 7}}
    on_stalled(project)(CONTEXTS["of a task"], event)
    assert "pens-2026-11-16-1: no image labeled for 48 hours, 3 done and 7 left" in TOLD[0]["text"]


@pytest.mark.parametrize(
    ("path", "arguments", "error"),
    [
        ("no.such.module.Notifier", {}, ImportError),
        ("labeling.s3_notifier.NoNotifier", {}, AttributeError),
        ("labeling.s3_notifier.S3Notifier", {"bucket": "b"}, TypeError),
        ("labeling.s3_notifier.S3Notifier", {"folder": "s3://b/notes"}, None),
    ],
)
def test_a_notifier_that_cannot_be_made_says_so(
    path: str, arguments: dict[str, Any], error: type[Exception] | None
) -> None:
    if error is None:
        assert isinstance(make_notifier(path, arguments), BaseNotifier)
        return
    with pytest.raises(error):
        make_notifier(path, arguments)
