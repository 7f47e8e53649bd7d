"""The tasks that end every round, of new images and of imported jobs: merge, check, record, show."""

from __future__ import annotations

from typing import Any

from airflow.sdk import get_current_context

from labeling.assets import labels_asset
from labeling.links import show_data_docs, with_data_docs
from labeling.page_links import RoundLink, show_round, with_links
from labeling.parameters import relabel_run
from labeling.rounds import this_round
from labeling.tasks import task
from roundtruth.project import Project


def finish_round(project: Project, after: Any, inspected: Any = None) -> None:
    """Merge the categories of all jobs, check the labels, record the round, and show it.

    :param after: the task that measures the consensus of all jobs.
    :param inspected: the task that reads the images, whose findings the checks take in; None without one.
    """

    @task
    def merge_categories() -> dict[str, int]:
        from roundtruth.stages.labeling_round import merge

        return merge(*this_round(project), relabel_run=relabel_run(get_current_context()))

    @task
    def check_quality() -> dict[str, Any]:
        from roundtruth.stages.image_inspection import data_docs_uri
        from roundtruth.stages.labeling_round import check

        storage, _, round_key = this_round(project)
        show_data_docs(project, data_docs_uri(project, round_key))
        show_round(project, round_key)
        return check(storage, project, round_key, relabel_run=relabel_run(get_current_context()))

    labels = labels_asset(project)

    @task(outlets=[labels])
    def record_round() -> dict[str, Any]:
        from roundtruth.stages.labeling_round import record

        storage, _, round_key = this_round(project)
        run = relabel_run(get_current_context())
        show_round(project, round_key)
        recorded = record(storage, project, round_key, relabel_run=run)
        event = get_current_context()["outlet_events"][labels]
        event.add_partitions(round_key)
        event.extra = recorded
        return recorded

    # Also where a check blocks the round: its images are what people will want to look at.
    @task(trigger_rule="none_skipped")
    def make_thumbnails() -> dict[str, int] | None:
        from roundtruth.stages.round_thumbnails import make_thumbnails

        return make_thumbnails(*this_round(project))

    checked = with_links(with_data_docs(check_quality()), RoundLink)
    after >> merge_categories() >> checked >> with_links(record_round(), RoundLink)
    checked >> make_thumbnails()
    if inspected is not None:
        inspected >> checked
