"""Links of tasks: where they lead for an Airflow with and without a path of its own."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


@pytest.fixture
def links(monkeypatch):
    """The module, in a task that runs; ``links.pushed`` holds what it stores."""
    from labeling import page_links

    pushed = {}

    class TaskInstance:
        def xcom_push(self, *, key, value):
            pushed[key] = value

    monkeypatch.setattr(page_links, "get_current_context", lambda: {"ti": TaskInstance()})
    monkeypatch.setattr(page_links.XCom, "get_value", lambda *, key, ti_key: pushed.get(key))
    return page_links


@pytest.fixture
def pens():
    from tests.project_samples import make_project

    return make_project()


@pytest.mark.parametrize(
    ("base_url", "begin"),
    [
        pytest.param("", "/plugin/labeling/labeling", id="no base_url"),
        pytest.param("https://af.example", "https://af.example/plugin/labeling/labeling", id="root"),
        pytest.param(
            "https://example.org/flow",
            "https://example.org/flow/plugin/labeling/flow/labeling",
            id="below a path",
        ),
    ],
)
def test_where_links_lead(links, pens, monkeypatch, base_url, begin):
    """The part behind /plugin/labeling is the page's own path: so Airflow's web UI fills its frame."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    links.show_round(pens, "2026-11-16")
    links.show_disputed_images(pens, "2026-11-16")
    links.show_version(pens, "v0003")
    round_page = f"{begin}/projects/pens/rounds/2026-11-16"
    assert [
        link().get_link(None, ti_key=None)
        for link in (links.RoundLink, links.DisputedImagesLink, links.VersionLink)
    ] == [
        round_page,
        f"{round_page}/images?status=disputed",
        f"{begin}/projects/pens/dataset/versions/v0003",
    ]
    assert links.round_page(pens, None) == f"{begin}/?project=pens"


def test_a_task_that_has_not_run_has_no_link(links):
    assert links.RoundLink().get_link(None, ti_key=None) == ""
