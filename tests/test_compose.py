"""The team deployment, without a Docker engine: schema, secrets, health checks, and that all names exist."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from demo.celery_stack import CeleryStack
from demo.stack import ROOT, Stack, StackSettings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES = COMPOSE["services"]
ONE_SHOT = {"airflow-init"}
AIRFLOW = {"airflow-init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
OURS = AIRFLOW | {"sandbox"}  # what runs from our image
SHARED = COMPOSE["x-environment"]
IN_CONTAINER = "/opt/airflow"

# How docker-compose.yaml and demo/stack.py hang together: every variable that one of them sets is in one row.
ALIKE = {  # the same value in both
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
    "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
    "GX_ANALYTICS_ENABLED",
}
SAME_FOLDER = {  # the same folder of the project, which lies elsewhere in the image
    "PYTHONPATH",
    "AIRFLOW__CORE__DAGS_FOLDER",
    "AIRFLOW__CORE__PLUGINS_FOLDER",
}
OF_THE_PLACE = {  # both set it, each for its place
    "AIRFLOW_HOME",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__WORKERS",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",  # its port is fixed: two demos on one machine would collide
    "AIRFLOW_CONN_AWS_DEFAULT",
    "ROUNDTRUTH_PROJECTS",
}
DEMO_ONLY = {
    "PATH",
    "AIRFLOW__CORE__PARALLELISM",
    "AIRFLOW__API__HOST",
    "AIRFLOW__API__PORT",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL",
    "NO_PROXY",
    "no_proxy",
}
CELERY = {  # with CeleryExecutor alone: docker-compose.yaml and demo/celery_stack.py
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY",
}


@pytest.fixture
def demo_environment(tmp_path, monkeypatch):
    """What demo/stack.py itself sets: nothing of this process is inherited."""
    monkeypatch.setattr("os.environ", {})
    return Stack(settings=StackSettings(state=tmp_path, projects=tmp_path, sandbox_port=5000)).environment()


@pytest.fixture
def celery_stack(tmp_path, monkeypatch):
    monkeypatch.setattr("os.environ", {})
    stack = CeleryStack(settings=StackSettings(state=tmp_path, projects=tmp_path))
    return stack, stack.environment()


def test_fits_the_compose_specification():
    schema = json.loads((Path(__file__).parent / "data" / "compose-spec.json").read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(COMPOSE)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_has_the_services_of_a_celery_deployment():
    assert set(SERVICES) == OURS | {"postgres", "redis"}
    assert SHARED["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert SERVICES["sandbox"]["profiles"] == ["sandbox"]
    assert not [name for name, service in SERVICES.items() if name != "sandbox" and "profiles" in service]


@pytest.mark.parametrize("name", sorted(AIRFLOW))
def test_airflow_services_share_one_environment(name):
    environment = SERVICES[name]["environment"]
    assert {key: environment[key] for key in SHARED} == SHARED
    assert set(environment) - set(SHARED) <= {"DUMB_INIT_SETSID"}
    assert environment["PYTHONPATH"] == f"{IN_CONTAINER}/include"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_long_running_services_tell_their_health(name):
    service = SERVICES[name]
    if name in ONE_SHOT:
        assert service["restart"] == "no"
        return
    check = service["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert service["restart"] == "unless-stopped"


def test_services_wait_for_health_not_for_time():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected, f"{name} waits for {other}"
    for name in AIRFLOW - ONE_SHOT:
        assert {"postgres", "redis", "airflow-init"} <= set(SERVICES[name]["depends_on"]), name
    assert "api-server" in SERVICES["worker"]["depends_on"], "tasks talk to the execution API"


def test_ports_are_open_on_loopback_alone():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(ports) == {"api-server", "sandbox"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_images_are_pinned_or_built_here():
    for name, service in SERVICES.items():
        if name in OURS:
            assert service["image"] == "roundtruth:${ROUNDTRUTH_VERSION:-dev}"
            assert service["build"] == {"context": ".", "dockerfile": "Dockerfile"}
        else:
            assert re.fullmatch(r"[a-z]+:\d+(\.\d+)*-[a-z]+", service["image"]), name


def test_volumes_are_declared_and_named():
    mounts = {mount for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert {mount.split(":")[0] for mount in mounts} == set(COMPOSE["volumes"])
    made = set(re.findall(rf"{IN_CONTAINER}/\w+", (ROOT / "Dockerfile").read_text().split("mkdir -p ")[1]))
    inside = {mount.split(":")[1] for name in OURS for mount in SERVICES[name]["volumes"]}
    assert inside <= made, "a volume on a folder that the image lacks belongs to root"


def test_the_worker_may_finish_its_tasks():
    worker = SERVICES["worker"]
    assert worker["stop_grace_period"] == "10m"
    assert worker["environment"]["DUMB_INIT_SETSID"] == "0"


# --- secrets


def strings(node):
    """Every string of a YAML document with the key it stands under."""
    if isinstance(node, dict):
        for key, value in node.items():
            for name, text in strings(value):
                yield name or key, text
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif node is not None:
        yield "", str(node)


def test_no_secret_is_in_the_file():
    for name, text in strings(COMPOSE):
        if re.search(r"PASSWORD|SECRET|FERNET|_CONN_|AUTH$", name) and not name.endswith("_FILE"):
            assert re.fullmatch(r"\$\{\w+:\?see \.env\.example\}", text), name
        for password in re.findall(r"://\w*:(.*)@", text):
            assert re.fullmatch(r"\$\{\w+:\?see \.env\.example\}", password), name


def example_environment():
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_example_names_every_variable_and_holds_no_secret():
    used = dict(re.findall(r"\$\{(\w+):([^}]*)\}", (ROOT / "docker-compose.yaml").read_text()))
    example = example_environment()
    assert set(example) == set(used)
    for name, rule in used.items():
        if rule.startswith("-"):
            assert example[name] == rule[1:], f"the default of {name}"
        elif name != "AIRFLOW_CONN_AWS_DEFAULT":
            assert example[name] == "", f"{name} is a secret"


# --- the demo and the team deployment are one stack


def test_every_variable_of_demo_and_deployment_is_accounted_for(demo_environment):
    rows = [ALIKE, SAME_FOLDER, OF_THE_PLACE, DEMO_ONLY, CELERY]
    assert sum(map(len, rows)) == len(set.union(*rows)), "a variable stands in one row"
    assert set(demo_environment) == ALIKE | SAME_FOLDER | OF_THE_PLACE | DEMO_ONLY
    assert set(SHARED) == ALIKE | SAME_FOLDER | OF_THE_PLACE | CELERY


def test_the_stack_without_docker_has_the_same_environment(celery_stack):
    """Each variable of docker-compose.yaml and no other, but those that are the demo's alone."""
    _, environment = celery_stack
    assert set(environment) == set(SHARED) | DEMO_ONLY
    assert {name: environment[name] for name in ALIKE} == {name: SHARED[name] for name in ALIKE}
    for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", *sorted(CELERY)):
        scheme = r"^[a-z0-9+]+://" if "://" in SHARED[name] else r"^"
        assert re.findall(scheme, environment[name]) == re.findall(scheme, SHARED[name]), name
    assert environment["AIRFLOW__CORE__EXECUTOR"] == SHARED["AIRFLOW__CORE__EXECUTOR"]


