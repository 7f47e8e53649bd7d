"""The pages in Airflow's own API server: loaded as a plugin, with the connection of its database, and light.

In a process of its own: what other tests import would hide what the pages load.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.labeling_ui.conftest import ENVIRONMENT, connection
from tests.labeling_ui.labeled import ROUNDS, label_rounds
from tests.project_samples import project_content

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("airflow")]
ROOT = Path(__file__).parents[2]

# What the pages must never load: each takes seconds and hundreds of megabytes of a process that serves all
# of Airflow. numpy and pyarrow are there, they read Parquet.
HEAVY = ("pandas", "great_expectations", "scipy", "moto")

ASK = """
import json, sys
from airflow import settings
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.connection import Connection
from airflow.utils.session import create_session
asked = json.loads(sys.argv[1])
import_all_models()
Base.metadata.create_all(settings.engine)
with create_session() as session:
    session.add(Connection(conn_id="aws_default", uri=None, **asked["connection"]))
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from starlette.testclient import TestClient
client = TestClient(create_app(apps="core"), base_url=asked["base_url"], follow_redirects=False)
answers = {page: [client.get(page).status_code] for page in asked["pages"]}
# As a browser asks, with the cookie that Airflow's login sets.
vic = SimpleAuthManagerUser(username="vic", role="viewer")
client.cookies.set("_token", get_auth_manager().generate_jwt(vic))
views = client.get("/api/v2/plugins").text
for page in asked["pages"]:
    answer = client.get(page)
    text = answer.text if "text/html" in answer.headers.get("content-type", "") else ""
    answers[page] += [answer.status_code, text]
heavy = [name for name in asked["heavy"] if name in sys.modules]
print("ASKED" + json.dumps({"answers": answers, "heavy": heavy, "views": views}))
"""


@pytest.fixture
def pens(storage, sagemaker_client, bucket, tmp_path):
    """A project with a recorded round and a published version, its file in a folder of its own."""
    from roundtruth.project_files import load_project
    from roundtruth.stages.dataset_release import assemble, publish

    content = project_content(
        root=f"s3://{bucket}/boxes", quality={"near_duplicates": False}, consensus={"relabel_passes": 0}
    )
    path = tmp_path / "projects" / "pens.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    project = load_project(path)
    label_rounds(storage, sagemaker_client, project, counts=(4,), checked=False)
    publish(storage, project, assemble(storage, project))
    return project


def ask(pages, endpoint_url, tmp_path, *, base_url="http://testserver"):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment = {
        **inherited,
        **ENVIRONMENT,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__API__BASE_URL": base_url,
        "AIRFLOW__API__SECRET_KEY": "a-secret-of-these-tests",
        "PYTHONPATH": str(ROOT / "include"),
        "ROUNDTRUTH_PROJECTS": str(tmp_path / "projects"),
        "_AIRFLOW_PROCESS_CONTEXT": "server",  # as `airflow api-server` sets it
    }
    told = json.loads(connection(endpoint_url))
    question = {
        "pages": pages,
        "connection": told | {"extra": json.dumps(told["extra"])},
        "heavy": HEAVY,
        "base_url": base_url,
    }
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(question)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "ASKED" in done.stdout, done.stdout + done.stderr
    return json.loads(done.stdout.split("ASKED", 1)[1])


def test_every_page_is_served_with_the_connection_of_the_database_and_without_pandas(pens, sandbox, tmp_path):
    round_page = f"/labeling/projects/pens/rounds/{ROUNDS[0]}"
    dataset = "/labeling/projects/pens/dataset"
    pages = {
        "/labeling/": 200,
        "/labeling/static/labeling.css": 200,
        "/labeling/dags/pens_labeling_round": 303,
        round_page: 200,
        f"{round_page}/images": 200,
        f"{round_page}/images/0": 200,
        f"{round_page}/images/0/thumbnail": 200,
        f"{round_page}/images/0/original": 307,
        dataset: 200,
        f"{dataset}/changes?old=v0001&new=v0001": 200,
        f"{dataset}/versions/v0001": 200,
        f"{dataset}/versions/v0001/images/0": 200,
    }
    said = ask(list(pages), sandbox.endpoint_url, tmp_path)
    assert {page: answer[0] for page, answer in said["answers"].items()} == dict.fromkeys(pages, 401)
    assert {page: answer[1] for page, answer in said["answers"].items()} == pages, said["answers"]
    assert ROUNDS[0] in said["answers"]["/labeling/"][2]
    assert said["heavy"] == []
    assert '"url_route":"labeling"' in said["views"]
