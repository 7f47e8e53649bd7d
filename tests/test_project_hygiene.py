"""The engineering set-up holds together: pins, hooks, documents, CI and what no file may hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from importlib import resources
from itertools import chain
from pathlib import Path

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

from roundtruth.ground_truth.job_request import output_folder
from roundtruth.project_files import load_project
from roundtruth.rounds.folder import rounds_folder

ROOT = Path(__file__).resolve().parents[1]
PROJECT = load_project(ROOT / "include" / "projects" / "pens.yaml")
AWS = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
# Written in two parts, or this file would hold what it forbids.
FORBIDDEN = {
    "a path of one machine": re.compile("/wor" + r"k/|/home/(?!airflow)\w+/|/Us" + "ers/"),
    "a host of a package index": re.compile(r"pypi\.or" + r"g|pythonhosted\.or" + r"g|registry\.npm" + r"js"),
    "a note for later": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "an AWS key": re.compile(r"\bA(KI|SI)A(?![A-Z0-9]*(EXAMPLE|TEST))[A-Z0-9]{16}\b"),
}


def tracked_files():
    """What git would commit; a source tree without git is walked by its folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    found = []
    for path in tracked_files():
        if path.parent == ROOT / "tests" / "data":
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(lines, 1)
            if FORBIDDEN[what].search(line)
        ]
    assert found == []


@pytest.mark.parametrize("name", [".env", ".venv/x", ".demo/x", "demo/dataset/x", "logs/x", "airflow.cfg"])
def test_git_ignores_secrets_and_what_is_made(name):
    asked = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=ROOT)
    if asked.returncode > 1:
        pytest.skip("this is no git checkout")
    assert asked.returncode == 0


# --- pins


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith((" ", "#")))


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name):
    assert all(re.fullmatch(r"[\w.!+]+", version.split(" ")[0]) for version in pins(name).values())


def test_the_package_asks_for_nothing_that_is_not_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    names = {re.split(r"[\[<>=~! ]", wish)[0] for wish in wanted}
    assert names <= {name.split("[")[0] for name in pins("requirements.txt")}


def test_hooks_use_the_pinned_tools():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    revisions = {repo["repo"].rsplit("/", 1)[-1]: repo.get("rev") for repo in hooks["repos"]}
    assert revisions.pop("local") is None
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", revision) for revision in revisions.values())
    assert revisions["ruff-pre-commit"] == f"v{pins('requirements-dev.txt')['ruff']}"
    ids = {hook["id"] for repo in hooks["repos"] for hook in repo["hooks"]}
    assert {"ruff-check", "ruff-format", "mypy", "codespell", "check-yaml", "check-toml"} <= ids
    assert {"detect-private-key", "end-of-file-fixer"} <= ids


# --- CI and documents


def make_targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_ci_runs_tests_and_demo():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    steps = [line.split()[1] for line in lines if line.lstrip().startswith("timed ")]
    assert steps == ["test", "test-browser", "test-deployment", "demo", "demo", "demo"]
    installed = {"chromium", "postgresql", "redis-server"}
    assert installed <= set(script.read_text().split()), "without them their tests are skipped"


