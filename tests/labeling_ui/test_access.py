"""Every route of the pages asks Airflow's auth manager: whatever route is added, these tests find it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from roundtruth.rounds.folder import rounds_folder
from tests.labeling_ui.rounds_in_s3 import write_recorded

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


@pytest.fixture
def may_only(airflow_app, monkeypatch):
    """``may_only({"pens_labeling_round": {"GET"}})``: rights by Dag and entity, as in Airflow with FAB.

    A right is a method, or ``"GET RUN"``: the method and the part of the Dag that is asked for.
    """
    from airflow.api_fastapi.app import get_auth_manager

    def grant(rights):
        def is_authorized(*, method, user, access_entity=None, details=None):
            if details is None or details.id is None:
                return True  # some Dag
            asked = f"{method} {access_entity.value}" if access_entity else method
            return asked in rights.get(details.id, ())

        monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", is_authorized)

    return grant


ALL = {"GET", "PUT", "POST", "GET RUN", "GET HITL_DETAIL"}


def dags_of(project):
    kinds = ("labeling_round", "round_import", "dataset_release", "train_on_release")
    return {f"{project}_{kind}": ALL for kind in kinds}


def test_who_may_read_one_project_gets_403_for_every_route_of_another(airflow_app, client_of, pens, may_only):
    may_only(dags_of("other"))
    of_pens = [one for one in all_routes(airflow_app) if "pens" in one[1]]
    assert len(of_pens) >= 10
    answers = {(m, path): client_of("admin").request(m, path) for m, path in of_pens}
    assert {one: answer.status_code for one, answer in answers.items()} == dict.fromkeys(of_pens, 403)
    listed = client_of("admin").get("/labeling/").text
    assert "projects/pens/" not in listed
    assert "project=pens" not in listed


def test_who_may_read_the_rounds_alone_sees_no_version_approval_or_run(
    airflow_app, client_of, pens, storage, may_only
):
    from labeling_ui import dag_runs

    write_recorded(storage, pens, "2026-11-16")
    storage.write(rounds_folder(pens) / "2026-11-23" / "known-images.tsv", b"")
    run = dag_runs.Run(
        dag_id="pens_labeling_round", run_id="manual__1", state="failed", started=None, ended=None
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dag_runs, "newest_runs", lambda session, dags: {"2026-11-23": run})
        patch.setattr(dag_runs, "waiting_approvals", lambda session, project: (waiting(),))
        told = {}
        for name, rights in {"all": dags_of("pens"), "rounds": {"pens_labeling_round": {"GET"}}}.items():
            may_only(rights)
            pages = ("/labeling/", "/labeling/projects/pens/rounds/2026-11-23")
            told[name] = "".join(client_of("viewer").get(page).text for page in pages)
    for part in ("A release waits", "/pens/dataset", "manual__1"):
        assert part in told["all"], part
        assert part not in told["rounds"], part
    for name, states in {"all": ["Recorded", "Failed"], "rounds": ["Recorded", "Not recorded yet"]}.items():
        assert set(re.findall(r'class="badge [a-z]*">([^<]+)</span>', told[name])) >= set(states)
    of_dataset = [one for one in all_routes(airflow_app) if "/pens/dataset" in one[1]]
    answers = {(m, path): client_of("admin").request(m, path).status_code for m, path in of_dataset}
    assert answers == dict.fromkeys(of_dataset, 403)


def waiting():
    from datetime import UTC, datetime

    from labeling_ui.dag_runs import WaitingApproval

    return WaitingApproval(
        run_id="r", round="2026-11-16", subject="Publish?", body="", since=datetime.now(UTC), page="/dags/r"
    )


@pytest.mark.parametrize("dag", ["pens_labeling_round", "pens_dataset_release"])
def test_rolling_back_needs_both_dags_to_be_edited(airflow_app, client_of, pens, may_only, dag):
    may_only(dags_of("pens") | {dag: {"GET", "GET RUN", "GET HITL_DETAIL"}})
    for ask in ("GET", "POST"):
        page = "/labeling/projects/pens/dataset/versions/v0001/rollback"
        assert client_of("admin").request(ask, page, data={"seen": "v1"}).status_code == 403


def test_broken_project_files_are_told_to_who_may_see_import_errors_and_never_their_folder(
    client_of, pens, monkeypatch
):
    from airflow.api_fastapi.app import get_auth_manager

    folder = os.environ["ROUNDTRUTH_PROJECTS"]
    Path(folder, "secret-customer.yaml").write_text("project: <b>\n")
    for may in (True, False):
        monkeypatch.setattr(get_auth_manager(), "is_authorized_view", lambda *, may=may, **_: may)
        answer = client_of("viewer").get("/labeling/projects/nothing/rounds/x")
        assert answer.status_code == 404
        assert ("secret-customer.yaml" in answer.text) == may
        for page in (answer, client_of("viewer").get("/labeling/")):
            assert folder not in page.text


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
