"""The link from a check to its Data Docs: where it leads on AWS and at an endpoint of another S3."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import urljoin

import numpy as np
import pandas as pd
import pytest

from roundtruth.storage import ObjectUri

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

URI = ObjectUri("some-bucket", "boxes/rounds/2026-11-16/data docs/index.html")


def connection(**extra):
    return json.dumps({"conn_type": "aws", "login": "key", "password": "secret", "extra": extra})


@pytest.mark.parametrize(
    ("extra", "url"),
    [
        pytest.param(
            {"region_name": "eu-west-1"},
            "https://console.aws.amazon.com/s3/object/some-bucket?region=eu-west-1"
            "&prefix=boxes/rounds/2026-11-16/data%20docs/index.html",
            id="AWS",
        ),
        pytest.param(
            {"region_name": "cn-north-1"},
            "https://console.amazonaws.cn/s3/object/some-bucket?region=cn-north-1"
            "&prefix=boxes/rounds/2026-11-16/data%20docs/index.html",
            id="China",
        ),
        pytest.param(
            {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:9000/"},
            "http://127.0.0.1:9000/some-bucket/boxes/rounds/2026-11-16/data%20docs/index.html",
            id="an endpoint",
        ),
    ],
)
def test_where_data_docs_open(monkeypatch, extra, url):
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from labeling.links import data_docs_url

    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(**extra))
    assert data_docs_url(S3Hook(), URI) == url


def test_the_task_stores_the_link_that_the_ui_shows(monkeypatch):
    link = open_link(monkeypatch, "http://127.0.0.1:9000", URI)
    assert link == "http://127.0.0.1:9000/some-bucket/boxes/rounds/2026-11-16/data%20docs/index.html"


def open_link(monkeypatch, endpoint_url, uri):
    """The address that the link of the task shows, for a connection that leads to an endpoint."""
    from airflow.providers.common.compat.sdk import XCom

    from labeling import links
    from tests.project_samples import make_project

    pushed = {}

    class TaskInstance:
        def xcom_push(self, *, key, value):
            pushed[key] = value

    class Task:
        do_xcom_push = True

    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(endpoint_url=endpoint_url))
    monkeypatch.setattr(links, "get_current_context", lambda: {"ti": TaskInstance(), "task": Task()})
    links.show_data_docs(make_project(), str(uri))
    monkeypatch.setattr(XCom, "get_value", lambda *, key, ti_key: pushed[key])
    return links.DataDocsLink().get_link(Task(), ti_key=None)


def test_the_link_opens_a_page_with_the_failing_image(monkeypatch, sandbox, bucket, tmp_path):
    """Over HTTP as a browser would, without a signature; the pages behind the first one open too."""
    from roundtruth.quality import checks
    from roundtruth.quality.data_docs import publish_site
    from roundtruth.quality.judging import _judgement
    from roundtruth.quality.suites import Outcome, Suite
    from roundtruth.quality_settings import Quality
    from tests.store import open_store

    settings = Quality()
    failing = "s3://some-bucket/images/photo #1 한글.jpg"
    check = next(one for one in checks.label_checks(settings, ["pen"]) if one.name == "box_inside_image")
    frame = pd.DataFrame({"source_ref": [failing], "category": ["pen"], "overhang_px": [7.0]})
    suite = Suite(name="labels", frame=frame, key=("source_ref", "category"), checks=(check,))
    outcome = Outcome(suite=suite, check=check, success=False, failed_rows=1, failing=np.array([True]))
    (tmp_path / "validations" / "labels").mkdir(parents=True)
    (tmp_path / "validations" / "labels" / "page.html").write_text("Great Expectations' page")
    docs = ObjectUri(bucket, "boxes/rounds/2026-11-16/data_docs")
    publish_site(
        tmp_path,
        [outcome],
        _judgement([outcome], settings, [suite], {"planned": 1}).verdict,
        docs,
        open_store(sandbox.endpoint_url),
    )
    url = open_link(monkeypatch, sandbox.endpoint_url, docs / "index.html")
    with urllib.request.urlopen(url, timeout=10) as page:
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        shown = page.read().decode()
    assert failing in shown
    assert "box_inside_image" in shown
    targets = [part.split('"')[0] for part in shown.split('href="')[1:]]
    assert len(targets) == 2
    for target in targets:
        with urllib.request.urlopen(urljoin(url, target), timeout=10) as page:
            assert page.read()
