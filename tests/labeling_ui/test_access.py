"""Every route of the pages asks Airflow's auth manager: whatever route is added, these tests find it."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]

VALUES = {
    "project": "pens",
    "dag_id": "pens_labeling_round",
    "run_id": "manual__1",
    "name": "labeling.css",
}
ACTS = {"POST", "PUT", "PATCH", "DELETE"}


def all_routes(app):
    """(method, path) of every route below the mount."""
    [mount] = [one for one in app.routes if one.path == "/labeling"]
    for one in mount.app.routes:
        assert hasattr(one, "methods"), f"{one.path}: mounted applications would not be asked for access"
        for method in sorted(one.methods - {"HEAD", "OPTIONS"}):
            path = re.sub(r"{(\w+)(:\w+)?}", lambda found: VALUES.get(found[1], "some"), one.path)
            yield method, f"/labeling{path}"


@pytest.fixture
def pens(deploy, bucket):
    return deploy(root=f"s3://{bucket}/boxes")


def test_nobody_gets_401_everywhere(airflow_app, client_of, pens):
    answers = {(m, path): client_of(None).request(m, path).status_code for m, path in all_routes(airflow_app)}
    assert answers
    assert set(answers.values()) == {401}, answers


def test_who_has_no_rights_gets_403_everywhere(airflow_app, client_of, pens):
    """But for our styles and scripts, which are for everybody who is logged in."""
    routes = [one for one in all_routes(airflow_app) if "/static/" not in one[1]]
    answers = {(m, path): client_of("none").request(m, path).status_code for m, path in routes}
    assert set(answers.values()) == {403}, answers


def test_who_may_only_look_gets_403_for_every_act(airflow_app, viewer, pens):
    acts = [one for one in all_routes(airflow_app) if one[0] in ACTS]
    assert {(m, path): viewer.request(m, path).status_code for m, path in acts} == dict.fromkeys(acts, 403)


def test_no_schema_is_served(airflow_app, client_of, pens):
    for path in ("/labeling/docs", "/labeling/redoc", "/labeling/openapi.json"):
        assert client_of("admin").get(path).status_code == 404


def test_headers_keep_others_out(viewer, pens):
    answer = viewer.get("/labeling/")
    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
