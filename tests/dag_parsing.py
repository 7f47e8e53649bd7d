"""Parse the Dags once for all tests, in a process that starts as Airflow's Dag processor does."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PENS = ROOT / "include" / "projects" / "pens.yaml"
BROKEN_KEY = "categoriez"
HEAVY = ("pandas", "numpy", "pyarrow", "great_expectations", "moto", "scipy", "duckdb")

# Runs in the subprocess; what a task is made of is read from the operators, before serialisation.
_PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag

def describe(task):
    return {
        "class": type(task).__name__,
        "owner": task.owner,
        "retries": task.retries,
        "retry_policy": type(task.retry_policy).__name__,
        "downstream": sorted(task.downstream_task_ids),
        "deferrable": getattr(task, "deferrable", None),
        "trigger_rule": str(task.trigger_rule.value),
        "mapped": task.get_closest_mapped_task_group() is not None,
        "outlets": [outlet.name for outlet in task.outlets],
        "links": [link.name for link in task.operator_extra_links],
        "pool": task.pool,
        "params": sorted(task.params),
    }

bag = DagBag(sys.argv[1])
dags = {
    dag_id: {
        "timetable": type(dag.timetable).__name__,
        "tags": sorted(dag.tags),
        "doc_md": dag.doc_md,
        "max_active_runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "file": dag.fileloc,
        "on_failure": bool(dag.on_failure_callback),
        "deadlines": [
            [type(one.reference).__name__, one.interval.total_seconds()] for one in dag.deadline or []
        ],
        "params": {
            name: {"default": param.value, "description": param.description, **param.schema}
            for name, param in ((name, dag.params.get_param(name)) for name in dag.params)
        },
        "defaults": dag.params.validate(),
        "tasks": {task.task_id: describe(task) for task in dag.tasks},
    }
    for dag_id, dag in bag.dags.items()
}
print("PARSED" + json.dumps({
    "dags": dags, "errors": bag.import_errors, "heavy": sorted(set(sys.argv[2].split(",")) & set(sys.modules))
}))
"""


@functools.cache
def parsed_dags() -> dict[str, Any]:
    """Parse dags/ over a folder of projects: ``pens``, variants of it, and one file that is broken.

    :returns: ``dags`` by id, ``errors`` (Airflow's import errors by file), ``heavy`` (the modules of
        ``HEAVY`` that parsing imported) and ``broken`` (the path of the broken project file).
    """
    with tempfile.TemporaryDirectory() as folder:
        home, projects = Path(folder) / "home", Path(folder) / "projects"
        projects.mkdir()
        for name, content in _projects().items():
            (projects / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _PARSE, str(ROOT / "dags"), ",".join(HEAVY)],
            env=_environment(home, projects),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if "PARSED" not in done.stdout:
            raise RuntimeError(f"The Dags could not be parsed:\n{done.stdout}{done.stderr}")
        parsed: dict[str, Any] = json.loads(done.stdout.split("PARSED", 1)[1])
        return parsed | {"broken": str(projects / "broken.yaml")}


def _projects() -> dict[str, dict[str, Any]]:
    pens = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    del pens["training"], pens["deadline_hours"]
    by_hand = pens | {"project": "by-hand", "schedule": None}
    told = pens | {
        "project": "told",
        "deadline_hours": 2,
        "notify": [{"notifier": "labeling.s3_notifier.S3Notifier", "arguments": {"folder": "s3://b/notes"}}],
        "labeling": pens["labeling"] | {"pool": "people"},
    }
    passes = {
        f"passes-{count}": pens
        | {"project": f"passes-{count}", "consensus": pens["consensus"] | {"relabel_passes": count}}
        for count in range(4)
    }
    asked = {
        f"ask-{when}": pens | {"project": f"ask-{when}", "dataset": pens["dataset"] | {"approval": when}}
        for when in ("always", "on-warning")
    }
    broken = pens | {"project": "broken", BROKEN_KEY: ["pen"]}
    shipped = yaml.safe_load(PENS.read_text(encoding="utf-8"))
    others = {"by-hand": by_hand, "told": told, "broken": broken, **passes, **asked}
    return {"pens": shipped} | {name: _of_its_own(name, content) for name, content in others.items()}


def _of_its_own(name: str, content: dict[str, Any]) -> dict[str, Any]:
    """No two projects may share a root or a dataset."""
    return content | {"root": f"{content['root']}-{name}", "dataset": content["dataset"] | {"name": name}}


def _environment(home: Path, projects: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        # As in docker-compose.yaml: the domain on PYTHONPATH, plugins/ put on sys.path by Airflow.
        "PYTHONPATH": str(ROOT / "include"),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        # No such folder: parsing that looks into the database fails.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/no-such-folder/airflow.db",
        "ROUNDTRUTH_PROJECTS": str(projects),
    }
