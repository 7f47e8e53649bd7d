"""The list of rounds: what it shows equals the files, and what cannot be read says what to do."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from tests.labeling_ui.conftest import connection
from tests.labeling_ui.rounds_in_s3 import write_plan, write_recorded

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
PAGE = "/labeling/"
ROUND = "/labeling/projects/pens/rounds/{}"


@pytest.fixture
def pens(deploy, bucket):
    return deploy(root=f"s3://{bucket}/boxes", budget_usd=100)


@pytest.fixture
def dag_runs(airflow_app):
    """``dag_runs(key, state)`` puts a run of a round into Airflow's database."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    def add(key, state, *, dag_id="pens_labeling_round", by_hand=False):
        with create_session() as session:
            run = DagRun(
                dag_id=dag_id,
                run_id=f"manual__{key}__{state}",
                run_type="manual",
                state=state,
                run_after=datetime(2026, 11, 21, tzinfo=UTC),
                conf={"round": key} if by_hand else None,
                partition_key=None if by_hand else key,
            )
            session.add(run)

    yield add
    with create_session() as session:
        session.execute(delete(DagRun))


def cells(html):
    """Round -> the text of its cells."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = {}
    for row in body.split("<tr>")[1:]:
        found = [
            re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", one))).strip()
            for one in re.split(r"<t[hd][^>]*>", row)[1:]
        ]
        rows[found[0]] = found[1:]
    return rows


def test_rounds_of_a_project(viewer, storage, pens, dag_runs):
    write_recorded(
        storage, pens, "2026-11-02", counts={"labeled": 5, "negative": 1, "disputed": 2, "failed": 2}
    )
    write_recorded(storage, pens, "2026-11-09", agreement=None, warnings=2, spent_usd=12.5)
    write_plan(storage, pens, "2026-11-16", images=40)
    dag_runs("2026-11-02", "success")
    dag_runs("2026-11-16", "failed", by_hand=True)
    answer = viewer.get(PAGE)
    assert answer.status_code == 200
    found = cells(answer.text)
    assert list(found) == ["2026-11-16", "2026-11-09", "2026-11-02"], "the newest first"
    assert found["2026-11-02"] == [
        *("pens", "Recorded", "10", "8 of 10 (80 %)", "90.0 %", "2", "Passed"),
        *("0.80 USD of 100.00 USD", "–", "Dag run of round 2026-11-02 Data Docs of round 2026-11-02"),
    ]
    assert found["2026-11-09"][4:8] == ["–", "2", "2 warnings", "12.50 USD of 100.00 USD"]
    assert found["2026-11-16"][:4] == ["pens", "Failed", "40", "–"]
    assert 'href="/dags/pens_labeling_round/runs/manual__2026-11-16__failed"' in answer.text
    assert 'href="/labeling/projects/pens/rounds/2026-11-16"' in answer.text
    assert "data-live" not in answer.text, "nothing runs"


def test_a_round_started_by_hand_and_one_of_the_schedule_find_their_runs(viewer, storage, pens, dag_runs):
    for key, by_hand in (("extra", True), ("2026-11-09", False)):
        write_recorded(storage, pens, key)
        dag_runs(key, "success", by_hand=by_hand)
    html = viewer.get(PAGE).text
    assert "runs/manual__extra__success" in html
    assert "runs/manual__2026-11-09__success" in html


def test_every_state(viewer, storage, pens, dag_runs):
    write_plan(storage, pens, "planned")
    write_plan(storage, pens, "failed")
    dag_runs("failed", "failed")
    write_recorded(storage, pens, "recorded")
    write_recorded(storage, pens, "looked-at-again")  # a run that finds all done is no new labeling
    dag_runs("looked-at-again", "running")
    storage.write(pens.root_uri / "rounds/no-images/known-images.tsv", b"")
    dag_runs("no-images", "success")
    storage.write(pens.root_uri / "rounds/waiting/known-images.tsv", b"")
    dag_runs("waiting", "running")
    dag_runs("starting", "queued")
    found = {key: row[1] for key, row in cells(viewer.get(PAGE).text).items()}
    assert found == {
        "planned": "Planned, nothing runs",
        "failed": "Failed",
        "recorded": "Recorded",
        "looked-at-again": "Recorded",
        "no-images": "Nothing to label",
        "waiting": "Waiting for images",
        "starting": "Waiting for images",
    }
    shown = {
        state: set(cells(viewer.get(PAGE, params={"state": state}).text))
        for state in ("running", "recorded", "failed", "planned", "empty")
    }
    assert shown == {
        "running": {"waiting", "starting"},
        "recorded": {"recorded", "looked-at-again"},
        "failed": {"failed"},
        "planned": {"planned"},
        "empty": {"no-images"},
    }


def describe(status, labeled, unlabeled, failed=0):
    counters = {"TotalLabeled": labeled, "Unlabeled": unlabeled, "FailedNonRetryableError": failed}
    return {"LabelingJobStatus": status, "LabelCounters": counters}


def test_counters_of_running_jobs_come_from_ground_truth(viewer, storage, pens, dag_runs, monkeypatch):
    """Two jobs over each image; one of them failed and goes on as its next attempt."""
    from ground_truth.hooks import GroundTruthHook

    write_plan(storage, pens, "2026-11-16", images=40, jobs=2)
    dag_runs("2026-11-16", "running")
    told = {
        "pens-2026-11-16-1": describe("InProgress", 10, 30),
        "pens-2026-11-16-2": describe("Failed", 0, 40),
        "pens-2026-11-16-2-a2": describe("InProgress", 20, 20),
    }
    asked = []

    def answer(hook, name):
        asked.append(name)
        return told[name] | {"LabelingJobName": name} if name in told else None

    monkeypatch.setattr(GroundTruthHook, "describe_labeling_job_or_none", answer)
    row = cells(viewer.get(PAGE).text)["2026-11-16"]
    assert row[1:4] == ["Labeling", "40", "30 of 80 objects (38 %)"]
    assert row[7].startswith("≈ 1.20 USD"), "the share of what its first jobs cost at most, 3.20 USD"
    assert 'id="rounds" data-live="10"' in viewer.get(PAGE).text, "live.js asks again while something runs"
    assert len(asked) == 3, "who reloads the page does not ask AWS again"


def test_jobs_that_are_over_leave_consensus_and_checks(viewer, storage, pens, dag_runs, monkeypatch):
    from ground_truth.hooks import GroundTruthHook

    write_plan(storage, pens, "2026-11-16", images=40)
    dag_runs("2026-11-16", "running")
    told = describe("Completed", 39, 0, 1)
    monkeypatch.setattr(
        GroundTruthHook, "describe_labeling_job_or_none", lambda _, name: told | {"LabelingJobName": name}
    )
    row = cells(viewer.get(PAGE).text)["2026-11-16"]
    assert row[1:4] == ["Consensus and checks", "40", "39 of 40 (98 %)"]


def test_when_ground_truth_refuses_the_page_says_so_and_shows_the_rest(
    viewer, storage, pens, dag_runs, monkeypatch
):
    from botocore.exceptions import ClientError

    from ground_truth.hooks import GroundTruthHook

    def refuse(hook, name):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no <right>"}}, "DescribeLabelingJob")

    monkeypatch.setattr(GroundTruthHook, "describe_labeling_job_or_none", refuse)
    write_plan(storage, pens, "2026-11-16", images=40)
    dag_runs("2026-11-16", "running")
    answer = viewer.get(PAGE)
    assert answer.status_code == 200
    assert "no &lt;right&gt;" in answer.text
    assert cells(answer.text)["2026-11-16"][1:4] == ["Labeling", "40", "–"]


def test_counters_of_a_job_in_the_sandbox(viewer, storage, pens, dag_runs, sagemaker_client):
    """The page asks with the project's own connection; here for a job that nobody has made yet.

    The name of a job is the project's and the round's, and other tests label such in the same sandbox.
    """
    write_plan(storage, pens, "a-round-of-its-own", images=40)
    dag_runs("a-round-of-its-own", "running")
    answer = viewer.get(PAGE)
    assert "does not tell" not in answer.text
    assert cells(answer.text)["a-round-of-its-own"][1:4] == ["Labeling", "40", "0 of 40 (0 %)"]


COLUMNS = {
    "round": ["c", "b", "a"],
    "agreement": ["b", "c", "a"],  # what is too low first; what has none stands last
    "disputed": ["a", "b", "c"],
    "images": ["a", "c", "b"],
    "labeled": ["a", "b", "c"],
    "cost": ["c", "b", "a"],
    "quality": ["b", "c", "a"],
}


@pytest.mark.parametrize(("column", "order"), COLUMNS.items(), ids=COLUMNS)
def test_sorting(viewer, storage, pens, column, order):
    counts = {"labeled": 1, "disputed": 5, "failed": 4}
    write_recorded(storage, pens, "a", counts=counts, agreement=None, spent_usd=1)
    counts = {"labeled": 3, "disputed": 1, "unlabeled": 1}
    write_recorded(storage, pens, "b", counts=counts, agreement=0.4, spent_usd=2, warnings=1)
    write_recorded(storage, pens, "c", counts={"labeled": 6}, agreement=0.8, spent_usd=3)
    html = viewer.get(PAGE, params={"sort": column}).text
    assert list(cells(html)) == order
    address = unescape(re.search(r'aria-sort="\w+"[^>]*><a href="([^"]+)"', html)[1])
    turned = list(cells(viewer.get(address).text))
    # Equal ones stand newest first either way, and what has no value last.
    assert turned == {"agreement": ["c", "b", "a"], "quality": ["c", "a", "b"]}.get(column, order[::-1])


def complete_list(viewer, **query):
    """The list once all is read: of many rounds the first look shows the newest alone."""
    for _ in range(200):
        html = viewer.get(PAGE, params=query).text
        if "Looking for more rounds" not in html:
            return html
        time.sleep(0.05)
    raise TimeoutError(html)


def test_pages_of_rounds(viewer, storage, pens):
    for number in range(1, 61):
        write_plan(storage, pens, f"round-{number}")
    first = complete_list(viewer, per=25)
    assert next(iter(cells(first))) == "round-60"
    assert len(cells(first)) == 25
    assert "1–25 of 60 rounds" in first
    following = unescape(re.search(r'rel="next" href="([^"]+)"', first)[1])
    second = viewer.get(following).text
    assert next(iter(cells(second))) == "round-35"
    assert "Page 2 of 3" in second
    assert "Page 3 of 3" in viewer.get(PAGE, params={"per": 25, "page": 99}).text, "the last one"


def test_projects_stand_together_and_alone(viewer, storage, deploy, bucket):
    for name in ("pens", "bolts"):
        project = deploy(project=name, root=f"s3://{bucket}/{name}", dataset={"name": name})
        write_recorded(storage, project, "2026-11-02")
    html = viewer.get(PAGE).text
    assert len(re.findall(r'<th scope="row">', html)) == 2
    alone = viewer.get(PAGE, params={"project": "bolts"}).text
    assert [row[0] for row in cells(alone).values()] == ["bolts"]


def test_a_project_that_the_user_may_not_read_is_not_there(viewer, storage, deploy, bucket, monkeypatch):
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    secret = deploy(project="secret", root=f"s3://{bucket}/secret", dataset={"name": "secret"})
    pens = deploy(root=f"s3://{bucket}/boxes")
    for project in (secret, pens):
        write_recorded(storage, project, "2026-11-02")
    allowed = SimpleAuthManager.is_authorized_dag

    def by_dag(self, *, details=None, **asked):
        hidden = details is not None and details.id == "secret_labeling_round"
        return not hidden and allowed(self, details=details, **asked)

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", by_dag)
    html = viewer.get(PAGE).text
    assert "secret" not in html
    assert list(cells(html)) == ["2026-11-02"]
    assert viewer.get(PAGE, params={"project": "secret"}).text.count("secret") <= 1, (
        "what was asked for alone"
    )


def test_no_project(viewer, deploy):
    assert "No projects" in viewer.get(PAGE).text


def test_no_rounds(viewer, pens):
    html = viewer.get(PAGE).text
    assert "No rounds yet" in html
    assert 'href="/dags/pens_labeling_round" data-opens="airflow"' in html
    assert "No such rounds" in viewer.get(PAGE, params={"state": "failed"}).text


def test_a_broken_project_file_is_named_to_who_may_see_import_errors(viewer, storage, deploy, pens, tmp_path):
    write_recorded(storage, pens, "2026-11-02")
    Path(os.environ["ROUNDTRUTH_PROJECTS"], "broken.yaml").write_text("project: <b>\n")
    html = viewer.get(PAGE).text
    assert "broken.yaml" in html
    assert list(cells(html)) == ["2026-11-02"], "the others are shown"


def test_a_missing_bucket_is_named_and_other_projects_are_shown(viewer, storage, deploy, pens):
    deploy(project="lost", root="s3://no-such-bucket-anywhere/boxes", dataset={"name": "lost"})
    write_recorded(storage, pens, "2026-11-02")
    answer = viewer.get(PAGE)
    assert answer.status_code == 200
    assert "no-such-bucket-anywhere" in answer.text
    assert list(cells(answer.text)) == ["2026-11-02"]


def test_a_missing_connection_is_named(viewer, deploy, bucket):
    deploy(root=f"s3://{bucket}/boxes", aws_conn_id="nowhere")
    html = viewer.get(PAGE).text
    assert "nowhere" in html
    assert "aws_conn_id" in html
    assert "No rounds yet" not in html


def test_names_are_escaped(viewer, pens):
    html = viewer.get(PAGE, params={"project": "<script>alert(1)</script>"}).text
    assert "<script>alert" not in html


def test_on_aws_the_list_links_to_the_console_and_the_portal(viewer, storage, pens, monkeypatch):
    from ground_truth.hooks import GroundTruthHook

    endpoints = json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"])
    del endpoints["extra"]["service_config"]["sagemaker"]
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(endpoints))
    domain = "abc.labeling.us-east-1.sagemaker.aws"
    monkeypatch.setattr(GroundTruthHook, "labeling_portal_domain", lambda hook, workteam_arn: domain)
    write_recorded(storage, pens, "2026-11-02")
    html = unescape(viewer.get(PAGE).text)
    assert 'href="https://abc.labeling.us-east-1.sagemaker.aws" data-opens="window"' in html
    assert "groundtruth?region=us-east-1#/labeling-jobs/details/pens-2026-11-02-1" in html


def test_a_round_that_cannot_be_read_says_so_and_the_others_are_shown(viewer, storage, pens, dag_runs):
    write_recorded(storage, pens, "2026-11-02")
    write_plan(storage, pens, "2026-11-09")
    storage.write(pens.root_uri / "rounds/2026-11-09/plan.json", b"{<b>")
    storage.write(pens.root_uri / "rounds/2026-11-16/round.json", b"{")
    dag_runs("2026-11-09", "failed")
    html = viewer.get(PAGE).text
    found = cells(html)
    assert list(found) == ["2026-11-16", "2026-11-09", "2026-11-02"]
    assert found["2026-11-02"][1] == "Recorded"
    assert found["2026-11-09"][1].startswith("Cannot be read A file of round '2026-11-09' cannot be read")
    assert found["2026-11-16"][1].startswith("Cannot be read round.json of round '2026-11-16'")
    assert set(cells(viewer.get(PAGE, params={"state": "broken"}).text)) == {"2026-11-09", "2026-11-16"}
    page = viewer.get(ROUND.format("2026-11-16"))
    assert page.status_code == 200
    assert "round.json of round" in page.text
    page = viewer.get(ROUND.format("2026-11-09"))
    assert page.status_code == 404
    assert "plan.json is not a plan" in page.text


def test_a_run_that_failed_before_its_first_file_is_listed_and_has_a_page(viewer, pens, dag_runs):
    dag_runs("2026-11-16", "failed")
    found = cells(viewer.get(PAGE).text)
    assert found["2026-11-16"][1] == "Failed"
    assert found["2026-11-16"][-1] == "Dag run of round 2026-11-16"
    page = viewer.get("/labeling/dags/pens_labeling_round/runs/manual__2026-11-16__failed")
    assert page.status_code == 200
    assert "Failed before it planned any image" in page.text
    assert "took no images" not in page.text
    assert 'href="/dags/pens_labeling_round/runs/manual__2026-11-16__failed"' in page.text


def test_a_silent_s3_holds_no_page_for_long(viewer, deploy, monkeypatch):
    """It accepts connections and never answers; pages give up by their limits, here a second each."""
    from labeling_ui import deployment
    from roundtruth.s3_connection import RequestLimits

    limits = RequestLimits(connect_seconds=1, silent_seconds=1, retry_seconds=0.5, retries=2)
    monkeypatch.setattr(deployment, "PAGE_LIMITS", limits)
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setenv("AIRFLOW_CONN_SILENT", connection(f"http://127.0.0.1:{port}"))
        deploy(root="s3://boxes/pens", aws_conn_id="silent")
        viewer.get("/labeling/projects/nowhere")  # imports, before the clock runs
        start = time.monotonic()
        listed, page = viewer.get(PAGE), viewer.get(ROUND.format("2026-11-16"))
        taken = time.monotonic() - start
    assert listed.status_code == 200, "other projects may be there"
    assert "its rounds cannot be read" in listed.text
    assert page.status_code == 502
    for html in (listed.text, page.text):
        assert "Cannot read s3://boxes/pens/rounds/" in html
    assert taken < 8


def test_several_silent_s3_are_waited_for_at_once_and_hide_no_project(
    viewer, storage, deploy, bucket, monkeypatch
):
    """Four endpoints that never answer cost as long as one, and a deadline stands over all of them."""
    from labeling_ui import deployment, project_lists
    from roundtruth.s3_connection import RequestLimits

    def look():
        start = time.monotonic()
        html = viewer.get(PAGE).text
        assert "2026-11-02" in cells(html), "that of the project whose S3 answers"
        return html, time.monotonic() - start

    limits = RequestLimits(connect_seconds=2, silent_seconds=3, retry_seconds=0.5, retries=2)
    monkeypatch.setattr(deployment, "PAGE_LIMITS", limits)
    write_recorded(storage, deploy(root=f"s3://{bucket}/boxes"), "2026-11-02")
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        port = silent.getsockname()[1]
        for number in range(4):
            monkeypatch.setenv(f"AIRFLOW_CONN_SILENT{number}", connection(f"http://127.0.0.1:{port}"))
            deploy(
                project=f"mute-{number}",
                root=f"s3://mute-{number}/pens",
                dataset={"name": f"mute-{number}"},
                aws_conn_id=f"silent{number}",
            )
        viewer.get(PAGE)  # boto3's clients are made, which takes CPU
        html, taken = look()
        assert html.count("its rounds cannot be read. Cannot read s3://mute-") == 4
        assert taken < 4 * 3
        monkeypatch.setattr(project_lists, "MOST_SECONDS", 0.5)
        html, taken = look()
        assert html.count("S3 has not told of them") == 4
        assert taken < 3


def test_limits_of_pages_add_up_to_half_a_minute_at_most():
    """A page asks for its rows, then for its round: whichever S3 leaves without an answer, it is the last."""
    from labeling_ui.deployment import PAGE_LIMITS
    from labeling_ui.project_lists import MOST_SECONDS

    assert PAGE_LIMITS.retry_seconds <= PAGE_LIMITS.silent_seconds, "who was silent is not asked again"
    assert 2 * (PAGE_LIMITS.connect_seconds + PAGE_LIMITS.silent_seconds) <= 30
    assert PAGE_LIMITS.connect_seconds + PAGE_LIMITS.silent_seconds <= MOST_SECONDS
