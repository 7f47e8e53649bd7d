"""Tell people what went wrong or waits for them, through the notifiers that a project's file names."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseNotifier, DeadlineAlert, SyncCallback, conf

from labeling.deadlines import RunCreated
from roundtruth.operation_settings import Occasion
from roundtruth.project import Project


class OccasionNotifier(BaseNotifier):
    """Call every notifier that a project names for an occasion; one that fails keeps no other from it.

    :param project: The project's name.
    :param occasion: Why people are told.
    :param message: One sentence with ``{project}``, ``{round}``, ``{dag_id}``, ``{run_id}``, ``{task}`` and
        ``{url}``.
    :param notifications: ``notifier`` (import path) and ``arguments`` of each.
    """

    def __init__(
        self, *, project: str, occasion: Occasion, message: str, notifications: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__()
        self.project = project
        self.occasion = occasion
        self.message = message
        self.notifications = tuple(notifications)

    def notify(self, context: Any) -> None:
        """Tell all of them.

        :raises ExceptionGroup: when some could not be told that a run failed or is late; the others were. A
            task that asks or waits goes on all the same.
        """
        # One name for all: Airflow puts a notifier's own fields, such as `message`, over the context's.
        told = dict(context) | {"roundtruth": self._facts(context)}
        failed: list[Exception] = []
        for one in self.notifications:
            try:
                # Made anew each time: rendering its templates changes a notifier for good.
                make_notifier(one["notifier"], one["arguments"])(told)
            except Exception as error:
                self.log.exception("%s could not tell about %s", one["notifier"], self.occasion)
                failed.append(error)
        if failed and self.occasion in ("failure", "late"):
            raise ExceptionGroup(f"{len(failed)} of {len(self.notifications)} notifiers failed", failed)

    def _facts(self, context: Mapping[str, Any]) -> dict[str, Any]:
        run = _run(context)
        task = context.get("ti") or context.get("task_instance")
        facts = {
            "project": self.project,
            "occasion": self.occasion,
            "round": run["partition_key"] or run["conf"].get("round") or "",
            "url": f"{conf.get('api', 'base_url', fallback='')}/dags/{run['dag_id']}/runs/{run['run_id']}",
            "task": getattr(task, "task_id", ""),
        }
        return facts | {"message": self.message.format_map({**run, **facts})}


def make_notifier(path: str, arguments: Mapping[str, Any]) -> BaseNotifier:
    """Import a notifier's class and make one.

    :raises ImportError, AttributeError, TypeError: when there is none of that path, or not with these
        arguments.
    """
    module, _, name = path.rpartition(".")
    made = getattr(importlib.import_module(module), name)(**arguments)
    if not callable(made):
        raise TypeError(f"{path} is no notifier")
    return made  # type: ignore[no-any-return]  # whatever the project file names


def notifiers_for(project: Project, occasion: Occasion, message: str) -> list[OccasionNotifier]:
    """What Airflow calls on an occasion: one notifier for all, none where the project names none."""
    notifications = _named(project, occasion)
    if not notifications:
        return []
    return [
        OccasionNotifier(
            project=project.project, occasion=occasion, message=message, notifications=notifications
        )
    ]


def on_failure(project: Project) -> list[OccasionNotifier]:
    """The callbacks of a Dag whose run fails: once a run, however many of its tasks failed."""
    return notifiers_for(
        project, "failure", "Project {project}: {dag_id} failed at {task} (round {round}). {url}"
    )


def release_waits(project: Project) -> list[OccasionNotifier]:
    """Who is told that a release waits for a person."""
    what = f"the next version of dataset {project.dataset.name} waits for a person"
    return notifiers_for(project, "approval", f"Project {{project}}: {what}. {{url}}")


def late_rounds(project: Project) -> list[DeadlineAlert]:
    """The deadline of a project's rounds, counted from when a run was created.

    Partitioned runs have no logical date, and the default reference never fires for them. The callback runs
    in the executor, where every notifier works, and not in the triggerer, where only asynchronous ones do.
    """
    notifications = _named(project, "late")
    if project.deadline_hours is None:
        return []
    message = (
        f"Project {{project}}: round {{round}} is not done after {project.deadline_hours:g} hours. {{url}}"
    )
    return [
        DeadlineAlert(
            name=f"Round done in {project.deadline_hours:g} hours",
            reference=RunCreated(),
            interval=timedelta(hours=project.deadline_hours),
            callback=SyncCallback(
                OccasionNotifier,
                kwargs={
                    "project": project.project,
                    "occasion": "late",
                    "message": message,
                    "notifications": notifications,
                },
            ),
        )
    ]


def stalled_seconds(project: Project) -> float | None:
    """How long a job may stand still before people are told, in seconds; None: for ever."""
    hours = project.labeling.stalled_after_hours
    return None if hours is None else hours * 3600


def on_stalled(project: Project) -> Callable[[Mapping[str, Any], Mapping[str, Any]], None]:
    """What is called with context, name and counters of a job that nobody has worked on for a set time."""

    def tell(context: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        done, left = event["counters"]["TotalLabeled"], event["counters"]["Unlabeled"]
        text = (
            f"labeling job {event['job_name']}: no image labeled for "
            f"{project.labeling.stalled_after_hours:g} hours, {done} done and {left} left"
        )
        for notifier in notifiers_for(project, "stalled", f"Project {{project}}: {text}. {{url}}"):
            notifier(dict(context))

    return tell


def _named(project: Project, occasion: Occasion) -> list[dict[str, Any]]:
    return [
        {"notifier": one.notifier, "arguments": one.arguments}
        for one in project.notify
        if occasion in one.when
    ]


def _run(context: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the run: an object in tasks and Dag callbacks, a mapping in deadline callbacks."""
    run = context.get("dag_run")
    known: Callable[[str], Any] = (
        run.get if isinstance(run, Mapping) else lambda name: getattr(run, name, None)
    )
    return {
        "dag_id": known("dag_id") or getattr(context.get("dag"), "dag_id", ""),
        "run_id": known("run_id") or known("dag_run_id") or context.get("run_id", ""),
        "partition_key": known("partition_key"),
        "conf": known("conf") or {},
    }
