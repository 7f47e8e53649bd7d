"""The link from a check to its Data Docs: where it leads on AWS and at an endpoint of another S3."""

from __future__ import annotations

import json

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
    from airflow.providers.common.compat.sdk import XCom

    from labeling import links
    from tests.project_samples import make_project

    pushed = {}

    class TaskInstance:
        def xcom_push(self, *, key, value):
            pushed[key] = value

    class Task:
        do_xcom_push = True

    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(endpoint_url="http://127.0.0.1:9000"))
    monkeypatch.setattr(links, "get_current_context", lambda: {"ti": TaskInstance(), "task": Task()})
    links.show_data_docs(make_project(), str(URI))
    monkeypatch.setattr(XCom, "get_value", lambda *, key, ti_key: pushed[key])
    link = links.DataDocsLink().get_link(Task(), ti_key=None)
    assert link == "http://127.0.0.1:9000/some-bucket/boxes/rounds/2026-11-16/data%20docs/index.html"