def test_the_short_form_of_the_deployment_tests_is_there():
    """`make test-deployment ONLY=…` of .ci/run would run nothing where no test has the marker."""
    (marker,) = re.findall(r"test-deployment ONLY=(\w+)", (ROOT / ".ci" / "run").read_text())
    marked = [
        path.name
        for path in (ROOT / "tests" / "airflow_stack").glob("test_*.py")
        if f"pytest.mark.{marker}" in path.read_text()
    ]
    assert "test_faults.py" in marked


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", ".ci/run", "docs/aws.md", "docs/rounds.md", ".pre-commit-config.yaml"]
)
def test_documents_name_only_what_is_there(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= make_targets()
    paths = re.findall(r"`((?:include|plugins|dags|tests|docs|demo)/[\w./-]+)`", text)
    examples = {"tests/roundtruth/a/test_b.py", "include/roundtruth/a/b.py"}
    assert [path for path in paths if path not in examples and not (ROOT / path).exists()] == []


def test_contributing_is_one_page():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 80


# --- docs/aws.md

DOCUMENTS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", AWS, re.DOTALL)]
CONNECTIONS = [d for d in DOCUMENTS if isinstance(d, dict) and "conn_type" in d]
POLICIES = [d for d in DOCUMENTS if isinstance(d, dict) and "Statement" in d]
[CORS] = [d for d in DOCUMENTS if isinstance(d, list)]


def statements(sid):
    return [s for policy in POLICIES for s in policy["Statement"] if s.get("Sid") == sid]


def listed(value):
    return value if isinstance(value, list) else [value]


def client_model(service):
    return botocore.session.get_session().get_service_model(service)


def test_connections_lead_to_aws():
    assert len(CONNECTIONS) == 3
    for connection in CONNECTIONS:
        assert connection["conn_type"] == "aws"
        assert connection["extra"]["region_name"] == PROJECT.labeling.region
        assert "service_config" not in connection["extra"]


def test_the_cors_rule_is_one_that_s3_takes():
    shape = client_model("s3").operation_model("PutBucketCors").input_shape
    request = {"Bucket": "b", "CORSConfiguration": {"CORSRules": CORS}}
    assert not ParamValidator().validate(request, shape).has_errors()
    assert CORS[0]["AllowedMethods"] == ["GET"]


def test_policies_name_calls_that_exist():
    known = set(client_model("sagemaker").operation_names)
    asked = {action for policy in POLICIES for s in policy["Statement"] for action in listed(s["Action"])}
    ours = {action.removeprefix("sagemaker:") for action in asked if action.startswith("sagemaker:")}
    assert ours <= known
    assert {"CreateLabelingJob", "DescribeLabelingJob", "StopLabelingJob"} <= ours


def test_no_policy_grants_more_than_it_must():
    for policy in POLICIES:
        for statement in policy["Statement"]:
            assert statement["Effect"] == "Allow"
            assert not [action for action in listed(statement["Action"]) if action.endswith(":*")]
            if "Principal" not in statement and statement.get("Sid") != "Metrics":  # has no resources
                assert "*" not in listed(statement["Resource"])
    actions = {action for policy in POLICIES for s in policy["Statement"] for action in listed(s["Action"])}
    assert "s3:DeleteObject" not in actions


def test_the_role_is_passed_to_sagemaker_alone():
    [statement] = statements("HandTheExecutionRoleToGroundTruth")
    assert statement["Resource"] == PROJECT.labeling.role_arn
    assert statement["Condition"]["StringEquals"] == {"iam:PassedToService": "sagemaker.amazonaws.com"}


@pytest.mark.parametrize(
    ("sid", "folder"),
    [
        ("WriteRoundsAndDatasets", rounds_folder(PROJECT)),
        ("WriteRoundsAndDatasets", PROJECT.root_uri / "datasets"),
        ("ReadImagesAndJobInputs", PROJECT.images_uri),
        ("WriteAnswers", output_folder(PROJECT)),
    ],
    ids=lambda value: str(value).rstrip("/").rsplit("/", 1)[-1],
)
def test_policies_cover_the_folders_that_are_used(sid, folder):
    resource = f"arn:aws:s3:::{folder.bucket}/{folder.key.rstrip('/')}/*"
    assert any(resource in listed(statement["Resource"]) for statement in statements(sid))


def test_job_names_fall_under_the_policy():
    [statement] = statements("RunLabelingJobs")
    assert statement["Resource"].endswith(f":labeling-job/{PROJECT.project}-*")


def test_what_the_package_ships_is_declared():
    """A file beside the modules that pyproject.toml does not name is missing after `pip install`."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    endings = {pattern.rsplit(".", 1)[-1] for pattern in declared["roundtruth"]}
    package = Path(str(resources.files("roundtruth")))
    kept = {".py", ".pyc"}
    others = {path.suffix for path in package.rglob("*") if path.is_file()} - kept
    assert {suffix.removeprefix(".") for suffix in others - {""}} - {"typed"} <= endings
