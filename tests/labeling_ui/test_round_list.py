"""Rows of the list: what a running round has cost so far, and how jobs over the same images count."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


def planned_job(name, *, relabel_pass=0, images=40, imported=None):
    from roundtruth.rounds.planned import PlannedJob

    return PlannedJob(
        name=name,
        categories=("pen",),
        part=0,
        images=images,
        workers=3,
        relabel_pass=relabel_pass,
        imported=imported,
    )


def running_row(*jobs, images=40, passes=2):
    from labeling_ui.dag_runs import Run
    from labeling_ui.round_list import make_row
    from roundtruth.overviews.open_rounds import OpenRound
    from roundtruth.overviews.project_rounds import ListedRound
    from tests.project_samples import make_project

    project = make_project(consensus={"relabel_passes": passes})
    opened = OpenRound(round="a", images=images, jobs=jobs, labeling_usd=4.0, most_usd=8.0)
    run = Run(dag_id="pens_labeling_round", run_id="r", state="running", started=None, ended=None)
    return make_row(project, ListedRound(key="a", recorded=None, open=opened), run)


def live(**labeled):
    from labeling_ui.live_jobs import LiveJob

    return {
        name: LiveJob(name=name, status="InProgress", labeled=done, unlabeled=rest)
        for name, (done, rest) in labeled.items()
    }


@pytest.mark.parametrize(
    ("jobs", "counters", "labeled", "of", "unit", "cost"),
    [
        pytest.param([("j", 0, 40)], {"j": (10, 30)}, 10, 40, "image", 1.0, id="one job"),
        pytest.param(
            [("j", 0, 40), ("k", 0, 40)],
            {"j": (40, 0), "k": (20, 20)},
            *(60, 80, "object", 3.0),
            id="two jobs over each image",
        ),
        pytest.param(
            [("j", 0, 40), ("r", 1, 10)],
            {"j": (40, 0), "r": (10, 0)},
            *(50, 50, "object", 4.5),  # a pass over all 40 costs 2 USD
            id="a relabel pass",
        ),
        pytest.param([("j", 0, 40)], {"j": (0, 0)}, 0, 40, "image", 0.0, id="its manifest is not read yet"),
    ],
)
def test_what_is_labeled_and_paid_so_far(jobs, counters, labeled, of, unit, cost):
    from labeling_ui.round_list import with_live

    row = running_row(*(planned_job(name, relabel_pass=again, images=n) for name, again, n in jobs))
    assert row.live == tuple(name for name, _, _ in jobs)
    shown = with_live(row, live(**counters), {name: n for name, _, n in jobs})
    assert (shown.labeled, shown.of, shown.unit) == (labeled, of, unit)
    assert shown.cost_usd == pytest.approx(cost)
    assert shown.cost_is_estimate


def test_jobs_of_an_import_were_over_before():
    from roundtruth.rounds.planned import ImportedJob

    imported = ImportedJob(
        label_attribute="boxes",
        job_name="years-ago",
        output_uris=("s3://b/years-ago",),
        labels_from="answers",
        asked="label-categories",
        adjusts=False,
        labeled=40,
        negative=0,
        failed=0,
        unlabeled=0,
        answers=120,
        superseded=0,
    )
    assert running_row(planned_job("years-ago", imported=imported)).live == ()
