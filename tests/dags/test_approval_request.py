"""What a person is asked before a release: the round to look at is one click away."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest
import yaml

from tests.dag_parsing import ROOT
from tests.project_samples import project_content

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]


@pytest.fixture
def releases(tmp_path, monkeypatch):
    """The file of the Dags of releases over one project that always asks."""
    content = project_content(dataset__approval="always")
    (tmp_path / "pens.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.setenv("ROUNDTRUTH_PROJECTS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://flows.example")
    spec = importlib.util.spec_from_file_location("releases_that_ask", ROOT / "dags" / "dataset_releases.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    monkeypatch.setattr(loaded, "connected", lambda project: (None, project))
    from roundtruth.stages import release_decision

    monkeypatch.setattr(release_decision, "approval_request", lambda *_: "| v0002 | 40 images |")
    return loaded


@pytest.mark.parametrize(
    ("partition_key", "page"),
    [
        pytest.param("2026-11-16", "/projects/pens/rounds/2026-11-16", id="by the recording of a round"),
        pytest.param(None, "/?project=pens", id="by hand: all rounds of the project"),
    ],
)
def test_the_request_for_approval_links_to_the_page_of_its_round(releases, monkeypatch, partition_key, page):
    context = {"dag_run": SimpleNamespace(partition_key=partition_key)}
    monkeypatch.setattr(releases, "get_current_context", lambda: context)
    describe = releases.pens_dataset_release.get_task("describe_version")
    body = describe.python_callable("s3://b/candidate", {"data_docs_uri": "s3://b/docs"})
    assert body.startswith("| v0002 | 40 images |")
    assert f"[Look at the round](https://flows.example/plugin/labeling/labeling{page})" in body
    asked = releases.pens_dataset_release.get_task("approve_version")
    assert "describe_version" in asked.body
    assert "approve_version" in describe.downstream_task_ids