def test_the_stack_without_docker_has_the_same_services(celery_stack):
    stack, _ = celery_stack
    ours = {re.sub(r"-\d$", "", name) for name in stack.commands()} | {"postgres", "redis"}
    assert ours == set(SERVICES) - ONE_SHOT
    for name, command in stack.commands().items():
        if name != "sandbox":
            expected = SERVICES[re.sub(r"-\d$", "", name)]["command"]
            assert command[: len(expected) + 1] == ["airflow", *expected]


def test_shared_variables_do_not_drift(demo_environment):
    assert {name: SHARED[name] for name in ALIKE} == {name: demo_environment[name] for name in ALIKE}
    for name in SAME_FOLDER:
        assert SHARED[name].replace(IN_CONTAINER, str(ROOT)) == demo_environment[name]


def test_the_example_connection_is_the_demos(demo_environment):
    example = json.loads(example_environment()["AIRFLOW_CONN_AWS_DEFAULT"].strip("'"))
    demo = demo_environment["AIRFLOW_CONN_AWS_DEFAULT"].replace("127.0.0.1", "sandbox")
    assert example == json.loads(demo)
    port = SERVICES["sandbox"]["command"][SERVICES["sandbox"]["command"].index("--port") + 1]
    assert example["extra"]["service_config"]["s3"]["endpoint_url"] == f"http://sandbox:{port}"


# --- the image


def test_the_image_is_made_of_what_is_here():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {line.split()[-2]: line.split()[-1] for line in lines if line.startswith("COPY")}
    assert copied == {
        name: f"{IN_CONTAINER}/{name}" for name in ("requirements.txt", "include", "plugins", "dags")
    }
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert f"ENV PYTHONPATH={SHARED['PYTHONPATH']}" in lines
    assert any("pip install" in line and copied["requirements.txt"] in line for line in lines)


def test_the_image_has_the_airflow_that_is_pinned():
    base = re.search(
        r"^FROM apache/airflow:(.+)-python(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )
    pinned = re.search(r"^apache-airflow==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert base
    assert pinned
    assert base.group(1) == pinned.group(1)
    assert base.group(2) == f"{sys.version_info.major}.{sys.version_info.minor}"


def test_watched_folders_exist():
    for rule in COMPOSE["x-airflow"]["develop"]["watch"]:
        assert (ROOT / rule["path"]).exists()


# --- every command against the programs that are installed

PROBE = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.api_fastapi.core_api.routes.public.monitor import monitor_router
for command in json.loads(sys.argv[1]):
    get_parser().parse_args(command)  # exits with 2 on what it does not know
from airflow.providers.celery.executors.celery_executor import app
print("PROBE" + json.dumps({
    "routes": [route.path for route in monitor_router.routes],
    "scheduler_port": conf.get("scheduler", "scheduler_health_check_server_port"),
    "api_port": conf.get("api", "port"),
    "celery": app.main,
}))
"""


def airflow_commands():
    commands = [SERVICES[name]["command"] for name in sorted(AIRFLOW)]
    checks = [service["healthcheck"]["test"] for service in SERVICES.values() if "healthcheck" in service]
    return commands + [check[2:] for check in checks if check[1] == "airflow"]


@pytest.mark.airflow
@pytest.mark.xdist_group("airflow")
def test_every_airflow_command_exists(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(airflow_commands())],
        env={
            "PATH": str(Path(sys.executable).parent),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",  # the celery commands are there with it alone
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.split("PROBE", 1)[1])
    assert SERVICES["api-server"]["healthcheck"]["test"][-1] == (
        f"http://localhost:{found['api_port']}/api/v2{found['routes'][0]}"
    )
    assert found["scheduler_port"] in SERVICES["scheduler"]["healthcheck"]["test"][-1]
    assert f"--app {found['celery']}.app inspect ping" in SERVICES["worker"]["healthcheck"]["test"][-1]
